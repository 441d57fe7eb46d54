"""What a person reads: the tables that gather every stage, and the summary."""

from dataclasses import asdict


rule write_config:
    output:
        results("config.yaml"),
    log:
        log_of("write_config"),
    benchmark:
        benchmark_of("write_config")
    conda:
        CPU
    params:
        cfg=plain(CONFIG),
        code=code_digests("write_config.py"),
    message:
        "Recording the resolved configuration"
    script:
        "../scripts/write_config.py"


rule tabulate_runs:
    input:
        training=[results(f"adapters/{run}/training.csv") for run in TRAINED],
        provenance=[results(f"adapters/{run}/run.json") for run in TRAINED],
    output:
        reported("runs"),
    log:
        log_of("tabulate_runs"),
    benchmark:
        benchmark_of("tabulate_runs")
    conda:
        CPU
    params:
        cfg=[
            {"run": run.id, "method": run.label, "learning_rate": run.learning_rate, "seed": run.seed}
            for run in CONFIG.runs.values()
        ],
        code=code_digests("tabulate_runs.py"),
    message:
        "Tabulating the runs"
    script:
        "../scripts/tabulate_runs.py"


# Every table that this configuration asks for, by its name; each is made by the rule of its stage.
TABLES = {"runs": results("tables/runs.csv")}
if TRAINED:
    TABLES["rollouts"] = results("tables/rollouts.csv")
if CONFIG.pairs:
    TABLES["geometry"] = results("tables/geometry.csv")
    TABLES["layers"] = results("tables/layers.csv")
if CONFIG.connectivity_pairs:
    TABLES["connectivity"] = results("tables/connectivity.csv")
    TABLES["barriers"] = results("tables/barriers.csv")
    TABLES["shrinkage"] = results("tables/shrinkage.csv")
if CONFIG.representation_pairs:
    TABLES["cka"] = results("tables/cka.csv")
if swept_runs():
    for name in ("seeds", "decomposition", "rates"):
        TABLES[name] = results(f"tables/{name}.csv")
if CONFIG.geometry.relation_to_base:
    TABLES["base_relations"] = results("tables/base_relations.csv")
if EVALUATED:
    TABLES["accuracy"] = results("tables/accuracy.csv")
    for name in ("differences", "mcnemar", "pass_at_k", "across_seeds"):
        TABLES[name] = results(f"tables/{name}.csv")
if CONTAMINATION:
    TABLES["contamination"] = CONTAMINATION


rule tabulate_sensitivity:
    input:
        **{name: path for name, path in TABLES.items() if name in ("geometry", "barriers", "accuracy")},
    output:
        results("tables/sensitivity.csv"),
    log:
        log_of("tabulate_sensitivity"),
    benchmark:
        benchmark_of("tabulate_sensitivity")
    conda:
        CPU
    params:
        cfg={},
        code=code_digests("tabulate_sensitivity.py"),
    message:
        "Setting seeds and learning rates beside the losses"
    script:
        "../scripts/tabulate_sensitivity.py"


if swept_runs() and CONFIG.pairs:
    TABLES["sensitivity"] = results("tables/sensitivity.csv")


# Its content counts, not its date, which a fresh clone renews.
# Relative, so that a moved clone plans the same jobs; and found from any folder that Snakemake is called in.
PAPER = relpath(f"{workflow.basedir}/resources/paper_reference.yaml")
CLAIM_TABLES = ("geometry", "layers", "barriers", "cka", "differences")


rule tabulate_claims:
    input:
        **{name: path for name, path in TABLES.items() if name in CLAIM_TABLES},
        reference=ancient(PAPER),
    output:
        reported("claims"),
    log:
        log_of("tabulate_claims"),
    benchmark:
        benchmark_of("tabulate_claims")
    conda:
        CPU
    params:
        cfg={
            "student": CONFIG.student_name,
            "paper": digest_of_file(PAPER),
            "runs": [asdict(run) for run in CONFIG.runs.values()],
        },
        code=code_digests("tabulate_claims.py"),
    message:
        "Putting the paper's claims to this experiment"
    script:
        "../scripts/tabulate_claims.py"


if TRAINED:
    TABLES["claims"] = results("tables/claims.csv")


rule write_summary:
    input:
        **TABLES,
        reference=ancient(PAPER),
    output:
        results("summary.md"),
    log:
        log_of("write_summary"),
    benchmark:
        benchmark_of("write_summary")
    conda:
        CPU
    params:
        cfg={"student": CONFIG.student_name, "paper": digest_of_file(PAPER), "config": plain(CONFIG)},
        code=code_digests("write_summary.py"),
    message:
        "Writing the summary"
    script:
        "../scripts/write_summary.py"
