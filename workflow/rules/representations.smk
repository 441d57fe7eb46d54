"""Hidden states of the base and of every adapter, once per run, and their similarity, once per pair and block of layers."""


scattergather:
    layers=CONFIG.representations.layer_blocks,


# By default the layers are rows of one job; asked for blocks, each block is a job and a file of its own.
SPLIT = CONFIG.representations.layer_blocks > 1
BLOCK = "{a}--{b}/cka/{scatteritem}" if SPLIT else "{a}--{b}/cka"


rule extract_representations:
    input:
        **model("student", student_folder()),
        adapter=lambda wildcards: adapter_inputs(wildcards.run),
        solutions=results("rollouts/heldout.jsonl"),
        problems=(
            results(f"prompts/{CONFIG.benchmark_of(CONFIG.representations)}.jsonl")
            if CONFIG.representations.needs_benchmark
            else []
        ),
    output:
        results("representations/{run}.safetensors"),
    log:
        log_of("extract_representations/{run}"),
    benchmark:
        benchmark_of("extract_representations/{run}")
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
        base=results(f"representations/{BASE}.safetensors"),
        a=results("representations/{a}.safetensors"),
        b=results("representations/{b}.safetensors"),
    output:
        results(f"pairs/{BLOCK}.csv"),
    log:
        log_of(f"compare_representations/{BLOCK}"),
    benchmark:
        benchmark_of(f"compare_representations/{BLOCK}")
    conda:
        CPU
    threads: CONFIG.representations.threads
    params:
        cfg=jobs.function_space.hidden_state_pair(CONFIG),
        block=lambda wildcards: wildcards.get("scatteritem", "1-of-1"),
        code=planned_code("compare_representations.py"),
    message:
        "Comparing the hidden states of {wildcards.a} and {wildcards.b}"
    script:
        "../scripts/compare_representations.py"


if SPLIT:

    rule join_representations:
        input:
            gather.layers(results("pairs/{{a}}--{{b}}/cka/{scatteritem}.csv")),
        output:
            results("pairs/{a}--{b}/cka.csv"),
        log:
            log_of("join_representations/{a}--{b}"),
        benchmark:
            benchmark_of("join_representations/{a}--{b}")
        conda:
            CPU
        params:
            code=planned_code("join_representations.py"),
        message:
            "Joining the layers of {wildcards.a} and {wildcards.b}"
        script:
            "../scripts/join_representations.py"


rule tabulate_representations:
    input:
        pair_files("cka.csv", CONFIG.representation_pairs),
    output:
        reported("cka"),
    log:
        log_of("tabulate_representations"),
    benchmark:
        benchmark_of("tabulate_representations")
    conda:
        CPU
    params:
        cfg=[list(pair) for pair in CONFIG.representation_pairs],
        code=planned_code("tabulate_representations.py"),
    message:
        "Tabulating the similarity of hidden states"
    script:
        "../scripts/tabulate_representations.py"
