"""The update of every run as a compact singular value decomposition, and its relation to the weights that it changes."""


# `external.<name>` is also a possible run id in the eyes of the rule that trains.
ruleorder: fetch_adapter > train_adapter


rule fetch_adapter:
    output:
        weights=results("adapters/external.{name}/adapter_model.safetensors"),
        config=results("adapters/external.{name}/adapter_config.json"),
    log:
        log_of("fetch_adapter/{name}"),
    benchmark:
        benchmark_of("fetch_adapter/{name}")
    localrule: True
    conda:
        CPU
    params:
        cfg=lambda wildcards: {"source": CONFIG.adapters[wildcards.name]},
        code=code_digests("fetch_adapter.py"),
    message:
        "Fetching the adapter {wildcards.name}"
    script:
        "../scripts/fetch_adapter.py"


def adapter_weights(wildcards):
    """Return the two files of a run's adapter by name."""
    weights, config = adapter_inputs(wildcards.run)
    return {"weights": weights, "config": config}


rule reduce_adapter:
    input:
        unpack(adapter_weights),
    output:
        results("deltas/{run}.safetensors"),
    log:
        log_of("reduce_adapter/{run}"),
    benchmark:
        benchmark_of("reduce_adapter/{run}")
    conda:
        CPU
    threads: 1
    resources:
        mem_mb=1000,
    params:
        cfg={},
        code=code_digests("reduce_adapter.py"),
    message:
        "Decomposing the update of {wildcards.run}"
    script:
        "../scripts/reduce_adapter.py"
