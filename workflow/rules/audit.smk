"""What every offline loss will do to the weights, from gradients before training; beside it, later, what it did."""

from lossgeometry.audit.losses import audited, composed

AUDITED = [run.id for run in audited(CONFIG)]


rule audit_losses:
    input:
        **model("student", student_folder()),
        adapter=lambda wildcards: (
            adapter_inputs(wildcards.point)
            if wildcards.point in CONFIG.runs
            else [initialisation(AUDITED[0], name) for name in ("adapter_model.safetensors", "adapter_config.json")]
        ),
        prompts=results("prompts/train.jsonl"),
        rollouts=results("rollouts/rollouts.parquet"),
        tokens=results("rollouts/tokens.parquet"),
    output:
        results("audit/{point}.safetensors"),
    log:
        log_of("audit_losses/{point}"),
    benchmark:
        benchmark_of("audit_losses/{point}")
    wildcard_constraints:
        point=one_of(CONFIG.audit.points),
    priority: FIRST
    conda:
        CPU if CONFIG.audit.precision == "float32" else GPU
    threads: CONFIG.audit.threads
    resources:
        gpu=int(CONFIG.audit.precision != "float32"),
    params:
        cfg=lambda wildcards: jobs.audit.gradients(CONFIG),
        code=planned_code("audit_losses.py", *jobs.audit.modules(CONFIG)),
    message:
        "Measuring the gradients of all losses at {wildcards.point}"
    script:
        "../scripts/audit_losses.py"


rule tabulate_audit:
    input:
        [results(f"audit/{point}.safetensors") for point in CONFIG.audit.points],
    output:
        reported("audit"),
        results("tables/noise.csv"),
        results("tables/regime.csv"),
    log:
        log_of("tabulate_audit"),
    benchmark:
        benchmark_of("tabulate_audit")
    conda:
        CPU
    threads: 1
    params:
        cfg=jobs.audit.tables(CONFIG),
        code=planned_code("tabulate_audit.py"),
    message:
        "Tabulating what the gradients predict"
    script:
        "../scripts/tabulate_audit.py"


rule tabulate_predictions:
    input:
        audit=results("tables/audit.csv"),
        noise=results("tables/noise.csv"),
        regime=results("tables/regime.csv"),
        geometry=results("tables/geometry.csv"),
    output:
        **({"composition": results("tables/composition.csv")} if composed(CONFIG) else {}),
        predictions=reported("predictions"),
        agreement=results("tables/agreement.csv"),
    log:
        log_of("tabulate_predictions"),
    benchmark:
        benchmark_of("tabulate_predictions")
    conda:
        CPU
    threads: 1
    params:
        cfg=lambda wildcards: jobs.audit.predictions(CONFIG),
        code=planned_code("tabulate_predictions.py"),
    message:
        "Setting predicted beside trained cosines"
    script:
        "../scripts/tabulate_predictions.py"
