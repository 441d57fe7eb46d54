"""The pairwise geometry of the updates, and the tables that gather it."""


rule compare_pair:
    input:
        a=results("deltas/{a}.safetensors"),
        b=results("deltas/{b}.safetensors"),
    output:
        geometry=results("pairs/{a}--{b}/geometry.parquet"),
        grassmann=results("pairs/{a}--{b}/grassmann.parquet"),
    log:
        log_of("compare_pair/{a}--{b}"),
    benchmark:
        benchmark_of("compare_pair/{a}--{b}")
    conda:
        CPU
    threads: 1
    resources:
        mem_mb=1000,
    params:
        cfg=lambda wildcards: jobs.weights.pair(CONFIG, wildcards.a, wildcards.b),
        code=planned_code("compare_pair.py"),
    message:
        "Comparing {wildcards.a} and {wildcards.b}"
    script:
        "../scripts/compare_pair.py"


rule tabulate_geometry:
    input:
        geometry=pair_files("geometry.parquet"),
        grassmann=pair_files("grassmann.parquet"),
    output:
        geometry=reported("geometry"),
        layers=results("tables/layers.csv"),
        modules=results("tables/modules.parquet"),
        grassmann=results("tables/grassmann.csv"),
    log:
        log_of("tabulate_geometry"),
    benchmark:
        benchmark_of("tabulate_geometry")
    conda:
        CPU
    threads: 1
    params:
        cfg=jobs.weights.pairs_table(CONFIG),
        code=planned_code("tabulate_geometry.py"),
    message:
        "Tabulating the geometry of all pairs"
    script:
        "../scripts/tabulate_geometry.py"


rule compare_sweeps:
    input:
        [results(f"deltas/{run.id}.safetensors") for run in jobs.weights.swept_runs(CONFIG)],
    output:
        seeds=results("tables/seeds.csv"),
        decomposition=results("tables/decomposition.csv"),
        rates=results("tables/rates.csv"),
    log:
        log_of("compare_sweeps"),
    benchmark:
        benchmark_of("compare_sweeps")
    conda:
        CPU
    threads: 1
    params:
        cfg=jobs.weights.sweeps(CONFIG),
        code=planned_code("compare_sweeps.py"),
    message:
        "Comparing seeds and learning rates with losses"
    script:
        "../scripts/compare_sweeps.py"
