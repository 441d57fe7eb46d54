"""avg@k and pass@k for every number of samples up to what was drawn."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lossgeometry.evaluation import statistics
from lossgeometry.evaluation.differences import Graded
from lossgeometry.evaluation.intervals import clustered, wilson

COLUMNS = [
    "run",
    "benchmark",
    "decoding",
    "k",
    "problems",
    "avg_at_k",
    "avg_low",
    "avg_high",
    "pass_at_k",
    "pass_low",
    "pass_high",
]


def pass_table(graded: Graded) -> pd.DataFrame:
    """One row per run, benchmark and k = 1 .. samples, where there are several samples; columns `COLUMNS`.

    avg@k is the mean over all samples for every k; its interval is what k samples a problem would have given. Intervals
    are over problems, given the trained weights.
    """
    rows = []
    for (run, benchmark, decoding), outcomes in graded.items():
        problems, samples = outcomes.correct.shape
        for k in range(1, samples + 1) if samples > 1 else ():
            solved = statistics.pass_at_k(outcomes.correct, k)
            average = outcomes.correct.mean()
            rows.append(
                (run, benchmark, decoding, k, problems, average, *average_interval(outcomes.correct, k))
                + (solved.mean(), *clustered(solved))
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def average_interval(correct: NDArray[np.bool_], k: int) -> tuple[float, float]:
    """Interval of avg@k from (problems, samples > 1): as `clustered`, with the variance that k samples would leave.

    Between problems the variance is that of their shares less what sampling adds; sampling adds p (1 - p) / k.
    """
    problems, samples = correct.shape
    shares = correct.mean(axis=1)
    within = (shares * (1 - shares)).mean() * samples / (samples - 1)
    variance = shares.var(ddof=1) + within * (1 / k - 1 / samples) if problems > 1 else np.nan
    mean = shares.mean()
    trials = mean * (1 - mean) * problems / variance if variance > 0 else problems
    return wilson(mean, trials, statistics.student_quantile(problems)) if problems > 1 else (np.nan, np.nan)
