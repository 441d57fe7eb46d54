"""Runs and methods under the names that people say."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.explorer.columns import records
from lossgeometry.explorer.labels import Run, name_runs


class Names:
    """The runs of an experiment, by their ids.

    Parameters
    ----------
    runs
        `tables/runs.csv`.
    titles
        Title of every method label.
    reference
        Label of the method that others are compared with.
    """

    def __init__(self, runs: pd.DataFrame, titles: Mapping[str, str], reference: str) -> None:
        self.runs = {run.id: run for run in name_runs(records(runs), titles, reference)}
        self.reference = reference
        self.of_pairs, self.updates = ("pairs of methods", "losses") if titles else ("pairs", "updates")
        seeds = runs.seed.astype(str)
        self.seed = dict(zip(runs.run, seeds, strict=True))

    def __call__(self, run: str) -> str:
        """Return the name of a run; the base is `the base`."""
        return self.runs[run].name if run in self.runs else f"the {run}"

    def title(self, label: str) -> str:
        """Return the title of a method label."""
        return next((run.title for run in self.runs.values() if run.label == label), label)

    def compared(self, run: str) -> Run | None:
        """Return a run of a loss at its own learning rate, with one of the experiment's seeds; None for any other."""
        found = self.runs.get(run)
        return found if found is not None and found.arm in ("default", "seed") and "-o" not in self.seed[run] else None

    def first(self, label: str) -> str:
        """Return the first run of a method label."""
        return next(run.id for run in self.runs.values() if run.label == label)
