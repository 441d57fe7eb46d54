from snakemake.utils import min_version

min_version("9.27.1")


# A configuration file given on the command line stands alone; Snakemake would otherwise merge it into the default one.
# A job is handed the configuration that was planned.
if "experiment" not in config and workflow.is_main_process:

    configfile: workflow.source_path("config/config.yaml")


# For --software-deployment-method apptainer alone: the image that Dockerfile makes, in the folder that Snakemake is called in.
container: "lossgeometry.sif"


include: "workflow/rules/library.smk"
include: "workflow/rules/common.smk"
include: "workflow/rules/models.smk"
include: "workflow/rules/rollouts.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/deltas.smk"
include: "workflow/rules/pairs.smk"
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
        pair_files("geometry.parquet"),


rule evaluations:
    input:
        evaluation_files(),
