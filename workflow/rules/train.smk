"""One adapter per run, all from one initialisation per seed."""

from lossgeometry.experiment.runs import snapshot_id


rule initialise_adapter:
    input:
        **model("student", student_folder()),
    output:
        results("initialisations/s{seed}/adapter_model.safetensors"),
        results("initialisations/s{seed}/adapter_config.json"),
    log:
        log_of("initialise_adapter/s{seed}"),
    benchmark:
        benchmark_of("initialise_adapter/s{seed}")
    conda:
        CPU
    params:
        cfg=CONFIG.lora.told(),
        code=planned_code("initialise_adapter.py"),
    message:
        "Drawing the LoRA initialisation of seed {wildcards.seed}"
    script:
        "../scripts/initialise_adapter.py"


rule train_adapter:
    input:
        unpack(rollout_files),
        **model("student", student_folder()),
        prompts=results("prompts/train.jsonl"),
        initialisation=lambda wildcards: initialisation(wildcards.run, "adapter_model.safetensors"),
        initialisation_config=lambda wildcards: initialisation(wildcards.run, "adapter_config.json"),
    output:
        adapter=results("adapters/{run}/adapter_model.safetensors"),
        config=results("adapters/{run}/adapter_config.json"),
        training=results("adapters/{run}/training.csv"),
        provenance=results("adapters/{run}/run.json"),
        snapshots=[
            file
            for step in CONFIG.snapshot_steps
            for file in map(str, update_files(results(f"adapters/{snapshot_id('{run}', step)}")))
        ],
    log:
        log_of("train_adapter/{run}"),
    benchmark:
        benchmark_of("train_adapter/{run}")
    wildcard_constraints:
        run=one_of(map(re.escape, TRAINED)),
    priority: FIRST
    conda:
        CPU if CONFIG.training.precision == "float32" else GPU
    threads: CONFIG.training.threads
    resources:
        gpu=lambda wildcards: (
            jobs.training.processes(CONFIG, wildcards.run) if CONFIG.training.precision != "float32" else 0
        ),
    params:
        cfg=lambda wildcards: jobs.training.adapter(CONFIG, wildcards.run),
        # As a function that takes `input`, a parameter is not compared: these keys change the speed alone.
        speed=lambda wildcards, input: jobs.training.speed(CONFIG, wildcards.run),
        code=lambda wildcards: planned_code("train_adapter.py", *jobs.training.modules(CONFIG, wildcards.run)),
    message:
        "Training {wildcards.run}"
    script:
        "../scripts/train_adapter.py"
