"""What a person reads: the tables that gather every stage, and the summary."""

from lossgeometry.provenance import digest_of_file
from lossgeometry.resources import PAPER
from lossgeometry.stages import STAGES

DROPPED = [results(f"tables/{table.file}") for stage in STAGES for table in stage.tables if not table.asked(CONFIG)]


rule write_config:
    output:
        results("config.yaml"),
    log:
        log_of("write_config"),
    benchmark:
        benchmark_of("write_config")
    localrule: True
    conda:
        CPU
    params:
        cfg=CONFIG.told(),
        # As a function that takes `input`, a parameter is not compared. Tables of runs that are no longer part of the experiment.
        dropped=lambda wildcards, input: DROPPED,
        code=planned_code("write_config.py"),
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
    localrule: True
    conda:
        CPU
    params:
        cfg=jobs.report.runs_table(CONFIG),
        code=planned_code("tabulate_runs.py"),
    message:
        "Tabulating the runs"
    script:
        "../scripts/tabulate_runs.py"


# Every table that this configuration asks for, by its name; each is made by a rule of its stage.
TABLES = {
    table.name: results(f"tables/{table.file}") for stage in STAGES for table in stage.tables if table.asked(CONFIG)
}
# Of these, the ones that the page and the summary show, with the columns that the page takes; none for all of them.
EXPLORED = {table.name: table.on_page for stage in STAGES for table in stage.tables if table.on_page != ()}
EXPLORED = {name: EXPLORED[name] for name in EXPLORED if name in TABLES}


rule tabulate_sensitivity:
    input:
        **{name: path for name, path in TABLES.items() if name in ("geometry", "barriers", "accuracy")},
    output:
        results("tables/sensitivity.csv"),
    log:
        log_of("tabulate_sensitivity"),
    benchmark:
        benchmark_of("tabulate_sensitivity")
    localrule: True
    conda:
        CPU
    params:
        cfg={"controls": sorted({run.label for run in CONFIG.trained if run.control})},
        code=planned_code("tabulate_sensitivity.py"),
    message:
        "Setting seeds and learning rates beside the losses"
    script:
        "../scripts/tabulate_sensitivity.py"


STATEMENTS = [stage.statements for stage in STAGES if stage.statements]


rule tabulate_findings:
    input:
        # The page shows what is said of the base, and not these tables.
        **{name: path for name, path in TABLES.items() if name in (*EXPLORED, "base_relations", "changed_entries")},
    output:
        table=reported("findings"),
        sentences=results("tables/findings.json"),
    log:
        log_of("tabulate_findings"),
    benchmark:
        benchmark_of("tabulate_findings")
    localrule: True
    conda:
        CPU
    params:
        cfg=jobs.report.findings(CONFIG, STATEMENTS),
        code=planned_code("tabulate_findings.py", *map(module_path, STATEMENTS)),
    message:
        "Putting what was found into words"
    script:
        "../scripts/tabulate_findings.py"


CLAIM_TABLES = (
    "geometry",
    "layers",
    "barriers",
    "cka",
    "behaviour",
    "differences",
    "predictions",
    "matched",
    "replicates",
)


rule tabulate_claims:
    input:
        **{name: path for name, path in TABLES.items() if name in CLAIM_TABLES},
    output:
        reported("claims"),
    log:
        log_of("tabulate_claims"),
    benchmark:
        benchmark_of("tabulate_claims")
    localrule: True
    conda:
        CPU
    params:
        # What the paper reports counts by content, not by date, which a fresh clone renews.
        cfg=jobs.report.claims(CONFIG, digest_of_file(PAPER)),
        code=planned_code("tabulate_claims.py"),
    message:
        "Putting the paper's claims to this experiment"
    script:
        "../scripts/tabulate_claims.py"


SECTIONS = [stage.section for stage in STAGES if stage.section]


rule write_summary:
    input:
        **{name: path for name, path in TABLES.items() if name in EXPLORED and path.endswith(".csv")},
        findings=results("tables/findings.json"),
    output:
        results("summary.md"),
    log:
        log_of("write_summary"),
    benchmark:
        benchmark_of("write_summary")
    localrule: True
    conda:
        CPU
    params:
        cfg=jobs.report.summary(CONFIG, digest_of_file(PAPER), SECTIONS),
        # From a storage a job has the files that it asks for: other jobs' times would be some of them, or none. As a function
        # that takes `input`, this is not compared.
        times=lambda wildcards, input: workflow.storage_settings.default_storage_provider is None,
        code=planned_code("write_summary.py", *map(module_path, SECTIONS)),
    message:
        "Writing the summary"
    script:
        "../scripts/write_summary.py"
