"""The explorer page and the publication figures, both from one bundle of all tables."""

from lossgeometry.explorer.assets import ASSET_FOLDER, ASSETS
from lossgeometry.provenance import digest_of_files
from lossgeometry.stage import SUFFIXES

FIGURES = [figure for stage in STAGES for figure in stage.figures(CONFIG)]
CHARTS = [stage.charts for stage in STAGES if stage.charts]


rule write_bundle:
    input:
        **{name: TABLES[name] for name in EXPLORED},
        findings=results("tables/findings.json"),
        config=results("config.yaml"),
        training=[results(f"adapters/{run}/training.csv") for run in TRAINED],
        provenance=[results(f"adapters/{run}/run.json") for run in TRAINED],
        rollout_rows=[results("rollouts/rollouts.parquet")] if TRAINED else [],
        answers=evaluation_files(),
        prompts=[
            results(f"prompts/{name}.jsonl")
            for name in (["train"] if TRAINED else []) + list(CONFIG.evaluation.benchmarks)
        ],
    output:
        results("explorer.json"),
    log:
        log_of("write_bundle"),
    benchmark:
        benchmark_of("write_bundle")
    localrule: True
    conda:
        CPU
    params:
        cfg=jobs.report.page(CONFIG, EXPLORED, CHARTS),
        code=planned_code("write_bundle.py"),
    message:
        "Gathering all tables for the page and the figures"
    script:
        "../scripts/write_bundle.py"


rule write_explorer:
    input:
        results("explorer.json"),
    output:
        report(
            results("explorer.html"),
            caption="../../resources/captions/explorer.rst",
            category="Explorer",
            labels={"page": "explorer"},
        ),
    log:
        log_of("write_explorer"),
    benchmark:
        benchmark_of("write_explorer")
    localrule: True
    conda:
        CPU
    params:
        code=planned_code("write_explorer.py", *map(module_path, CHARTS)),
        # What the page is made of counts by content, not by date, which a fresh clone renews.
        assets=digest_of_files(ASSET_FOLDER / name for name in ASSETS),
    message:
        "Writing the explorer page"
    script:
        "../scripts/write_explorer.py"


if FIGURES:

    rule draw_figures:
        input:
            results("explorer.json"),
        output:
            [
                report(
                    results(f"figures/{figure.name}.svg"),
                    caption=f"../../resources/captions/{figure.kind}.rst",
                    category=figure.category,
                    labels={"figure": figure.kind.replace("_", " "), "of": figure.subject.replace("_", " ")},
                )
                for figure in FIGURES
            ],
            [results(f"figures/{figure.name}.{suffix}") for figure in FIGURES for suffix in SUFFIXES[1:]],
        log:
            log_of("draw_figures"),
        benchmark:
            benchmark_of("draw_figures")
        localrule: True
        conda:
            CPU
        params:
            cfg=[figure._asdict() for figure in FIGURES],
            code=planned_code("draw_figures.py", *map(module_path, CHARTS)),
        message:
            "Drawing the figures"
        script:
            "../scripts/draw_figures.py"


onsuccess:
    # What a person reads next; a run of one target may have made neither.
    for path in filter(os.path.isfile, (results("summary.md"), results("explorer.html"))):
        print(path, file=sys.stderr)
