"""The tables that gather the pairs' geometry, one row per value, with what tells the two runs apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from lossgeometry.files.csv_rows import write_frame
from lossgeometry.geometry.chance import verdicts
from lossgeometry.geometry.layer_bootstrap import depth_intervals

VALUE = ["metric", "side", "k", "value", "null_mean", "null_sd", "note"]
VERDICT = "verdict"
"""Whether chance explains a value; the last column of the tables of pairs."""
RUN = ("method", "learning_rate", "seed")


class PairEntry(TypedDict):
    """One pair of the experiment."""

    a: str
    b: str
    reference: int
    """Which of the two (0 or 1) the orthogonal fraction is measured against."""


def gather_pairs(
    pairs: Sequence[PairEntry], runs: Mapping[str, Mapping[str, object]], files: Sequence[Path]
) -> dict[str, pd.DataFrame]:
    """Return the tables `geometry`, `layers` and `modules`.

    Parameters
    ----------
    pairs
        The pairs, in order.
    runs
        Method, learning rate and seed of every run.
    files
        geometry.parquet of every pair, in the same order.

    Returns
    -------
    geometry
        Global values and those of each projection, with the runs' method, learning rate and seed, the run that the
        orthogonal fraction is measured against (`reference`), and at global scope the spread over layers (`depth_low`,
        `depth_high`).
    layers, modules
        The same without those.
    """
    scopes: dict[str, list[pd.DataFrame]] = {"geometry": [], "layers": [], "modules": []}
    for pair, file in zip(pairs, files, strict=True):
        rows = pd.read_parquet(file).astype({"layer": "Int64", "k": "Int64"})
        rows[VERDICT] = verdicts(rows.value, rows.null_mean, rows.null_sd)
        head = {"run_a": pair["a"], "run_b": pair["b"]}
        whole = rows[rows.scope.isin(["global", "projection"])].assign(**head, **_identity(pair, runs))
        spread = _depth(rows[rows.scope == "module"], "ba"[pair["reference"]])
        keys = list(zip(whole.metric, whole.side, whole.k.fillna(0).astype(int), strict=True))
        edges = [spread.get(key, (np.nan,) * 2) for key in keys]
        inside = (whole.scope == "global").to_numpy()
        whole["depth_low"] = [edge[0] if within else np.nan for edge, within in zip(edges, inside, strict=True)]
        whole["depth_high"] = [edge[1] if within else np.nan for edge, within in zip(edges, inside, strict=True)]
        scopes["geometry"].append(whole)
        scopes["layers"].append(rows[rows.scope == "layer"].assign(**head))
        scopes["modules"].append(rows[rows.scope == "module"].assign(**head))
    identity = [f"{key}_{side}" for side in "ab" for key in RUN]
    columns = {
        "geometry": [
            "run_a",
            "run_b",
            *identity,
            "reference",
            "scope",
            "projection",
            *VALUE[:-1],
            "depth_low",
            "depth_high",
            "note",
            VERDICT,
        ],
        "layers": ["run_a", "run_b", "layer", *VALUE, VERDICT],
        "modules": ["run_a", "run_b", "module", "layer", "projection", *VALUE, VERDICT],
    }
    return {name: pd.concat(frames, ignore_index=True)[columns[name]] for name, frames in scopes.items()}


def gather_maps(pairs: Sequence[PairEntry], files: Sequence[Path]) -> pd.DataFrame:
    """Return the subspace-similarity maps of all pairs, for the whole model and each projection."""
    frames = []
    for pair, file in zip(pairs, files, strict=True):
        rows = pd.read_parquet(file)
        frames.append(rows[rows.scope != "layer"].drop(columns="layer").assign(run_a=pair["a"], run_b=pair["b"]))
    columns = ["run_a", "run_b", "scope", "projection", "side", "i", "j", "value", "null_mean"]
    return pd.concat(frames, ignore_index=True)[columns]


def gather_relations(runs: Sequence[str], files: Sequence[Path]) -> pd.DataFrame:
    """Return the relations of all runs to the base weights, at every scope."""
    frames = [pd.read_parquet(file).assign(run=run) for run, file in zip(runs, files, strict=True)]
    table = pd.concat(frames, ignore_index=True).astype({"layer": "Int64", "k": "Int64"})
    return table[["run", "scope", "module", "layer", "projection", *VALUE]]


def frame_of(rows: Sequence[tuple], row_type: Any) -> pd.DataFrame:
    """Return a table with one column per field of a NamedTuple class, also where there are no rows."""
    return pd.DataFrame(rows, columns=list(row_type._fields))


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table with 12 significant digits; undefined values are empty."""
    write_frame(path, table, digits=12)


def _identity(pair: PairEntry, runs: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    fields = {f"{key}_{side}": runs[pair[side]][key] for side in ("a", "b") for key in RUN}
    return {**fields, "reference": (pair["a"], pair["b"])[pair["reference"]]}


def _depth(modules: pd.DataFrame, measured: str) -> dict[tuple[str, str, int], tuple[float, float]]:
    """Return the spread over layers of one pair's global values, from its modules."""
    keys = [modules.metric, modules.side, modules.k.fillna(0).astype(int)]
    compared = modules[modules.metric == "norm_a"].module.tolist()
    values = {
        key: group.set_index("module").value.reindex(compared).to_numpy()
        for key, group in modules[modules.module.isin(compared)].groupby(keys, sort=False)
    }
    layers = modules[modules.metric == "norm_a"].layer.fillna(-1).to_numpy(dtype=int)
    return depth_intervals(values, layers, measured)
