"""Training curves of all runs, thinned to what a chart can show."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lossgeometry.files.csv_rows import read_frame

POINTS = 60
QUANTITIES = {
    "loss": "loss",
    "grad_norm": "gradient norm",
    "learning_rate": "learning rate",
    "log_prob_positive": "log-probability of correct rollouts",
    "log_prob_negative": "log-probability of wrong rollouts",
    "gradient_share_negative": "share of the gradient from wrong rollouts",
    "margin": "preference margin",
    "log_prob_chosen": "log-probability of chosen rollouts",
    "log_prob_rejected": "log-probability of rejected rollouts",
    "reward_mean": "mean reward",
    "entropy": "entropy",
    "kl_to_base": "KL from the base",
}
"""Quantities that the page offers, where they were logged, with their titles; each loss has a scale of its own."""


def training_rows(files: Sequence[Path]) -> Iterator[dict[str, Any]]:
    """Yield `run, quantity, step, value`: means over at most `POINTS` equal stretches, `step` the last of each."""
    for path in files:
        curve = read_frame(path)
        stretch = max(1, -(-len(curve) // POINTS))
        group = curve.index // stretch
        steps = curve.step.groupby(group).last()
        for quantity in QUANTITIES:
            if quantity not in curve or curve[quantity].isna().all():
                continue
            means = curve[quantity].groupby(group).mean()
            for step, value in zip(steps[means.notna()], means.dropna(), strict=True):
                yield {"run": path.parent.name, "quantity": quantity, "step": int(step), "value": float(value)}
