"""One direction at one norm: updates scaled to one another's norms, beside the base, by norm and by direction."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from lossgeometry.edits.effects import EditEntry
from lossgeometry.evaluation.differences import differences_table
from lossgeometry.evaluation.outcomes import read_graded
from lossgeometry.evaluation.questions import Question
from lossgeometry.experiment.runs import BASE

CELL, DIRECTIONS, NORMS = "one direction at one norm", "directions at one norm", "norms of one direction"


class Cell(NamedTuple):
    """One direction at one norm."""

    direction: str
    """Run whose direction it has."""
    norm_of: str
    """Run whose norm it has."""


def cells(edits: Mapping[str, EditEntry]) -> dict[str, Cell]:
    """Return the runs that have one run's direction and one run's norm: edits to a norm, and those that they are made of."""
    scaled = {run: Cell(entry["parent"], entry["norm_of"]) for run, entry in edits.items() if entry["norm_of"]}
    directions, norms = ({cell[place] for cell in scaled.values()} for place in (0, 1))
    own = {run: Cell(run, run) for run in dict.fromkeys(run for cell in scaled.values() for run in cell)}
    return {run: cell for run, cell in own.items() if run in directions & norms} | scaled


def crossed(edits: Mapping[str, EditEntry], benchmarks: Sequence[str], evaluation: Path, margin: float) -> pd.DataFrame:
    """Return the paired differences of every cell to the base, and of two cells that share their norm or their direction.

    Columns are `direction` and `norm_of`, empty where the two runs differ in it, then those of `differences.COLUMNS`. Each
    question is one family of Holm's correction per benchmark and decoding.

    Parameters
    ----------
    evaluation
        Folder of the graded answers.
    """
    known = cells(edits)
    pairs = list(combinations(known, 2))
    asked = {
        CELL: [(BASE, run) for run in known],
        DIRECTIONS: [(a, b) for a, b in pairs if known[a].norm_of == known[b].norm_of],
        NORMS: [(a, b) for a, b in pairs if known[a].direction == known[b].direction],
    }
    questions = [Question(name, "", tuple(found)) for name, found in asked.items() if found]
    table = differences_table(read_graded(evaluation, [BASE, *known], benchmarks), questions, margin)
    for place, (name, varied) in enumerate(zip(Cell._fields, (DIRECTIONS, NORMS), strict=True)):
        shared = [known[row.run_b][place] if row.question != varied else "" for row in table.itertuples()]
        table.insert(place, name, shared)
    return table
