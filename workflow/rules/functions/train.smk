"""What the rules of training are given."""


def method_path(run):
    return f"lossgeometry/methods/{run.method}.py"


def training_code(wildcards):
    """Return the code of one run's training: an on-policy method grades what it samples."""
    run = run_of(wildcards)
    grader = [] if method_module(run.method).OFFLINE else [grader_path("train")]
    return code_digests("train_adapter.py", method_path(run), *grader)


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
        "reward": {"deadline_seconds": CONFIG.grading.deadline_seconds, **grader_of("train")},
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
