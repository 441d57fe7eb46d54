from snakemake.utils import min_version

min_version("9.27.1")


# For --software-deployment-method apptainer alone: the image that Dockerfile makes, in the folder that Snakemake is called in.
container: "lossgeometry.sif"


include: "workflow/rules/library.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/rollouts.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/audit.smk"
include: "workflow/rules/deltas.smk"
include: "workflow/rules/pairs.smk"
include: "workflow/rules/trajectories.smk"
include: "workflow/rules/connectivity.smk"
include: "workflow/rules/representations.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/behaviour.smk"
include: "workflow/rules/edits.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/explore.smk"


rule all:
    default_target: True
    input:
        results("config.yaml"),
        results("summary.md"),
        TABLES.values(),
        results("explorer.html"),
        figure_files(),


rule models:
    input:
        model_manifests(),


# What training starts from, all but the rollouts: `make rehearse` needs it.
rule prepared:
    input:
        model_manifests(),
        results("prompts/train.jsonl"),
        [initialisation(run, "adapter_model.safetensors") for run in TRAINED],


rule rollouts:
    input:
        results("rollouts/rollouts.parquet"),


rule adapters:
    input:
        adapter_files(),


rule deltas:
    input:
        expand(results("deltas/{run}.safetensors"), run=CONFIG.runs),


rule pairs:
    input:
        row_files("geometry", CONFIG.pairs),


rule evaluations:
    input:
        evaluation_files(),


# The tables of a stage, and what they are made of, by the name of its block of the configuration.
for stage in STAGES:
    if stage.block not in ("", "rollouts"):

        rule:
            name:
                stage.block
            input:
                [TABLES[table.name] for table in stage.tables if table.name in TABLES],


rule trajectories:
    input:
        [TABLES[name] for name in ("trajectories", "step_pairs", "matched") if name in TABLES],


rule tables:
    input:
        TABLES.values(),


rule figures:
    input:
        figure_files(),


rule summary:
    input:
        results("summary.md"),


rule explorer:
    input:
        results("explorer.html"),
