"""Hidden states of the base and of every adapter, once per run, and their similarity, once per pair and block of layers."""


scattergather:
    layers=CONFIG.representations.layer_blocks,


# By default the layers are rows of one job; asked for blocks, each block is a job and a file of its own.
SPLIT = CONFIG.representations.layer_blocks > 1
BLOCK = "{run}/cka.{scatteritem}" if SPLIT else "{run}/cka"
SIMILAR_ROWS = jobs.pairs.rows(CONFIG.representation_pairs)


rule extract_representations:
    input:
        **model("student", student_folder()),
        adapter=lambda wildcards: adapter_inputs(wildcards.run),
        solutions=results("rollouts/heldout.jsonl"),
        problems=(results("prompts/probe.jsonl") if CONFIG.representations.needs_probe else []),
    output:
        results("representations/{run}.safetensors"),
    log:
        log_of("extract_representations/{run}"),
    benchmark:
        benchmark_of("extract_representations/{run}")
    priority: BEFORE_ANSWERS
    conda:
        CPU if CONFIG.representations.precision == "float32" else GPU
    threads: CONFIG.representations.threads
    resources:
        gpu=int(CONFIG.representations.precision != "float32"),
    params:
        cfg=jobs.function_space.hidden_states(CONFIG),
        code=planned_code("extract_representations.py"),
    message:
        "Collecting the hidden states of {wildcards.run}"
    script:
        "../scripts/extract_representations.py"


rule compare_representations:
    input:
        lambda wildcards: [
            results(f"representations/{run}.safetensors")
            for run in [BASE, *SIMILAR_ROWS[wildcards.run], wildcards.run]
        ],
    output:
        results(f"rows/{BLOCK}.zip"),
    log:
        log_of(f"compare_representations/{BLOCK}"),
    benchmark:
        benchmark_of(f"compare_representations/{BLOCK}")
    priority: BEFORE_ANSWERS
    conda:
        CPU
    threads: CONFIG.representations.threads
    params:
        cfg=jobs.function_space.hidden_state_pair(CONFIG),
        others=lambda wildcards: SIMILAR_ROWS[wildcards.run],
        block=lambda wildcards: wildcards.get("scatteritem", "1-of-1"),
        code=planned_code("compare_representations.py"),
    message:
        "Comparing the hidden states of {wildcards.run} with those of the runs before it"
    script:
        "../scripts/compare_representations.py"


if SPLIT:

    rule join_representations:
        input:
            gather.layers(results("rows/{{run}}/cka.{scatteritem}.zip")),
        output:
            results("rows/{run}/cka.zip"),
        log:
            log_of("join_representations/{run}"),
        benchmark:
            benchmark_of("join_representations/{run}")
        conda:
            CPU
        params:
            others=lambda wildcards: SIMILAR_ROWS[wildcards.run],
            code=planned_code("join_representations.py"),
        message:
            "Joining the layers of {wildcards.run} and the runs before it"
        script:
            "../scripts/join_representations.py"


rule tabulate_representations:
    input:
        row_files("cka", CONFIG.representation_pairs),
    output:
        reported("cka"),
    log:
        log_of("tabulate_representations"),
    benchmark:
        benchmark_of("tabulate_representations")
    localrule: True
    conda:
        CPU
    params:
        cfg=jobs.weights.representations_table(CONFIG),
        code=planned_code("tabulate_representations.py"),
    message:
        "Tabulating the similarity of hidden states"
    script:
        "../scripts/tabulate_representations.py"
