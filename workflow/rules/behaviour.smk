"""How far every run moves what the base writes, and pairs of runs from each other."""

MEASURED = CONFIG.measured_benchmark
BEHAVING_ROWS = jobs.pairs.rows(CONFIG.behaviour_pairs)


rule measure_behaviour:
    input:
        **model("student", student_folder()),
        adapter=lambda wildcards: adapter_inputs(wildcards.run),
        base=results(f"evaluation/{BASE}/{MEASURED}.jsonl"),
        own=lambda wildcards: [] if wildcards.run == BASE else results(f"evaluation/{wildcards.run}/{MEASURED}.jsonl"),
        prompts=results(f"prompts/{MEASURED}.jsonl"),
        other=other_text(),
    output:
        results("behaviour/{run}.parquet"),
    log:
        log_of("measure_behaviour/{run}"),
    benchmark:
        benchmark_of("measure_behaviour/{run}")
    conda:
        CPU if CONFIG.behaviour.precision == "float32" else GPU
    threads: CONFIG.behaviour.threads
    resources:
        gpu=int(CONFIG.behaviour.precision != "float32"),
    params:
        cfg=jobs.function_space.departures(CONFIG),
        code=planned_code("measure_behaviour.py"),
    message:
        "Measuring how far {wildcards.run} moves what the base writes"
    script:
        "../scripts/measure_behaviour.py"


rule compare_behaviour:
    input:
        unpack(lambda wildcards: row_adapters(BEHAVING_ROWS, wildcards.run)),
        **model("student", student_folder()),
        base=results(f"evaluation/{BASE}/{MEASURED}.jsonl"),
        prompts=results(f"prompts/{MEASURED}.jsonl"),
    output:
        results("rows/{run}/behaviour.zip"),
    log:
        log_of("compare_behaviour/{run}"),
    benchmark:
        benchmark_of("compare_behaviour/{run}")
    conda:
        CPU if CONFIG.behaviour.precision == "float32" else GPU
    threads: CONFIG.behaviour.threads
    resources:
        gpu=int(CONFIG.behaviour.precision != "float32"),
    params:
        cfg=jobs.function_space.divergences(CONFIG),
        others=lambda wildcards: BEHAVING_ROWS[wildcards.run],
        code=planned_code("compare_behaviour.py"),
    message:
        "Measuring how far what {wildcards.run} and the runs before it write is apart"
    script:
        "../scripts/compare_behaviour.py"


rule tabulate_behaviour:
    input:
        runs=[results(f"behaviour/{run}.parquet") for run in CONFIG.behaving],
        rows=row_files("behaviour", CONFIG.behaviour_pairs),
    output:
        runs=reported("behaviour"),
        pairs=reported("behaviour_pairs") if CONFIG.behaviour_pairs else [],
    log:
        log_of("tabulate_behaviour"),
    benchmark:
        benchmark_of("tabulate_behaviour")
    conda:
        CPU
    params:
        cfg={"runs": CONFIG.behaving, "pairs": [list(pair) for pair in CONFIG.behaviour_pairs]},
        code=planned_code("tabulate_behaviour.py"),
    message:
        "Tabulating what the runs changed in what is written"
    script:
        "../scripts/tabulate_behaviour.py"


# The last layer's hidden states, of the runs whose states are compared anyway.
STATED = [BASE, *sorted({run for pair in CONFIG.representation_pairs for run in pair})]


rule tabulate_forgetting:
    input:
        accuracy=results("tables/accuracy.csv"),
        behaviour=results("tables/behaviour.csv"),
        base=results(f"behaviour/{BASE}.parquet"),
        deltas=[results(f"deltas/{run}.safetensors") for run in CONFIG.behaving if run != BASE],
        relations=results("tables/base_relations.csv") if CONFIG.geometry.relation_to_base else [],
        states=[results(f"representations/{run}.safetensors") for run in STATED if len(STATED) > 1],
    output:
        runs=reported("forgetting"),
        law=reported("forgetting_law"),
    log:
        log_of("tabulate_forgetting"),
    benchmark:
        benchmark_of("tabulate_forgetting")
    conda:
        CPU
    params:
        cfg=jobs.function_space.forgetting(CONFIG),
        code=planned_code("tabulate_forgetting.py"),
    message:
        "Tabulating what the runs forgot"
    script:
        "../scripts/tabulate_forgetting.py"
