"""What every run forgot, beside what of its update could have foretold it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
import pandas as pd

from lossgeometry.behaviour.tabulation import per_token
from lossgeometry.behaviour.texts import BASE, OTHER, OWN
from lossgeometry.evaluation.differences import most_precise
from lossgeometry.files.csv_rows import read_frame
from lossgeometry.forgetting.law import Law, laws
from lossgeometry.forgetting.stage import OUTCOMES, PREDICTORS
from lossgeometry.representations.cka import cka
from lossgeometry.representations.comparison import open_states
from lossgeometry.representations.features import centred
from lossgeometry.updates.stored import Delta

NAN = float("nan")
RELATIONS = {
    "base_cosine_output": ("base_cosine", "output"),
    "base_cosine_input": ("base_cosine", "input"),
    "base_angle": ("base_angle", "output"),
    "spectral_shift": ("spectral_shift", "none"),
}
"""Predictors by metric and side of `tables/base_relations.csv`."""


class RunEntry(TypedDict):
    """One run that may have forgotten."""

    method: str
    """What is left out together: of a derived update that of the run it was computed from."""
    kind: str


class Forgotten(NamedTuple):
    """One row of `tables/forgetting.csv`."""

    run: str
    method: str
    kind: str
    benchmark: str
    decoding: str
    accuracy: float
    accuracy_change: float
    accuracy_low: float
    accuracy_high: float
    cross_entropy: float
    cross_entropy_change: float
    cross_entropy_low: float
    cross_entropy_high: float
    kl_base_run: float
    kl_run_base: float
    norm: float
    base_cosine_output: float
    base_cosine_input: float
    base_angle: float
    spectral_shift: float
    cka_shift: float


def forgotten(
    runs: Mapping[str, RunEntry],
    benchmark: str,
    accuracy: Path,
    behaviour: Path,
    base: Path,
    deltas: Mapping[str, Path],
    relations: Path | None,
    states: Mapping[str, Path],
) -> list[Forgotten]:
    """Return what every run forgot.

    Parameters
    ----------
    accuracy, behaviour, relations
        The tables of these names; the last, `base_relations`, is None where it was not measured.
    base
        What was measured of the base against itself, token by token, for its cross-entropy.
    deltas
        The delta file of every run.
    states
        Hidden states of the base, first, and of the runs that have them; empty where there are none.
    """
    solved = read_frame(accuracy)
    solved = solved[solved["benchmark"] == benchmark]
    decoding = most_precise(solved["decoding"])
    solved = solved[solved["decoding"] == decoding].set_index("run")
    moved = read_frame(behaviour)
    moved = moved[moved["part"] == "all"].set_index(["run", "text", "measure"])
    related = {} if relations is None else _related(read_frame(relations))
    level = _cross_entropy(pd.read_parquet(base))
    shifts = _shifts(states)
    rows = []
    for run, entry in runs.items():
        answers = solved.loc[run]
        change, low, high = _change(moved, run)
        rows.append(
            Forgotten(
                run=run,
                method=entry["method"],
                kind=entry["kind"],
                benchmark=benchmark,
                decoding=decoding,
                accuracy=float(answers["accuracy"]),
                accuracy_change=float(answers["difference_to_base"]),
                accuracy_low=float(answers["difference_low"]),
                accuracy_high=float(answers["difference_high"]),
                cross_entropy=level + change,
                cross_entropy_change=change,
                cross_entropy_low=low,
                cross_entropy_high=high,
                kl_base_run=_value(moved, run, BASE, "kl_base_run"),
                kl_run_base=_value(moved, run, OWN, "kl_run_base"),
                norm=Delta(deltas[run]).norm,
                cka_shift=shifts.get(run, NAN),
                **{name: related.get((run, *key), NAN) for name, key in RELATIONS.items()},
            )
        )
    return rows


def foretold(rows: Sequence[Forgotten]) -> list[Law]:
    """Return how well each predictor foretells the loss of accuracy and the rise of cross-entropy."""
    columns = {name: [getattr(row, name) for row in rows] for name in (*OUTCOMES, *PREDICTORS)}
    outcomes, predictors = ({name: columns[name] for name in names} for names in (OUTCOMES, PREDICTORS))
    return laws(outcomes, predictors, [row.method for row in rows])


def _value(moved: pd.DataFrame, run: str, text: str, measure: str) -> float:
    key = (run, text, measure)
    return float(moved.loc[key, "value"]) if key in moved.index else NAN


def _change(moved: pd.DataFrame, run: str) -> tuple[float, float, float]:
    """Return the rise of the cross-entropy, nats per token, and its 95 % interval: the fall of the log-probability."""
    key = (run, OTHER, "log_p_change")
    if key not in moved.index:
        return NAN, NAN, NAN
    row = moved.loc[key]
    value, low, high = (0.0 - float(row[end]) for end in ("value", "high", "low"))  # of zero there is no minus
    return value, low, high


def _cross_entropy(base: pd.DataFrame) -> float:
    """Return the base's cross-entropy on text of the other skill, nats per token; NaN where there is none."""
    tokens = base[base["text"] == OTHER]
    return -per_token(tokens["log_p"], tokens["problem_id"])[0]


def _related(relations: pd.DataFrame) -> dict[tuple[str, str, str], float]:
    whole = relations[relations["scope"] == "global"]
    return {(row.run, row.metric, row.side): float(row.value) for row in whole.itertuples()}


def _shifts(states: Mapping[str, Path]) -> dict[str, float]:
    """Return 1 - CKA of the base's and a run's hidden states in the last layer, debiased, with sequences as units."""
    if not states:
        return {}
    base, *runs = (open_states(path) for path in states.values())
    whole = np.ones((len(base.lengths), 1))
    origin, *moved = (
        centred(of.tensors[f"solutions.{base.layers - 1}"], of.lengths, standardise=False) for of in (base, *runs)
    )
    return {run: 1 - float(cka(origin, one, whole)[0]) for run, one in zip(list(states)[1:], moved, strict=True)}
