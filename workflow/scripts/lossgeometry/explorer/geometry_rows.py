"""The pairwise geometry, from its tidy tables to one dense block per metric: pairs by places.

A place is the whole model, one projection of it, a layer, or one projection of a layer, written as `layer/projection`
with -1 and "" for all of them. Dense blocks keep the page small: 30 runs of a 36-layer model have some
200,000 values.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lossgeometry.explorer.columns import DIGITS, records, rounded
from lossgeometry.explorer.metrics import METRICS, RUN_METRICS, Metric
from lossgeometry.files.csv_rows import read_frame
from lossgeometry.geometry import chance

PROJECTED = ("cosine", "gram_alignment.output", "top_direction.output", "angle_first.output")
"""Metrics that the page shows for one projection of a layer whatever their number; all would double the size of a large
page."""
EVERYTHING = 12_000
"""Pairs times places up to which a page holds every metric for every place: 63 pairs of a model with 36 layers."""

BESIDE = ("control", "replicate")
_NO_SIDE = "none"


def read_geometry(files: Iterable[Path]) -> pd.DataFrame:
    """Return the tidy tables of pairwise geometry as one; a table without `layer` or `projection` pools over them."""
    frames = [pd.read_parquet(path) if path.suffix == ".parquet" else read_frame(path) for path in files]
    whole = pd.concat(frames, ignore_index=True)
    whole = whole.reindex(
        columns=list(dict.fromkeys([*whole.columns, "layer", "projection", "depth_low", "depth_high", *BESIDE]))
    )
    for column in ("projection", "note", "verdict"):
        whole[column] = whole[column].fillna("").astype(str)
    for column in ("layer", "k"):
        whole[column] = whole[column].astype(float).fillna(-1).astype(int)
    side = whole.side.fillna(_NO_SIDE)
    whole["key"] = whole.metric.where(side == _NO_SIDE, whole.metric + "." + side)
    return whole


def directions_compared(frame: pd.DataFrame) -> dict[str, int]:
    """Return the k of every metric that takes one: the largest that is defined for every pair over the whole model.

    Where adapters have fewer directions than asked for, the tables hold angles at two k, of which the larger is
    undefined.
    """
    whole = frame[(frame.layer == -1) & (frame.projection == "") & (frame.k > 0) & frame.key.isin(list(METRICS))]
    chosen = {}
    for key, group in whole.groupby("key"):
        defined = group.value.notna().groupby(group.k).all()
        usable = defined.index[defined]
        chosen[str(key)] = int((usable if len(usable) else defined.index).max())
    return chosen


def dense_blocks(frame: pd.DataFrame, pairs: Sequence[tuple[str, str]], ks: Mapping[str, int]) -> dict[str, Any]:
    """Return `places` with their positions, the whole model at 0, and per metric its values, bands and spreads.

    `projected` names the metrics that reach down to one projection of a layer.

    `value`, and the chance band `low` and `high`, are (pairs, places); `spread` is the global one of each pair.
    `control` and `replicate` are what the whole model's value is read beside, one of each pair.
    `verdict` has a string per pair, with the first letter of the tables' verdict at every place, or `-` for none.

    A band that is the same for all pairs is stored once, (1, places). Undefined values are None. `notes` says why, by
    pair.
    """
    frame = frame[frame.key.isin(list(METRICS)) & ((frame.k <= 0) | (frame.k == frame.key.map(ks)))]
    position = {pair: index for index, pair in enumerate(pairs)}
    row = np.array([position[pair] for pair in zip(frame.run_a, frame.run_b, strict=True)], dtype=int)
    # Single projections of a layer come last, so that a metric without them just has shorter rows.
    found = set(zip(frame.layer.tolist(), frame.projection, strict=True))
    places = sorted(found, key=lambda place: (place[0] >= 0 and place[1] != "", *place))
    plain = sum(layer < 0 or projection == "" for layer, projection in places)
    place_index = {place: index for index, place in enumerate(places)}
    column = np.array(
        [place_index[place] for place in zip(frame.layer.tolist(), frame.projection, strict=True)], dtype=int
    )
    present = [key for key in METRICS if (frame.key == key).any()]
    projected = [key for key in present if key in PROJECTED or len(pairs) * len(places) <= EVERYTHING]
    blocks = {}
    for key in present:
        width = len(places) if key in projected else plain
        chosen = (frame.key == key).to_numpy() & (column < width)
        blocks[key] = _block(frame[chosen], row[chosen], column[chosen], (len(pairs), width), METRICS[key])
    positions = {f"{layer}/{projection}": index for (layer, projection), index in place_index.items()}
    return {"places": positions, "projected": projected, "metrics": blocks}


def _block(
    part: pd.DataFrame, row: np.ndarray, column: np.ndarray, shape: tuple[int, int], metric: Metric
) -> dict[str, Any]:
    def dense(values: np.ndarray) -> np.ndarray:
        block = np.full(shape, np.nan)
        block[row, column] = values
        return block

    low, high = chance.band(part.null_mean, part.null_sd)
    verdict = np.full(shape, "-")
    verdict[row, column] = [text[:1] or "-" for text in part.verdict]
    whole = column == 0
    spread: list[Any] = [None] * shape[0]
    beside = {name: np.full(shape[0], np.nan) for name in BESIDE}
    for name, values in beside.items():
        values[row[whole]] = part[name].to_numpy(float)[whole]
    notes: dict[str, str] = {}
    for index, start, end, note in zip(
        row[whole], part.depth_low[whole].tolist(), part.depth_high[whole].tolist(), part.note[whole], strict=True
    ):
        spread[index] = _listed(np.array([start, end])) if start == start else None
        if note:
            notes[str(index)] = note
    return {
        "value": _listed(dense(part.value.to_numpy(float))),
        "low": _band(dense(np.maximum(metric.low, low))),
        "high": _band(dense(np.minimum(metric.high, high))),
        "verdict": ["".join(letters) for letters in verdict],
        "spread": spread,
        **{name: _listed(values) for name, values in beside.items()},
        "notes": notes,
    }


def _band(block: np.ndarray) -> list:
    same = len(block) and np.allclose(block, block[:1], rtol=1e-3, atol=0, equal_nan=True)
    return _listed(block[:1] if same else block, 3)


def _listed(values: np.ndarray, digits: int = DIGITS) -> list:
    """Return nested lists of numbers with that many significant digits, None where undefined."""
    if values.ndim > 1:
        return [_listed(row, digits) for row in values]
    return [rounded(value, digits) for value in values.tolist()]


def run_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return `run, metric, layer, value` of the metrics of single runs, each from the first pair that the run is in."""
    plain = frame[(frame.projection == "") & frame.metric.str.endswith(("_a", "_b"))]
    found: dict[tuple, dict[str, Any]] = {}
    for row in records(plain[["run_a", "run_b", "metric", "layer", "value"]]):
        metric, _, end = row["metric"].rpartition("_")
        key = (row[f"run_{end}"], metric, row["layer"])
        if metric in RUN_METRICS and key not in found:
            found[key] = dict(zip(("run", "metric", "layer", "value"), (*key, row["value"]), strict=True))
    return list(found.values())
