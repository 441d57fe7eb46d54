"""Linear mode connectivity: the ends once per run, the path once per pair."""

PROBLEMS = results(f"prompts/{CONFIG.benchmark_of(CONFIG.connectivity)}.jsonl")

# What each loss is measured on.
LOSS_FILES = {
    loss: {"reference_solution": results("rollouts/heldout.jsonl"), "boxed_answer": PROBLEMS}[loss]
    for loss in CONFIG.connectivity.losses
}
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


rule interpolate_pair:
    input:
        **LOSS_FILES,
        **model("student", student_folder()),
        adapter_a=lambda wildcards: adapter_inputs(wildcards.a),
        adapter_b=lambda wildcards: adapter_inputs(wildcards.b),
        a=results("connectivity/{a}.csv"),
        b=results("connectivity/{b}.csv"),
    output:
        curve=results("pairs/{a}--{b}/connectivity.csv"),
        losses=results("pairs/{a}--{b}/path_losses.csv"),
    log:
        log_of("interpolate_pair/{a}--{b}"),
    benchmark:
        benchmark_of("interpolate_pair/{a}--{b}")
    conda:
        CPU if CONFIG.connectivity.precision == "float32" else GPU
    threads: CONFIG.connectivity.threads
    resources:
        gpu=int(CONFIG.connectivity.precision != "float32"),
    params:
        cfg=jobs.function_space.path(CONFIG),
        code=planned_code("interpolate_pair.py"),
    message:
        "Interpolating between {wildcards.a} and {wildcards.b}"
    script:
        "../scripts/interpolate_pair.py"


rule measure_path_accuracy:
    input:
        **model("student", student_folder()),
        adapter_a=lambda wildcards: adapter_inputs(wildcards.a),
        adapter_b=lambda wildcards: adapter_inputs(wildcards.b),
        problems=PROBLEMS,
    output:
        results("pairs/{a}--{b}/path_accuracy.csv"),
    log:
        log_of("measure_path_accuracy/{a}--{b}"),
    benchmark:
        benchmark_of("measure_path_accuracy/{a}--{b}")
    conda:
        CPU if CONFIG.connectivity.precision == "float32" else GPU
    threads: CONFIG.connectivity.threads
    resources:
        gpu=int(CONFIG.connectivity.precision != "float32"),
    params:
        cfg=lambda wildcards: jobs.function_space.path_accuracy(CONFIG),
        code=lambda wildcards: planned_code(
            "measure_path_accuracy.py", jobs.grading.module(CONFIG, CONFIG.benchmark_of(CONFIG.connectivity))
        ),
    message:
        "Answering problems between {wildcards.a} and {wildcards.b}"
    script:
        "../scripts/measure_path_accuracy.py"


rule tabulate_connectivity:
    input:
        curves=pair_files("connectivity.csv", CONFIG.connectivity_pairs),
        losses=pair_files("path_losses.csv", CONFIG.connectivity_pairs),
        accuracies=pair_files(
            "path_accuracy.csv", CONFIG.connectivity_pairs if CONFIG.connectivity.accuracy_points else []
        ),
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
