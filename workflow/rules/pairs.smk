"""The pairwise geometry of the updates, and the tables that gather it."""


def pair_cfg(a, b):
    """Return what one pair's geometry depends on beside the two updates."""
    a, b = CONFIG.runs[a], CONFIG.runs[b]
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
        cfg=lambda wildcards: pair_cfg(wildcards.a, wildcards.b),
        code=code_digests("compare_pair.py"),
    message:
        "Comparing {wildcards.a} and {wildcards.b}"
    script:
        "../scripts/compare_pair.py"


def pair_entries():
    """Return what the tables of the pairs depend on beside their files."""
    entries = []
    for a, b in CONFIG.pairs:
        cfg = pair_cfg(a, b)
        entries.append({"a": a, "b": b, "shared_init": cfg["shared_init"], "reference": cfg["reference"]})
    return entries


def run_identities():
    """Return what tells the runs apart in the tables; a user's adapter has no learning rate or seed that we know."""
    return {
        run.id: {
            "method": run.label,
            "learning_rate": None if run.external else run.learning_rate,
            "seed": "" if run.external else run.seed,
        }
        for run in CONFIG.runs.values()
    }


rule tabulate_geometry:
    input:
        geometry=pair_files("geometry.parquet"),
        grassmann=pair_files("grassmann.parquet"),
    output:
        geometry=results("tables/geometry.csv"),
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
        cfg={"pairs": pair_entries(), "runs": run_identities()},
        code=code_digests("tabulate_geometry.py"),
    message:
        "Tabulating the geometry of all pairs"
    script:
        "../scripts/tabulate_geometry.py"


def swept_runs():
    """Return the trained runs of methods that have several seeds or learning rates."""
    trained = [run for run in CONFIG.runs.values() if not run.external]
    return [run for run in trained if sum(other.label == run.label for other in trained) > 1]


rule compare_sweeps:
    input:
        [results(f"deltas/{run.id}.safetensors") for run in swept_runs()],
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
        cfg={
            "runs": [
                {
                    "run": run.id,
                    "method": run.label,
                    "learning_rate": run.learning_rate,
                    "init_seed": run.init_seed,
                    "seed": run.seed,
                    "default": run.default,
                }
                for run in swept_runs()
            ]
        },
        code=code_digests("compare_sweeps.py"),
    message:
        "Comparing seeds and learning rates with losses"
    script:
        "../scripts/compare_sweeps.py"
