"""The tables that gather the pairs' geometry, one row per value, with what tells the two runs apart."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd

from lossgeometry.files.csv_rows import write_frame
from lossgeometry.geometry import beside
from lossgeometry.geometry.beside import RunEntry
from lossgeometry.geometry.chance import verdicts
from lossgeometry.geometry.layer_bootstrap import Key, depth_draws, depth_interval

VALUE = ["metric", "side", "k", "value", "null_mean", "null_sd"]
SPREAD = ["depth_low", "depth_high"]
BESIDE = ["control", "replicate"]
RESHUFFLE = ["replicate_low", "replicate_high", "replicate_of", "reshuffle", "reshuffle_reason"]
COSINE = ("cosine", "none", 0)
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
    pairs: Sequence[PairEntry], runs: Mapping[str, RunEntry], files: Sequence[Path]
) -> dict[str, pd.DataFrame]:
    """Return the tables `geometry`, `layers` and `modules`.

    Parameters
    ----------
    pairs
        The pairs, in order.
    runs
        What tells every run apart.
    files
        geometry.parquet of every pair, in the same order.

    Returns
    -------
    geometry
        Global values and those of each projection, with the runs' method, learning rate and seed, the run that the
        orthogonal fraction is measured against (`reference`), and at global scope the spread over layers (`depth_low`,
        `depth_high`) and whether a reshuffle of the data sets the two as far apart (`reshuffle`).
    layers, modules
        The same without those.
    """
    read = {(pair["a"], pair["b"]): _read(file) for pair, file in zip(pairs, files, strict=True)}
    draws = {(pair["a"], pair["b"]): _depth(read[pair["a"], pair["b"]], "ba"[pair["reference"]]) for pair in pairs}
    values = {pair: rows.value for pair, rows in read.items()}
    scopes: dict[str, list[pd.DataFrame]] = {"geometry": [], "layers": [], "modules": []}
    for pair in pairs:
        ends = (pair["a"], pair["b"])
        near = beside.pairs_beside(ends, list(read), runs)
        rows = read[ends]
        control, replicate = beside.values_beside(rows.index, near, values)
        rows = rows.assign(control=control, replicate=replicate, run_a=pair["a"], run_b=pair["b"]).reset_index()
        rows[VERDICT] = verdicts(rows.value, rows.null_mean, rows.null_sd)
        whole = rows[rows.scope.isin(["global", "projection"])].assign(**_identity(pair, runs))
        scopes["geometry"].append(_with_spread(whole, ends, near, draws, runs))
        scopes["layers"].append(rows[rows.scope == "layer"])
        scopes["modules"].append(rows[rows.scope == "module"])
    identity = [f"{key}_{side}" for side in "ab" for key in RUN]
    head = ["run_a", "run_b"]
    columns = {
        "geometry": [*head, *identity, "reference", "scope", "projection", *VALUE, *SPREAD, *BESIDE, *RESHUFFLE],
        "layers": [*head, "layer", *VALUE, *BESIDE],
        "modules": [*head, "module", "layer", "projection", *VALUE, *BESIDE],
    }
    tables = {name: pd.concat(frames, ignore_index=True) for name, frames in scopes.items()}
    return {name: table[[*columns[name], "note", VERDICT]] for name, table in tables.items()}


def _read(file: Path) -> pd.DataFrame:
    """Return the rows of one pair by what they measure and where."""
    return pd.read_parquet(file).astype({"layer": "Int64", "k": "Int64"}).set_index(beside.KEY)


def _with_spread(
    whole: pd.DataFrame,
    pair: beside.Pair,
    near: beside.Beside,
    draws: Mapping[beside.Pair, Mapping[Key, np.ndarray]],
    runs: Mapping[str, RunEntry],
) -> pd.DataFrame:
    """Return the global and projected rows of one pair with their spread over layers and what a reshuffle allows to say."""
    keys = list(zip(whole.metric, whole.side, whole.k.fillna(0).astype(int), strict=True))
    edges = {key: depth_interval(values) for key, values in draws[pair].items()}
    inside = (whole.scope == "global").to_numpy()
    nothing = (np.nan, np.nan)
    spread = [edges.get(key, nothing) if within else nothing for key, within in zip(keys, inside, strict=True)]
    cosine = inside & (whole.metric == "cosine").to_numpy()
    verdict, reason = beside.judge_reshuffle(
        draws[pair].get(COSINE), [draws[other].get(COSINE) for other in near.replicates], near.reason
    )
    shown = near.replicates or near.stand_ins
    ends = [depth_interval(draws[other][COSINE]) for other in shown if COSINE in draws[other]]
    low, high = (min(low for low, _ in ends), max(high for _, high in ends)) if ends else nothing
    for name, number in {"replicate_low": low, "replicate_high": high}.items():
        whole[name] = np.where(cosine, number, np.nan)
    methods = ";".join(dict.fromkeys(runs[run]["method"] for run, _ in shown))
    for name, text in {"replicate_of": methods, "reshuffle": verdict, "reshuffle_reason": reason}.items():
        whole[name] = np.where(cosine, text, "")
    return whole.assign(depth_low=[low for low, _ in spread], depth_high=[high for _, high in spread])


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
    return table[["run", "scope", "module", "layer", "projection", *VALUE, "note"]]


def frame_of(rows: Sequence[tuple], row_type: Any) -> pd.DataFrame:
    """Return a table with one column per field of a NamedTuple class, also where there are no rows."""
    return pd.DataFrame(rows, columns=list(row_type._fields))


def write_csv(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table with 12 significant digits; undefined values are empty."""
    write_frame(path, table, digits=12)


def _identity(pair: PairEntry, runs: Mapping[str, RunEntry]) -> dict[str, object]:
    ends = {"a": dict(runs[pair["a"]]), "b": dict(runs[pair["b"]])}
    fields = {f"{key}_{side}": ends[side][key] for side in ends for key in RUN}
    return {**fields, "reference": (pair["a"], pair["b"])[pair["reference"]]}


def _depth(rows: pd.DataFrame, measured: str) -> dict[Key, np.ndarray]:
    """Return one pair's global values over resampled layers, from its modules."""
    modules = rows.loc[["module"]].reset_index()
    keys = [modules.metric, modules.side, modules.k.fillna(0).astype(int)]
    compared = modules[modules.metric == "norm_a"].module.tolist()
    values = {
        key: group.set_index("module").value.reindex(compared).to_numpy()
        for key, group in modules[modules.module.isin(compared)].groupby(keys, sort=False)
    }
    layers = modules[modules.metric == "norm_a"].layer.fillna(-1).to_numpy(dtype=int)
    return depth_draws(values, layers, measured)
