"""One line per run: what it saw, and how its training ended."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from lossgeometry.files.atomic import atomic_file


def tabulate_runs(runs: list[dict[str, Any]], training: list[Path], provenance: list[Path], output: Path) -> None:
    """Write runs.csv: identity, steps, tokens, epochs, last loss, rows left out, digests.

    Equal steps are not equal epochs: a method that uses fewer rollouts passes over them more often.
    """
    curves = {path.parent.name: pd.read_csv(path) for path in training}
    records = {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in provenance}
    rows = []
    for run in runs:
        row = dict(run)
        if run["run"] in curves:
            curve, record = curves[run["run"]], records[run["run"]]
            last = curve.iloc[-1]
            row |= {
                "steps": int(last.step),
                "tokens": int(last.tokens),
                "epochs": last.epoch,
                "loss_first": curve.loss.iloc[0],
                "loss_last": curve.loss.tail(10).mean(),
                "rows_left_out": sum(record["skipped"].values()),
                "left_out_because": "; ".join(
                    f"{reason}: {count}" for reason, count in sorted(record["skipped"].items())
                ),
                "config_digest": record["config_digest"],
                "code_digest": record["code_digest"],
            }
        rows.append(row)
    with atomic_file(output) as path:
        pd.DataFrame(rows).to_csv(path, index=False, lineterminator="\n", float_format="%.6g")
