"""The tables of trajectories, from the factors of all snapshots."""

from collections.abc import Mapping, Sequence
from pathlib import Path as File
from typing import NamedTuple

import numpy as np
import pandas as pd

from lossgeometry.files.csv_rows import read_frame
from lossgeometry.geometry.chance import verdicts
from lossgeometry.geometry.grams import RunGrams, cross_grams
from lossgeometry.trajectories.matching import Match, Path, levels, matched
from lossgeometry.trajectories.path import Step, path_steps
from lossgeometry.updates.update import Update

PAIR_COLUMNS = (
    *("run_a", "run_b", "replicate", "step_a", "step_b", "cosine", "cosine_sd"),
    *("gram_alignment", "gram_alignment_chance", "gram_alignment_sd"),
)


class Tables(NamedTuple):
    """The tables of this stage."""

    trajectories: pd.DataFrame
    step_pairs: pd.DataFrame
    matched: pd.DataFrame


def tabulate(
    runs: Mapping[str, Mapping[int, Update]],
    pairs: Sequence[Mapping[str, str]],
    behaviour: File | None,
    names: Mapping[str, Mapping[int, str]],
) -> Tables:
    """Return the path of every run, all pairs of steps of every pair, and the pairs where they are alike.

    Parameters
    ----------
    runs
        Of every run its updates by step, in order; the last is the run itself.
    pairs
        `run_a`, `run_b` and `replicate`: what alone the two differ in, empty for two losses.
    behaviour
        `tables/behaviour.csv`, where it was measured.
    names
        Run ids of the updates, as `behaviour` names them.
    """
    updates = {run: list(steps.values()) for run, steps in runs.items()}
    ends = [(pair["run_a"], pair["run_b"]) for pair in pairs]
    grams = cross_grams(updates, [*((run, run) for run in runs), *ends])
    kl = {} if behaviour is None else _kl(read_frame(behaviour))
    paths = {
        run: Path(
            run,
            np.array(list(steps), dtype=float),
            grams[run, run].weights,
            np.array([kl.get(names[run][step], np.nan) for step in steps]),
        )
        for run, steps in runs.items()
    }
    grids = levels(list(paths.values()))
    together, apart = [], []
    for pair, (a, b) in zip(pairs, ends, strict=True):
        named = {"run_a": a, "run_b": b, "replicate": pair["replicate"]}
        together.append(_step_pairs(paths[a], paths[b], grams, named))
        found = matched(paths[a], paths[b], grams[a, b].weights, grams[a, b].weights_sd, grids)
        apart.append(pd.DataFrame(found, columns=list(Match._fields)).assign(**named))
    return Tables(
        pd.concat([_along(path) for path in paths.values()], ignore_index=True),
        _stacked(together, PAIR_COLUMNS),
        _judged(_stacked(apart, (*PAIR_COLUMNS[:3], *Match._fields))),
    )


def _stacked(frames: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    table = pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(columns))
    return table[list(columns)]


def _judged(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(verdict=verdicts(table.cosine, np.zeros(len(table)), table.cosine_sd))


def _along(path: Path) -> pd.DataFrame:
    rows = path_steps([f"{step:g}" for step in path.steps], path.gram)
    table = pd.DataFrame(rows, columns=list(Step._fields)).assign(run=path.run, kl=path.kl)
    return table[["run", *Step._fields, "kl"]]


def _step_pairs(a: Path, b: Path, grams: Mapping[tuple[str, str], RunGrams], named: Mapping[str, str]) -> pd.DataFrame:
    """Return one row per step of one run and step of another."""
    both, own_a, own_b = grams[a.run, b.run], grams[a.run, a.run], grams[b.run, b.run]
    scale = np.multiply.outer(a.norms, b.norms)
    gram_scale = np.sqrt(np.multiply.outer(np.diag(own_a.outputs), np.diag(own_b.outputs)))
    steps = np.meshgrid(a.steps, b.steps, indexing="ij")
    with np.errstate(invalid="ignore", divide="ignore"):
        columns = {
            "step_a": steps[0],
            "step_b": steps[1],
            "cosine": both.weights / scale,
            "cosine_sd": both.weights_sd / scale,
            "gram_alignment": both.outputs / gram_scale,
            "gram_alignment_chance": both.outputs_mean / gram_scale,
            "gram_alignment_sd": both.outputs_sd / gram_scale,
        }
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()}).assign(**named)


def _kl(behaviour: pd.DataFrame) -> dict[str, float]:
    """Return KL(base || run) per token on the base's answers, by run."""
    rows = behaviour[
        (behaviour["text"] == "base") & (behaviour["part"] == "all") & (behaviour["measure"] == "kl_base_run")
    ]
    return dict(zip(rows["run"], rows["value"], strict=True))
