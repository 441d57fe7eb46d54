"""The pairwise geometry of the updates, and the tables that gather it."""

ROWS = jobs.pairs.rows(CONFIG.pairs)


rule compare_pairs:
    input:
        deltas=lambda wildcards: [results(f"deltas/{run}.safetensors") for run in [*ROWS[wildcards.run], wildcards.run]],
    output:
        results("rows/{run}/geometry.zip"),
    log:
        log_of("compare_pairs/{run}"),
    benchmark:
        benchmark_of("compare_pairs/{run}")
    conda:
        CPU
    threads: 1
    resources:
        mem_mb=1000,
    params:
        cfg=lambda wildcards: jobs.weights.row(CONFIG, wildcards.run),
        code=planned_code("compare_pairs.py"),
    message:
        "Comparing {wildcards.run} with the runs before it"
    script:
        "../scripts/compare_pairs.py"


rule tabulate_geometry:
    input:
        row_files("geometry", CONFIG.pairs),
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
        replicates=reported("replicates"),
        components=results("tables/components.csv"),
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
