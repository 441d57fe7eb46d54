"""Everything that the page and the figures show, gathered from the tables of one experiment into plain JSON types."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lossgeometry.charts.palette import BASE
from lossgeometry.connectivity.stage import LOSSES
from lossgeometry.explorer import geometry_rows
from lossgeometry.explorer.answers import ANSWERS, QUESTIONS, compared_answers
from lossgeometry.explorer.columns import DIGITS, MANY_DIGITS, columns_of, records, rounded
from lossgeometry.explorer.grouping import by_likeness
from lossgeometry.explorer.labels import Pair, Run, name_pairs, name_runs, shown_first
from lossgeometry.explorer.metrics import METRICS, RUN_METRICS
from lossgeometry.explorer.samples import COLUMNS as SAMPLE_COLUMNS
from lossgeometry.explorer.samples import read_problems, sample_rollouts
from lossgeometry.explorer.training_curves import training_rows
from lossgeometry.explorer.view import initial_state
from lossgeometry.files.atomic import atomic_file
from lossgeometry.files.csv_rows import read_frame
from lossgeometry.files.rows import pair_id
from lossgeometry.findings.tabulation import read_findings
from lossgeometry.provenance import digest_of_file
from lossgeometry.settings.tasks import Page

FINE = ("cka", "connectivity")
"""Tables whose values differ only in late digits."""
RUN_FACTS = (
    "learning_rate",
    "seed",
    "steps",
    "tokens",
    "epochs",
    "loss_first",
    "loss_last",
    "rows_left_out",
    "left_out_because",
)
DENSE = ("geometry", "layers", "modules")
"""Tables that become dense blocks; of `runs`, the page takes the facts named above."""


def gather(
    page: Page,
    tables: Mapping[str, Path],
    training: Sequence[Path] = (),
    rollouts: Path | None = None,
    answers: Sequence[Path] = (),
    prompts: Sequence[Path] = (),
    config: Path | None = None,
    provenance: Sequence[Path] = (),
    findings: Path | None = None,
) -> dict[str, Any]:
    """Return the bundle; what did not run is absent from it, and the page and the figures leave it out.

    Parameters
    ----------
    tables
        The files of the page's tables; `runs` is required.
    training
        training.csv of the runs trained here.
    rollouts, answers, prompts
        For the sample browser: the rollouts, graded answers (`evaluation/<run>/<benchmark>.jsonl`), prompt files.
    config
        The resolved configuration, shown as it is.
    provenance
        run.json of the runs trained here; the first one's package versions are shown.
    findings
        tables/findings.json.
    """
    titles = {label: method.title for label, method in page.methods.items()}
    run_table = records(read_frame(tables["runs"], dtype={"seed": str, "run": str, "method": str}))
    runs = {run.id: run for run in name_runs(run_table, titles, page.reference)}
    bundle: dict[str, Any] = {
        "experiment": page.experiment,
        "reference": page.reference,
        "facts": dict(page.facts),
        "methods": {label: method.told() for label, method in page.methods.items()},
        "runs": [_run_entry(run, row) for run, row in zip(runs.values(), run_table, strict=True)],
        "arranged": list(runs),
        "metrics": {
            key: {**metric._asdict(), "angle": metric.angle, "format": metric.format, "words": metric.words}
            for key, metric in METRICS.items()
        },
        "run_metrics": RUN_METRICS,
        "charts": list(page.charts),
        "losses": LOSSES,
        "base_colour": list(BASE),
        "tables": {},
    }
    found = bundle["tables"]
    pair_ids: list[tuple[str, str]] = []
    if "geometry" in tables:
        frame = geometry_rows.read_geometry(tables[name] for name in DENSE if name in tables)
        ks = geometry_rows.directions_compared(frame)
        pair_ids += list(dict.fromkeys(zip(frame.run_a, frame.run_b, strict=True)))
        bundle["k"] = ks
        bundle["layers"] = int(frame.layer.max()) + 1
        bundle["projections"] = sorted(set(frame.projection) - {""}, key=lambda name: ("qkvo".find(name) % 9, name))
        bundle["geometry"] = geometry_rows.dense_blocks(frame, pair_ids, ks)
        measured = geometry_rows.run_rows(frame)
        found["run_metrics"] = (measured, ("run", "metric", "layer", "value"))
        bundle["arranged"] = by_likeness(frame, list(runs))
        norms = {row["run"]: row["value"] for row in measured if (row["metric"], row["layer"]) == ("norm", -1)}
        for entry in bundle["runs"]:
            entry["norm"] = rounded(norms.get(entry["id"]))
    for name, columns in page.tables.items():
        if name in (*DENSE, "runs"):
            continue
        # Of the tables of claims, an empty field is text.
        rows = records(read_frame(tables[name], **({"na_values": []} if name == "claims" else {})))
        if columns and "pair" in columns:
            rows = [_with_pair(row) for row in rows]
            # Differences to the base have no pair of updates.
            found_here = dict.fromkeys((row["run_a"], row["run_b"]) for row in rows)
            pair_ids += [(a, b) for a, b in found_here if a in runs and b in runs]
        if columns and "layer" in columns and rows:
            bundle["layers"] = max(bundle.get("layers", 0), max(row["layer"] for row in rows) + 1)
        found[name] = (rows, columns or tuple(rows[0] if rows else ()))
    if training:
        found["training"] = (list(training_rows(training)), ("run", "quantity", "step", "value"))
    problems = {path.stem: read_problems(path) for path in prompts}
    if rollouts is not None:
        found["samples"] = (sample_rollouts(rollouts, problems.get("train", {})), SAMPLE_COLUMNS)
    shown = [run.id for run in runs.values() if run.arm == "default"]
    asked, answered = compared_answers(answers, shown, problems)
    found |= {"questions": (asked, QUESTIONS), "answers": (answered, ANSWERS)}
    pairs = name_pairs(list(dict.fromkeys(pair_ids)), runs, page.reference)
    bundle["pairs"] = [_pair_entry(pair) for pair in pairs]
    bundle["visible"], bundle["chosen"] = ([pair.id for pair in shown] for shown in shown_first(pairs, runs))
    bundle["tables"] = {
        name: columns_of(rows, names, MANY_DIGITS if name in FINE else DIGITS + 1)
        for name, (rows, names) in found.items()
        if rows
    }
    bundle["initial"] = initial_state(bundle)
    bundle["digests"] = {
        path.name: digest_of_file(path) for path in sorted(tables.values(), key=lambda path: path.name)
    }
    bundle["findings"] = read_findings(findings) if findings else []
    if config is not None:
        bundle["config"] = config.read_text(encoding="utf-8")
    if provenance:
        bundle["versions"] = json.loads(provenance[0].read_text(encoding="utf-8"))["versions"]
    return bundle


def write_bundle(bundle: Mapping[str, Any], output: Path) -> None:
    """Write the bundle as JSON."""
    with atomic_file(output) as partial:
        partial.write_text(json.dumps(bundle, separators=(",", ":"), allow_nan=False) + "\n", encoding="utf-8")


def _run_entry(run: Run, row: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: rounded(row[name]) for name in RUN_FACTS if name in row}
    drawn = {"dash": list(run.dash), "colour": list(run.colour)}
    return {"id": run.id, "label": run.label, "title": run.title, "name": run.name, "arm": run.arm, **drawn, **facts}


def _pair_entry(pair: Pair) -> dict[str, Any]:
    told = {name: value for name, value in pair._asdict().items() if name not in ("line", "dot")}
    # Both colours, of which a chart takes the theme's.
    return {**told, "lines": list(pair.line), "dots": list(pair.dot), "dash": list(pair.dash)}


def _with_pair(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "pair": pair_id(row["run_a"], row["run_b"])}
