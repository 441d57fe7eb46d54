"""The checkpoints of a training run, and what their path shows."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from lossgeometry.command.sources import require_base
from lossgeometry.files.progress import tracked
from lossgeometry.geometry.grams import run_grams
from lossgeometry.trajectories.path import Step, path_steps
from lossgeometry.updates.folders import CONFIG_FILE, checkpoints_in, is_checkpoint
from lossgeometry.updates.loading import load

END = "end"
"""Step of the update in the folder itself, where it is not that of the last checkpoint."""
SAME = 1e-12
"""Share of the squared norm below which a difference of two updates is rounding."""


def path_of(folder: Path, base: str | None, rank: int) -> list[Step]:
    """Return the path through the checkpoints of a folder, in the order of their steps.

    Raises
    ------
    InputError
        If it has fewer than two, they are not of one run, or one cannot be read.
    """
    require_base(base)
    places = {str(step): place for step, place in checkpoints_in(folder).items()}
    if (folder / CONFIG_FILE).is_file() or is_checkpoint(folder):
        places[END] = folder
    updates = [load(place, base, rank) for place in tracked(list(places.values()), "reading checkpoints")]
    gram = run_grams(updates, list(places)).weights
    if END in places and gram[-1, -1] + gram[-2, -2] - 2 * gram[-1, -2] <= SAME * gram[-1, -1]:
        places.pop(END)
        gram = gram[:-1, :-1]
    return path_steps(list(places), np.asarray(gram))


def said(path: list[Step]) -> Iterator[str]:
    """Yield the table and what it says."""
    yield f"{'step':>8} {'norm':>10} {'moved':>10} {'turn':>7} {'cosine with the end':>20}  by chance"
    for row in path:
        yield (
            f"{row.step:>8} {row.norm:10.4g} {row.moved:10.4g} {row.turn:7.3f} {row.cosine_last:20.3f}"
            f"  {row.cosine_last_chance:9.3f}"
        )
    end = path[-1]
    yield ""
    yield "turn: cosine of an increment and the one before. Chance: increments of the same lengths, orthogonal to each other."
    yield (
        f"The update ends at {end.efficiency:.1%} of the way it went (chance {end.efficiency_chance:.1%}); one direction holds"
        f" {end.first_direction:.1%} of all checkpoints' squared norms (chance {end.first_direction_chance:.1%}), and"
        f" {end.effective_rank:.2f} directions were taken (chance {end.effective_rank_chance:.2f})."
    )
