"""The pairwise geometry of the updates, and the tables that gather it."""


def pair_cfg(wildcards):
    """Return what one pair's geometry depends on beside the two updates."""
    a, b = CONFIG.runs[wildcards.a], CONFIG.runs[wildcards.b]
    if a.external and b.external:
        shared = CONFIG.geometry.adapters_share_init
    else:
        shared = not a.external and not b.external and a.init_seed == b.init_seed
    reference = CONFIG.geometry.reference
    return {"k": CONFIG.geometry.k, "shared_init": shared, "reference": int(b.label == reference != a.label)}


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
        cfg=pair_cfg,
        code=code_digests("compare_pair.py"),
    message:
        "Comparing {wildcards.a} and {wildcards.b}"
    script:
        "../scripts/compare_pair.py"
