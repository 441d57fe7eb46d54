"""From inner products of fold sums to cosines of population gradients, their errors, and how they move with the data.

Prompts are the independent units. A product of the sums of two losses over the *same* prompts holds their common noise, so
every estimate here takes products over disjoint folds only: E <v_f, w_g> = n_f n_g <mu_v, mu_w> for f != g.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A value, or an array of them, with its jackknife standard error over folds."""

    value: Any
    error: Any


class Noise(NamedTuple):
    """How far a loss's gradient on a sample of prompts is from that on all prompts."""

    scale: Estimate
    """trace of the covariance of a prompt's gradient over the squared norm of its mean, in prompts."""
    half_cosine: float
    """Expected cosine between the gradients of two disjoint halves of these prompts."""


def _crossed(gram: np.ndarray, sizes: np.ndarray, kept: np.ndarray) -> float:
    """Return the mean of <v_f, w_g> / (n_f n_g) over folds f != g, weighted by n_f n_g."""
    weights = np.outer(sizes[kept], sizes[kept])
    np.fill_diagonal(weights, 0)
    products = gram[np.ix_(kept, kept)].copy()
    np.fill_diagonal(products, 0)
    return float(products.sum() / weights.sum())


def _jackknife(value: Callable[[np.ndarray], Any], folds: int) -> Estimate:
    """Return value(all folds) with the error from leaving out each fold; NaN where any of them is undefined."""
    everything = np.arange(folds)
    left_out = np.array([value(np.delete(everything, fold)) for fold in range(folds)])
    error = np.sqrt((folds - 1) / folds * np.sum((left_out - left_out.mean(axis=0)) ** 2, axis=0))
    return Estimate(value(everything), error)


def sample_cosine(gram_aa: np.ndarray, gram_ab: np.ndarray, gram_bb: np.ndarray) -> float:
    """Return the cosine of the sums over all folds; each argument is (folds, folds)."""
    return float(gram_ab.sum() / np.sqrt(gram_aa.sum() * gram_bb.sum()))


def corrected_cosine(gram_aa: np.ndarray, gram_ab: np.ndarray, gram_bb: np.ndarray, sizes: np.ndarray) -> Estimate:
    """Return the cosine of the population gradients of two losses.

    Parameters
    ----------
    gram_aa, gram_ab, gram_bb
        Inner products of fold sums, (folds, folds).
    sizes
        Prompts in each fold, (folds,).

    Returns
    -------
    NaN where a squared norm is estimated at or below 0: the noise hides the gradient.
    """
    sizes = np.asarray(sizes, float)

    def cosine(kept: np.ndarray) -> float:
        norms = _crossed(gram_aa, sizes, kept), _crossed(gram_bb, sizes, kept)
        return _crossed(gram_ab, sizes, kept) / np.sqrt(norms[0] * norms[1]) if min(norms) > 0 else np.nan

    return _jackknife(cosine, len(sizes))


def noise(gram: np.ndarray, sizes: np.ndarray) -> Noise:
    """Return the noise of one loss's gradient; `gram` are inner products of its fold sums, (folds, folds)."""
    sizes = np.asarray(sizes, float)

    def scale(kept: np.ndarray) -> float:
        squared = _crossed(gram, sizes, kept)
        trace = np.mean(np.diag(gram)[kept] / sizes[kept] - sizes[kept] * squared)
        return trace / squared if squared > 0 else np.nan

    found = _jackknife(scale, len(sizes))
    return Noise(found, half_cosine(found.value, sizes.sum()))


def half_cosine(scale: float, prompts: float) -> float:
    """Return |mu|^2 / (|mu|^2 + trS / (n/2)), the cosine that two disjoint halves of `prompts` are expected to have."""
    return 1 / (1 + 2 * scale / prompts)


def prompts_for(scale: float, cosine: float) -> float:
    """Return how many prompts a sample needs so that its gradient has this expected cosine to the population's."""
    return scale * cosine**2 / (1 - cosine**2)


def regime_cosine(gram: np.ndarray, shares: np.ndarray, paired: tuple[bool, bool] = (False, False)) -> np.ndarray:
    """Return the cosine of two losses as the share p of right rollouts varies, (shares,).

    Each loss's gradient is p times its mean over right rollouts plus (1 - p) times that over wrong ones, with the weights that it
    gives inside a class held as they are at the measured share. For SFT and RFT this is the closed form
    (p a + (1-p) c) / sqrt(a (p^2 a + 2 p (1-p) c + (1-p)^2 b)).

    Parameters
    ----------
    gram
        Products of the mean gradients, (4, 4): of the first loss on right and wrong rollouts, and of the second.
    shares
        p, (shares,).
    paired
        Whether the first and the second loss are sums over pairs, which hold one right and one wrong rollout whatever p is.
    """
    mix, half = np.stack([shares, 1 - shares]), np.full((2, len(shares)), 0.5)
    first, second = (half if fixed else mix for fixed in paired)
    sides = ((first, gram[:2, 2:], second), (first, gram[:2, :2], first), (second, gram[2:, 2:], second))
    products = [np.einsum("is,ij,js->s", left, block, right) for left, block, right in sides]
    with np.errstate(invalid="ignore", divide="ignore"):
        return products[0] / np.sqrt(
            np.where(np.minimum(products[1], products[2]) > 0, products[1] * products[2], np.nan)
        )


def corrected_regime(
    gram: np.ndarray, sizes: np.ndarray, shares: np.ndarray, paired: tuple[bool, bool] = (False, False)
) -> Estimate:
    """Return `regime_cosine` of the population gradients, with errors, each (shares,).

    Parameters
    ----------
    gram
        Products of fold sums of the four classes, (4, folds, 4, folds), each divided by the rows of its class.
    sizes
        Prompts in each fold, (folds,).
    """
    sizes = np.asarray(sizes, float)

    def cosine(kept: np.ndarray) -> np.ndarray:
        products = [[_crossed(gram[i, :, j], sizes, kept) for j in range(4)] for i in range(4)]
        return regime_cosine(np.array(products), shares, paired)

    return _jackknife(cosine, len(sizes))
