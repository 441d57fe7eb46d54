"""One line per run: what it saw, and how its training ended."""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from lossgeometry.devices import peak_flops
from lossgeometry.files.csv_rows import read_frame, write_frame


def tabulate_runs(runs: list[dict[str, Any]], training: list[Path], provenance: list[Path], output: Path) -> None:
    """Write runs.csv: identity, steps, tokens, epochs, last loss, rows left out, device and speed, versions of packages, digests.

    Equal steps are not equal epochs: a method that uses fewer rollouts passes over them more often.
    """
    curves = {path.parent.name: read_frame(path) for path in training}
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
                "learning_rate_sum": curve.learning_rate.sum(),
                "clipped": (curve.clipped_low + curve.clipped_high).mean() if "clipped_low" in curve else math.nan,
                "loss_first": curve.loss.iloc[0],
                "loss_last": curve.loss.tail(10).mean(),
                "rows_left_out": sum(record["skipped"].values()),
                "left_out_because": "; ".join(
                    f"{reason}: {count}" for reason, count in sorted(record["skipped"].items())
                ),
                **_device_columns(curve, record["device"]),
                "versions": "; ".join(f"{name} {version}" for name, version in sorted(record["versions"].items())),
                "config_digest": record["config_digest"],
                "code_digest": record["code_digest"],
            }
        rows.append(row)
    write_frame(output, pd.DataFrame(rows), digits=6)


def _device_columns(curve: pd.DataFrame, device: dict[str, Any]) -> dict[str, Any]:
    """Return what a run was trained on; where steps were timed also its speed, and its arithmetic over the device's peak.

    The latter (MFU) is NaN for a device whose peak `devices` does not know.
    """
    columns = {"device": device["name"], "driver": device["driver"]}
    if "seconds" in curve:
        seconds = curve.seconds.sum()
        columns["tokens_per_second"] = curve.tokens.iloc[-1] / seconds
        columns["mfu"] = curve.flop.sum() / (seconds * peak_flops(device["name"]) * device["count"])
    return columns


def controls_of(runs: pd.DataFrame) -> dict[str, str]:
    """Return what kind of control a run is, by its id, for those that are one."""
    named = runs[runs.control.notna()]
    return dict(zip(named.run, named.control, strict=True))
