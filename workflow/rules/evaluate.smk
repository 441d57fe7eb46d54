"""Answers of the base and of every adapter, and their grades."""

from lossgeometry.evaluation.tables import CONTAMINATION

# An engine that loads in seconds gets one job per benchmark, one that takes minutes gets one job per run: see the key
# evaluation.loads. Both rules call the same script, which takes any number of benchmarks.
if CONFIG.evaluation.loads == "per_benchmark":
    ANSWERS = "{run}/{benchmark}"
    ANSWERED = ["{benchmark}"]
else:
    ANSWERS = "{run}"
    ANSWERED = list(CONFIG.evaluation.benchmarks)


rule generate_answers:
    input:
        **model("student", student_folder()),
        adapter=lambda wildcards: adapter_inputs(wildcards.run),
        prompts=[results(f"prompts/{benchmark}.jsonl") for benchmark in ANSWERED],
    output:
        [results(f"completions/{{run}}/{benchmark}.jsonl") for benchmark in ANSWERED],
    log:
        log_of(f"generate_answers/{ANSWERS}"),
    benchmark:
        benchmark_of(f"generate_answers/{ANSWERS}")
    conda:
        GPU if CONFIG.evaluation.engine.name == "vllm" else CPU
    threads: 8 if CONFIG.evaluation.engine.name == "vllm" else 1
    resources:
        gpu=int(CONFIG.evaluation.engine.name == "vllm"),
    params:
        cfg=jobs.evaluation.answers(CONFIG),
        # As a function that takes `input`, a parameter is not compared: these keys change the speed alone.
        speed=lambda wildcards, input: jobs.evaluation.speed(CONFIG),
        code=planned_code("generate_answers.py", *jobs.evaluation.modules(CONFIG)),
    message:
        "Answering as {wildcards}"
    script:
        "../scripts/generate_answers.py"


rule grade_answers:
    input:
        completions=results("completions/{run}/{benchmark}.jsonl"),
        prompts=results("prompts/{benchmark}.jsonl"),
    output:
        results("evaluation/{run}/{benchmark}.jsonl"),
    log:
        log_of("grade_answers/{run}/{benchmark}"),
    benchmark:
        benchmark_of("grade_answers/{run}/{benchmark}")
    conda:
        CPU
    threads: CONFIG.grading.workers
    params:
        cfg=lambda wildcards: jobs.grading.verdicts(CONFIG, wildcards.benchmark),
        code=lambda wildcards: planned_code("grade_answers.py", jobs.grading.module(CONFIG, wildcards.benchmark)),
    message:
        "Grading {wildcards.run} on {wildcards.benchmark}"
    script:
        "../scripts/grade_answers.py"


rule tabulate_contamination:
    input:
        train=results("prompts/train.jsonl"),
        benchmarks=[results(f"prompts/{benchmark}.jsonl") for benchmark in CONFIG.evaluation.benchmarks],
    output:
        reported("contamination"),
    log:
        log_of("tabulate_contamination"),
    benchmark:
        benchmark_of("tabulate_contamination")
    localrule: True
    conda:
        CPU
    params:
        code=planned_code("tabulate_contamination.py"),
    message:
        "Comparing the benchmarks with the training prompts"
    script:
        "../scripts/tabulate_contamination.py"


rule tabulate_accuracy:
    input:
        answers=evaluation_files(),
        contamination=results("tables/contamination.csv") if CONTAMINATION.asked(CONFIG) else [],
    output:
        accuracy=reported("accuracy"),
        differences=reported("differences"),
        mcnemar=reported("mcnemar"),
        pass_at_k=reported("pass_at_k"),
        across_seeds=reported("across_seeds"),
    log:
        log_of("tabulate_accuracy"),
    benchmark:
        benchmark_of("tabulate_accuracy")
    conda:
        CPU
    params:
        cfg=jobs.evaluation.accuracy_table(CONFIG),
        code=planned_code("tabulate_accuracy.py"),
    message:
        "Tabulating accuracies"
    script:
        "../scripts/tabulate_accuracy.py"
