"""The checkpoints of a training run, and what their path shows."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lossgeometry.command.sources import require_base
from lossgeometry.errors import InputError
from lossgeometry.files.progress import tracked
from lossgeometry.geometry.grams import run_grams
from lossgeometry.geometry.trajectory import Trajectory, trajectory
from lossgeometry.updates.folders import CONFIG_FILE, is_checkpoint
from lossgeometry.updates.loading import load

CHECKPOINT = re.compile(r"checkpoint-(\d+)")
END = "end"
"""Step of the update in the folder itself, where it is not that of the last checkpoint."""
SAME = 1e-12
"""Share of the squared norm below which a difference of two updates is rounding."""


def path_of(folder: Path, base: str | None, rank: int) -> Trajectory:
    """Return the path through the checkpoints of a folder, in the order of their steps.

    Raises
    ------
    InputError
        If it has fewer than two, or one cannot be read.
    """
    require_base(base)
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; name the one that a training run wrote its checkpoints to")
    found = {int(match[1]): entry for entry in folder.iterdir() if (match := CHECKPOINT.fullmatch(entry.name))}
    places = {str(step): found[step] for step in sorted(found)}
    if (folder / CONFIG_FILE).is_file() or is_checkpoint(folder):
        places[END] = folder
    if len(found) < 2:
        raise InputError(f"{folder} holds {len(found)} folders named checkpoint-N; a path takes two or more")
    updates = [load(place, base, rank) for place in tracked(list(places.values()), "reading checkpoints")]
    gram = run_grams(updates, list(places)).weights
    if END in places and gram[-1, -1] + gram[-2, -2] - 2 * gram[-1, -2] <= SAME * gram[-1, -1]:
        places.pop(END)
        gram = gram[:-1, :-1]
    return trajectory(list(places), np.asarray(gram))


def said(path: Trajectory) -> Iterator[str]:
    """Yield the table and what it says."""
    yield f"{'step':>8} {'norm':>10} {'moved':>10} {'turn':>7} {'cosine with the end':>20}  by chance"
    for row in path.steps:
        yield (
            f"{row.step:>8} {row.norm:10.4g} {row.moved:10.4g} {row.turn:7.3f} {row.cosine_last:20.3f}"
            f"  {row.cosine_last_chance:9.3f}"
        )
    yield ""
    yield "turn: cosine of an increment and the one before. Chance: increments of the same lengths, orthogonal to each other."
    yield (
        f"The update ends at {path.efficiency:.1%} of the way it went (chance {path.efficiency_chance:.1%}); one direction holds"
        f" {path.first_direction:.1%} of all checkpoints' squared norms (chance {path.first_direction_chance:.1%})."
    )
