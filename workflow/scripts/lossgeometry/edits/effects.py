"""The tables of the edits: what each kept of its parent, and what it does."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
import pandas as pd

from lossgeometry.evaluation.differences import differences_table
from lossgeometry.evaluation.intervals import fieller
from lossgeometry.evaluation.outcomes import Outcomes, read_graded
from lossgeometry.evaluation.questions import Question
from lossgeometry.experiment.runs import BASE
from lossgeometry.files.csv_rows import read_frame
from lossgeometry.updates.stored import Delta

NAN = float("nan")
NO_GAIN = "the parent's change from the base is not told from zero"


class EditEntry(TypedDict):
    """One edit of the configuration."""

    operation: str
    parent: str
    control: str
    """Its random directions; empty for none."""
    norm_of: str
    """Run that it was scaled to the norm of; empty for another operation."""


class Kept(NamedTuple):
    """One row of `tables/edits.csv`."""

    run: str
    operation: str
    parent: str
    norm: float
    norm_share: float
    cosine_to_parent: float
    left_out: float
    kl: float
    kl_parent: float
    kl_random: float


def kept_of_parents(
    edits: Mapping[str, EditEntry], deltas: Mapping[str, Path], records: Mapping[str, Path], behaviour: Path | None
) -> list[Kept]:
    """Return what every edit kept of its parent's norm and direction, and its distance in behaviour from the base.

    Parameters
    ----------
    deltas
        The delta file of every edit and parent.
    records
        `edit.json` of every edit.
    behaviour
        `tables/behaviour.csv`; None where it was not measured.
    """
    kl = {} if behaviour is None else _kl(read_frame(behaviour))
    rows = []
    for run, entry in edits.items():
        update, parent = Delta(deltas[run]), Delta(deltas[entry["parent"]])
        left_out = json.loads(records[run].read_text(encoding="utf-8"))["left_out"]
        squares = {module: norm**2 for module, norm in update.norms.items()}
        # A truncation left out a share of what there was: of the whole, what is there is the rest.
        lost = sum(squares.get(module, 0.0) * share / (1 - share) for module, share in left_out.items() if share < 1)
        total = sum(squares.values()) + lost
        rows.append(
            Kept(
                *(run, entry["operation"], entry["parent"], update.norm),
                update.norm / parent.norm if parent.norm else NAN,
                update.cosine(parent),
                lost / total if total else NAN,
                *(kl.get(name, NAN) for name in (run, entry["parent"], entry["control"])),
            )
        )
    return rows


def _kl(behaviour: pd.DataFrame) -> dict[str, float]:
    rows = behaviour[
        (behaviour["text"] == "base") & (behaviour["part"] == "all") & (behaviour["measure"] == "kl_base_run")
    ]
    return dict(zip(rows["run"], rows["value"], strict=True))


def effects(edits: Mapping[str, EditEntry], benchmarks: Sequence[str], evaluation: Path, margin: float) -> pd.DataFrame:
    """Return the paired differences of every edit to the base, its parent and its random directions, and of these to the base.

    Each of the four is one family of Holm's correction per benchmark and decoding. Columns are those of
    `differences.COLUMNS` from `run_a`, and `kept_share`, `kept_low`, `kept_high` and `note` where the other run is the
    parent: the share of the parent's change of accuracy that the edit has, with Fieller's 95 % interval over problems.

    Parameters
    ----------
    evaluation
        Folder of the graded answers.
    """
    controls = {run: entry["control"] for run, entry in edits.items() if entry["control"]}
    compared = {
        "edits against base": [(BASE, run) for run in edits],
        "edits against parent": [(entry["parent"], run) for run, entry in edits.items()],
        "edits against random directions": [(control, run) for run, control in controls.items()],
        "random directions against base": [(BASE, control) for control in controls.values()],
    }
    runs = sorted({run for pairs in compared.values() for pair in pairs for run in pair})
    graded = read_graded(evaluation, runs, benchmarks)
    asked = [Question(name, "", tuple(pairs)) for name, pairs in compared.items() if pairs]
    table = differences_table(graded, asked, margin)
    shares = [
        _share(graded, row) if row.question == "edits against parent" else (NAN, NAN, NAN, "")
        for row in table.itertuples()
    ]
    table[["kept_share", "kept_low", "kept_high", "note"]] = pd.DataFrame(shares, index=table.index)
    return table


def _share(graded: Mapping[tuple[str, str, str], Outcomes], row) -> tuple[float, float, float, str]:
    base, parent, edit = (
        graded[run, row.benchmark, row.decoding].correct.mean(axis=1) for run in (BASE, row.run_a, row.run_b)
    )
    share = fieller(edit - base, parent - base)
    reason = NO_GAIN if len(edit) > 1 else "fewer than two problems"
    return *share, reason if np.isnan(share).any() else ""
