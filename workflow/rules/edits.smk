"""What the edits kept of their parents, and what they do."""

EDITS = jobs.weights.edits(CONFIG)["edits"]
PARENTS = list(dict.fromkeys(entry["parent"] for entry in EDITS.values()))


rule tabulate_edits:
    input:
        deltas=[results(f"deltas/{run}.safetensors") for run in dict.fromkeys([*EDITS, *PARENTS])],
        records=[results(f"adapters/{run}/edit.json") for run in EDITS],
        behaviour=results("tables/behaviour.csv") if CONFIG.behaving else [],
        answers=evaluation_files(
            [BASE, *dict.fromkeys([*EDITS, *PARENTS, *(one["control"] for one in EDITS.values() if one["control"])])]
        ),
    output:
        kept=reported("edits"),
        effects=reported("edit_effects") if CONFIG.evaluation.benchmarks else [],
        crossed=(
            reported("direction_by_norm")
            if CONFIG.evaluation.benchmarks and any(one["norm_of"] for one in EDITS.values())
            else []
        ),
    log:
        log_of("tabulate_edits"),
    benchmark:
        benchmark_of("tabulate_edits")
    conda:
        CPU
    params:
        cfg=jobs.weights.edits(CONFIG),
        code=planned_code("tabulate_edits.py"),
    message:
        "Tabulating what the edits kept and what they do"
    script:
        "../scripts/tabulate_edits.py"
