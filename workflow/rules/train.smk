"""One adapter per run, all from one initialisation per seed."""


include: "functions/train.smk"


rule initialise_adapter:
    input:
        student_folder(),
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
        cfg=plain(CONFIG.lora),
        code=code_digests("initialise_adapter.py"),
    message:
        "Drawing the LoRA initialisation of seed {wildcards.seed}"
    script:
        "../scripts/initialise_adapter.py"


rule train_adapter:
    input:
        unpack(training_data),
        student=student_folder(),
    output:
        adapter=results("adapters/{run}/adapter_model.safetensors"),
        config=results("adapters/{run}/adapter_config.json"),
        training=results("adapters/{run}/training.csv"),
        provenance=results("adapters/{run}/run.json"),
    log:
        log_of("train_adapter/{run}"),
    benchmark:
        benchmark_of("train_adapter/{run}")
    conda:
        CPU if CONFIG.training.precision == "float32" else GPU
    threads: CONFIG.training.threads
    resources:
        gpu=lambda wildcards: training_processes(wildcards) if CONFIG.training.precision != "float32" else 0,
    params:
        cfg=training_cfg,
        speed=training_speed,
        code=training_code,
    message:
        "Training {wildcards.run}"
    script:
        "../scripts/train_adapter.py"
