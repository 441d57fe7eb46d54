"""One adapter per run, all from one initialisation per seed."""


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


def method_path(run):
    return f"lossgeometry/methods/{run.method}.py"


def training_cfg(wildcards):
    """Return what one run's training depends on: the shared settings, and its own method's, learning rate's and seeds'."""
    run = run_of(wildcards)
    method = CONFIG.methods[run.label]
    training = plain(CONFIG.training)
    for key in ("threads", *CONFIG.training.speed_keys):
        training.pop(key)
    training["steps"] = method.steps or training["steps"]
    return {
        "run": run.id,
        "method": run.method,
        "learning_rate": run.learning_rate,
        "init_seed": run.init_seed,
        "order_seed": run.order_seed,
        "options": plain(CONFIG.options_of(run)),
        "training": training,
        "prompt_suffix": CONFIG.prompt_suffix,
        "reward": {"deadline_seconds": CONFIG.grading.deadline_seconds},
    }


def training_processes(wildcards):
    """Return the processes that train a run together; an on-policy method takes one."""
    return CONFIG.training.processes if method_module(run_of(wildcards).method).OFFLINE else 1


# As a function that takes `input`, a parameter is not compared: these keys change the speed alone.
def training_speed(wildcards, input):
    training = plain(CONFIG.training)
    return {key: training[key] for key in CONFIG.training.speed_keys} | {"processes": training_processes(wildcards)}


def training_data(wildcards):
    """Return the prompts, and for offline methods the rollouts."""
    offline = method_module(run_of(wildcards).method).OFFLINE
    return {
        "prompts": results("prompts/train.jsonl"),
        "rollouts": results("rollouts/rollouts.parquet") if offline else [],
        "initialisation": results(f"initialisations/s{run_of(wildcards).init_seed}/adapter_model.safetensors"),
        "initialisation_config": results(f"initialisations/s{run_of(wildcards).init_seed}/adapter_config.json"),
    }


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
        code=lambda wildcards: code_digests("train_adapter.py", method_path(run_of(wildcards))),
    message:
        "Training {wildcards.run}"
    script:
        "../scripts/train_adapter.py"
