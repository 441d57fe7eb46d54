"""The tables of the audit: every pair of losses, the noise of every loss, and how pairs move with the share right. Light."""

from collections.abc import Mapping, Sequence
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from lossgeometry.audit.estimates import (
    corrected_cosine,
    corrected_regime,
    noise,
    prompts_for,
    regime_cosine,
    sample_cosine,
)
from lossgeometry.audit.stored import Products
from lossgeometry.geometry.chance import WIDTH, verdicts
from lossgeometry.geometry.scopes import places

ONE_DIRECTION, APART, CANNOT_TELL = "one direction", "apart", "cannot tell"
LEAST_COSINE = 0.95
"""Two losses go in one direction where the interval of their corrected cosine lies above it."""
PRECISIONS = (0.8, 0.95)
"""Cosines between a sample's gradient and the population's, for which the prompts needed are given."""
HIDDEN = "noise hides a gradient: its squared norm is estimated at or below 0"
UNSURE = "no standard error: noise hides a gradient where one fold is left out"
NO_WRONG = "the rollouts hold no wrong row, so that what wrong rows would do is not known"
NO_RIGHT = "the rollouts hold no right row, so that what right rows would do is not known"


class PairRow(NamedTuple):
    """One pair of losses at one place; the fields are the columns of audit.csv, before its verdicts."""

    point: str
    loss_a: str
    loss_b: str
    scope: str
    layer: int | None
    projection: str
    cosine: float
    null_sd: float
    corrected: float
    corrected_se: float
    adam: float
    placebo: float
    note: str


def tabulate(
    points: Mapping[str, Path], shares: Sequence[float], drawn: Mapping[str, int]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the tables `audit`, `noise` and `regime`; their columns are described in `audit/stage.py`.

    Parameters
    ----------
    points
        {name of the point: file of its products}.
    shares
        Shares of right rollouts, strictly between 0 and 1.
    drawn
        Rows, or pairs, that the training of a loss draws.
    """
    pairs, noises, regimes = [], [], []
    for point, path in points.items():
        products = Products(path)
        pairs += _pairs(point, products)
        noises += _noises(point, products, drawn)
        regimes += _regimes(point, products, np.asarray(shares, float))
    audit = pd.DataFrame(pairs, columns=list(PairRow._fields)).astype({"layer": "Int64"})
    at = audit.columns.get_loc("null_sd") + 1
    audit.insert(at, "verdict", verdicts(audit.cosine, 0.0 * audit.null_sd, audit.null_sd))
    audit.insert(len(audit.columns) - 1, "direction", directions(audit.corrected, audit.corrected_se))
    return audit, pd.DataFrame(noises), pd.DataFrame(regimes)


def directions(corrected: pd.Series, error: pd.Series) -> np.ndarray:
    """Return whether two losses go in one direction, judged by the 95 % interval of their corrected cosine."""
    low, high = corrected - WIDTH * error, corrected + WIDTH * error
    return np.select([low >= LEAST_COSINE, high < LEAST_COSINE], [ONE_DIRECTION, APART], CANNOT_TELL)


def _pairs(point: str, products: Products) -> list[PairRow]:
    rows = []
    for place, modules in places(products.modules):
        if place.scope == "module":
            continue
        folds, adam, variance = (read(modules) for read in (products.folds, products.adam, products.variance))
        placebo = products.placebo if place.scope == "global" else np.full_like(adam, np.nan)
        for a, b in products.pairs:
            grams = folds[a, :, a], folds[a, :, b], folds[b, :, b]
            norms = np.sqrt(grams[0].sum() * grams[2].sum())
            corrected = corrected_cosine(*grams, products.sizes)
            rows.append(
                PairRow(
                    point,
                    products.labels[a],
                    products.labels[b],
                    place.scope,
                    place.layer,
                    place.projection,
                    sample_cosine(*grams),
                    float(np.sqrt(variance[a, b]) / norms),
                    float(corrected.value),
                    float(corrected.error),
                    _cosine(adam, a, b),
                    _cosine(placebo, a, b),
                    HIDDEN if np.isnan(corrected.value) else UNSURE if np.isnan(corrected.error) else "",
                )
            )
    return rows


def _cosine(gram: np.ndarray, a: int, b: int) -> float:
    return float(gram[a, b] / np.sqrt(gram[a, a] * gram[b, b]))


def _noises(point: str, products: Products, drawn: Mapping[str, int]) -> list[dict]:
    folds = products.folds(products.modules)
    rows = []
    for place, label in enumerate(products.labels):
        wrong, right = map(int, products.rows[place])
        units = int(products.units[place])
        found = noise(folds[place, :, place], products.sizes)
        needed = {f"prompts_{100 * c:.0f}": float(prompts_for(found.scale.value, c)) for c in PRECISIONS}
        rows.append(
            {"point": point, "loss": label, "rows_right": right, "rows_wrong": wrong, "units": units}
            | {"passes": drawn[label] / units if label in drawn else np.nan, "prompts": int(products.sizes.sum())}
            | {"noise_scale": float(found.scale.value), "noise_scale_se": float(found.scale.error)}
            | {"half_cosine": float(found.half_cosine), **needed}
            | {"note": HIDDEN if np.isnan(found.scale.value) else ""}
        )
    return rows


def _regimes(point: str, products: Products, shares: np.ndarray) -> list[dict]:
    wrong, right = products.rows.sum(axis=0)
    note = NO_WRONG if not wrong else NO_RIGHT if not right else ""
    rows = []
    # Both orders of a pair, so that a reader finds every loss beside all others.
    whole = [place for place, composed in enumerate(products.composed) if composed is None]
    for a, b in permutations(whole, 2):
        raw = value = error = np.full(len(shares), np.nan)
        if not note:
            raw, (value, error) = _regime(products, a, b, shares)
        for columns in zip(shares, raw, value, error, strict=True):
            names = ("share", "cosine", "corrected", "corrected_se")
            entry = dict(zip(names, map(float, columns), strict=True))
            hidden = HIDDEN if not note and np.isnan(entry["corrected"]) else note
            rows.append(
                {"point": point, "loss_a": products.labels[a], "loss_b": products.labels[b], **entry, "note": hidden}
            )
    return rows


def _regime(products: Products, a: int, b: int, shares: np.ndarray):
    """Return the cosines of the gradients on these rollouts, and those of the population's, by share."""
    blocks = [(loss, verdict) for loss in (a, b) for verdict in (1, 0)]
    counts = [max(products.rows[block], 1.0) for block in blocks]
    gram = np.array(
        [
            [products.classes[i[0], :, i[1], j[0], :, j[1]] / (n * m) for j, m in zip(blocks, counts, strict=True)]
            for i, n in zip(blocks, counts, strict=True)
        ]
    ).transpose(0, 2, 1, 3)
    held = products.labels[a] in products.paired, products.labels[b] in products.paired
    # A pair holds one right and one wrong rollout, whatever the share.
    return regime_cosine(gram.sum(axis=(1, 3)), shares, held), corrected_regime(gram, products.sizes, shares, held)
