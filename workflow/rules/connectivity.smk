"""Linear mode connectivity: the ends once per run, the path once per pair."""

PROBLEMS = results("prompts/probe.jsonl")

# What each loss is measured on.
LOSS_FILES = {
    loss: {"reference_solution": results("rollouts/heldout.jsonl"), "boxed_answer": PROBLEMS}[loss]
    for loss in CONFIG.connectivity.losses
}
CONNECTED_ROWS = jobs.pairs.rows(CONFIG.connectivity_pairs)
CONNECTED = list(dict.fromkeys(run for pair in CONFIG.connectivity_pairs for run in pair))


rule measure_endpoints:
    input:
        **LOSS_FILES,
        **model("student", student_folder()),
        adapter=lambda wildcards: adapter_inputs(wildcards.run),
    output:
        results("connectivity/{run}.csv"),
    log:
        log_of("measure_endpoints/{run}"),
    benchmark:
        benchmark_of("measure_endpoints/{run}")
    priority: BEFORE_ANSWERS
    conda:
        CPU if CONFIG.connectivity.precision == "float32" else GPU
    threads: CONFIG.connectivity.threads
    resources:
        gpu=int(CONFIG.connectivity.precision != "float32"),
    params:
        cfg=lambda wildcards: jobs.function_space.endpoint(CONFIG, wildcards.run),
        code=planned_code("measure_endpoints.py"),
    message:
        "Measuring the losses of {wildcards.run}, and on its way to the base"
    script:
        "../scripts/measure_endpoints.py"


rule interpolate_pairs:
    input:
        unpack(lambda wildcards: row_adapters(CONNECTED_ROWS, wildcards.run)),
        **LOSS_FILES,
        **model("student", student_folder()),
        endpoints=lambda wildcards: [
            results(f"connectivity/{run}.csv") for run in [*CONNECTED_ROWS[wildcards.run], wildcards.run]
        ],
    output:
        results("rows/{run}/connectivity.zip"),
    log:
        log_of("interpolate_pairs/{run}"),
    benchmark:
        benchmark_of("interpolate_pairs/{run}")
    priority: BEFORE_ANSWERS
    conda:
        CPU if CONFIG.connectivity.precision == "float32" else GPU
    threads: CONFIG.connectivity.threads
    resources:
        gpu=int(CONFIG.connectivity.precision != "float32"),
    params:
        cfg=jobs.function_space.path(CONFIG),
        others=lambda wildcards: CONNECTED_ROWS[wildcards.run],
        code=planned_code("interpolate_pairs.py"),
    message:
        "Interpolating between {wildcards.run} and the runs before it"
    script:
        "../scripts/interpolate_pairs.py"


rule measure_path_accuracy:
    input:
        unpack(lambda wildcards: row_adapters(CONNECTED_ROWS, wildcards.run)),
        **model("student", student_folder()),
        problems=PROBLEMS,
    output:
        results("rows/{run}/path_accuracy.zip"),
    log:
        log_of("measure_path_accuracy/{run}"),
    benchmark:
        benchmark_of("measure_path_accuracy/{run}")
    conda:
        CPU if CONFIG.connectivity.precision == "float32" else GPU
    threads: CONFIG.connectivity.threads
    resources:
        gpu=int(CONFIG.connectivity.precision != "float32"),
    params:
        cfg=lambda wildcards: jobs.function_space.path_accuracy(CONFIG),
        others=lambda wildcards: CONNECTED_ROWS[wildcards.run],
        code=lambda wildcards: planned_code("measure_path_accuracy.py", jobs.grading.module(CONFIG, "probe")),
    message:
        "Answering problems between {wildcards.run} and the runs before it"
    script:
        "../scripts/measure_path_accuracy.py"


rule tabulate_connectivity:
    input:
        paths=row_files("connectivity", CONFIG.connectivity_pairs),
        accuracies=row_files("path_accuracy", CONFIG.connectivity_pairs if CONFIG.connectivity.accuracy_points else []),
        endpoints=[results(f"connectivity/{run}.csv") for run in [BASE, *CONNECTED]],
    output:
        curves=results("tables/connectivity.csv"),
        barriers=reported("barriers"),
        shrinkage=results("tables/shrinkage.csv"),
    log:
        log_of("tabulate_connectivity"),
    benchmark:
        benchmark_of("tabulate_connectivity")
    conda:
        CPU
    params:
        cfg={
            "pairs": [list(pair) for pair in CONFIG.connectivity_pairs],
            "runs": [BASE, *CONNECTED],
            "smallest_barrier": CONFIG.connectivity.smallest_barrier,
        },
        code=planned_code("tabulate_connectivity.py"),
    message:
        "Tabulating the paths, their barriers and the updates shrunk alone"
    script:
        "../scripts/tabulate_connectivity.py"
