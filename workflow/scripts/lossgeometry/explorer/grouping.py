"""The order of runs in the map: those that are alike stand together."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import leaves_list, linkage, optimal_leaf_ordering
from scipy.spatial.distance import squareform


def by_likeness(frame: pd.DataFrame, runs: Sequence[str]) -> list[str]:
    """Return runs in the order of the leaves of their average-linkage tree, by the cosine of the whole model.

    A pair without a cosine counts as unrelated. The tree is turned so that the first run comes before the last.

    Parameters
    ----------
    frame
        Rows of `geometry_rows.read_geometry`.
    """
    place = {run: index for index, run in enumerate(runs)}
    cosines = np.eye(len(runs))
    whole = frame[(frame.metric == "cosine") & (frame.layer == -1) & (frame.projection == "")].dropna(subset="value")
    for a, b, value in zip(whole.run_a, whole.run_b, whole.value, strict=True):
        if a in place and b in place:
            cosines[place[a], place[b]] = cosines[place[b], place[a]] = value
    if len(runs) < 3:
        return list(runs)
    distances = squareform(1 - cosines, checks=False)
    leaves = leaves_list(optimal_leaf_ordering(linkage(distances, "average"), distances)).tolist()
    if leaves.index(0) > leaves.index(len(runs) - 1):
        leaves.reverse()
    return [runs[leaf] for leaf in leaves]
