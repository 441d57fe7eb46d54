"""Sampling the teacher, and grading what it wrote: the one data set of every offline method.

The held-out problems are sampled and graded in jobs of their own, so that another number of them trains nothing again.
"""


# An imported file is one part; sampling can be split.
scattergather:
    rollouts=1 if CONFIG.rollouts.file else CONFIG.rollouts.shards,


if CONFIG.rollouts.file:

    # The prompts are the file's too, so that no other source of problems can disagree with it.
    rule import_rollouts:
        input:
            **model("student", student_folder()),
            file=given(CONFIG.rollouts.file),
        output:
            train=results("prompts/train.jsonl"),
            heldout=results("prompts/heldout.jsonl"),
            completions=results("rollouts/shards/1-of-1.jsonl"),
        log:
            log_of("import_rollouts"),
        benchmark:
            benchmark_of("import_rollouts")
        conda:
            CPU
        threads: CONFIG.grading.workers
        params:
            cfg=jobs.rollouts.imported(CONFIG),
            code=planned_code(
                "import_rollouts.py", *jobs.rollouts.import_modules(), jobs.grading.module(CONFIG, "train")
            ),
        message:
            "Importing the rollouts of {input.file}"
        script:
            "../scripts/import_rollouts.py"

    HELDOUT = results("rollouts/shards/1-of-1.jsonl")

elif CONFIG.teacher.source == "endpoint":

    # Its answers are kept beside the shards, in rollouts/answers, which no rule declares: Snakemake would remove them.
    rule ask_teacher:
        input:
            **model("student", student_folder()),
            prompts=results("prompts/train.jsonl"),
        output:
            results("rollouts/shards/{scatteritem}.jsonl"),
        log:
            log_of("ask_teacher/{scatteritem}"),
        benchmark:
            benchmark_of("ask_teacher/{scatteritem}")
        localrule: True
        conda:
            CPU
        threads: 1
        params:
            cfg=jobs.teacher.completed(CONFIG),
            # As a function that takes `input`, a parameter is not compared: these keys change the speed alone.
            speed=lambda wildcards, input: jobs.teacher.speed(CONFIG, wildcards.get("scatteritem", "heldout")),
            code=planned_code("ask_teacher.py"),
        message:
            "Asking {params.cfg[model]} at {params.cfg[base_url]}, part {wildcards.scatteritem}"
        script:
            "../scripts/ask_teacher.py"

    HELDOUT = results("rollouts/shards/heldout.jsonl")

    use rule ask_teacher as fetch_heldout with:
        input:
            **model("student", student_folder()),
            prompts=results("prompts/heldout.jsonl"),
        output:
            HELDOUT,
        log:
            log_of("fetch_heldout"),
        benchmark:
            benchmark_of("fetch_heldout")
        message:
            "Asking {params.cfg[model]} at {params.cfg[base_url]} for held-out solutions"

elif CONFIG.teacher.source == "generated":

    rule write_rollouts:
        input:
            **model("student", student_folder()),
            prompts=results("prompts/train.jsonl"),
        output:
            results("rollouts/shards/{scatteritem}.jsonl"),
        log:
            log_of("write_rollouts/{scatteritem}"),
        benchmark:
            benchmark_of("write_rollouts/{scatteritem}")
        conda:
            CPU
        threads: 1
        params:
            cfg=jobs.rollouts.written(CONFIG),
            code=planned_code("write_rollouts.py"),
        message:
            "Writing worked solutions, part {wildcards.scatteritem}"
        script:
            "../scripts/write_rollouts.py"

    HELDOUT = results("rollouts/shards/heldout.jsonl")

    use rule write_rollouts as write_heldout with:
        input:
            **model("student", student_folder()),
            prompts=results("prompts/heldout.jsonl"),
        output:
            HELDOUT,
        log:
            log_of("write_heldout"),
        benchmark:
            benchmark_of("write_heldout")
        message:
            "Writing worked solutions of the held-out problems"

else:

    rule generate_rollouts:
        input:
            **model("teacher", teacher_folder()),
            prompts=results("prompts/train.jsonl"),
        output:
            results("rollouts/shards/{scatteritem}.jsonl"),
        log:
            log_of("generate_rollouts/{scatteritem}"),
        benchmark:
            benchmark_of("generate_rollouts/{scatteritem}")
        conda:
            GPU if CONFIG.rollouts.engine.name == "vllm" else CPU
        threads: 8 if CONFIG.rollouts.engine.name == "vllm" else 1
        resources:
            gpu=int(CONFIG.rollouts.engine.name == "vllm"),
        params:
            cfg=jobs.rollouts.sampled(CONFIG),
            # As a function that takes `input`, a parameter is not compared: these keys change the speed alone.
            speed=lambda wildcards, input: jobs.rollouts.sampling_speed(CONFIG),
            code=planned_code("generate_rollouts.py", *jobs.rollouts.sampling_modules(CONFIG)),
        message:
            "Sampling the teacher, part {wildcards.scatteritem}"
        script:
            "../scripts/generate_rollouts.py"

    HELDOUT = results("rollouts/shards/heldout.jsonl")

    use rule generate_rollouts as generate_heldout with:
        input:
            **model("teacher", teacher_folder()),
            prompts=results("prompts/heldout.jsonl"),
        output:
            HELDOUT,
        log:
            log_of("generate_heldout"),
        benchmark:
            benchmark_of("generate_heldout")
        message:
            "Sampling the teacher for held-out solutions"


rule grade_rollouts:
    input:
        prompts=results("prompts/train.jsonl"),
        shards=gather.rollouts(results("rollouts/shards/{scatteritem}.jsonl")),
    output:
        **({"teacher": results("rollouts/teacher.json")} if jobs.teacher.bought(CONFIG) else {}),
        rollouts=results("rollouts/rollouts.parquet"),
        summary=reported("rollouts"),
    log:
        log_of("grade_rollouts"),
    benchmark:
        benchmark_of("grade_rollouts")
    conda:
        CPU
    threads: CONFIG.grading.workers
    params:
        cfg=jobs.rollouts.graded(CONFIG),
        code=planned_code("grade_rollouts.py", jobs.grading.module(CONFIG, "train")),
    message:
        "Grading the rollouts"
    script:
        "../scripts/grade_rollouts.py"


# Once for all runs: at full size a run would take minutes for it, and its GPU would wait.
rule tokenize_rollouts:
    input:
        **model("student", student_folder()),
        prompts=results("prompts/train.jsonl"),
        rollouts=results("rollouts/rollouts.parquet"),
    output:
        results("rollouts/tokens.parquet"),
    log:
        log_of("tokenize_rollouts"),
    benchmark:
        benchmark_of("tokenize_rollouts")
    conda:
        CPU
    threads: 1
    params:
        cfg={"prompt_suffix": CONFIG.prompt_suffix},
        code=planned_code("tokenize_rollouts.py"),
    message:
        "Tokenizing the rollouts"
    script:
        "../scripts/tokenize_rollouts.py"


rule grade_heldout:
    input:
        prompts=results("prompts/heldout.jsonl"),
        shard=HELDOUT,
    output:
        results("rollouts/heldout.jsonl"),
    log:
        log_of("grade_heldout"),
    benchmark:
        benchmark_of("grade_heldout")
    conda:
        CPU
    threads: CONFIG.grading.workers
    params:
        cfg=jobs.rollouts.solutions(CONFIG),
        code=planned_code("grade_heldout.py", jobs.grading.module(CONFIG, "train")),
    message:
        "Grading the held-out solutions"
    script:
        "../scripts/grade_heldout.py"
