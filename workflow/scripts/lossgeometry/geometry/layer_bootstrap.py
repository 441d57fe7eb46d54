"""How much a global value varies over the depth of the model: a bootstrap over layers.

The modules of a block are one cluster, so layers are resampled, not modules (Field and Welsh 2007,
doi:10.1111/j.1467-9868.2007.00593.x). The interval is spread in depth: what the value would be had the model other
layers like these. It says nothing about how the value would change under another seed.
"""

from collections.abc import Mapping

import numpy as np

DRAWS = 1000
_SEED = 7

Key = tuple[str, str, int]


def depth_interval(draws: np.ndarray) -> tuple[float, float]:
    """Return the 2.5 and 97.5 percentiles of what `depth_draws` gives."""
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return float(low), float(high)


def depth_draws(values: Mapping[Key, np.ndarray], layers: np.ndarray, measured: str) -> dict[Key, np.ndarray]:
    """Return every global similarity, soft rank and angle over resampled layers, the same resamples for all pairs.

    Parameters
    ----------
    values
        {(metric, side, k): value per module, (modules,)}; NaN where undefined.
    layers
        Layer of every module, (modules,).
    measured
        Which of the two updates the orthogonal fraction is a fraction of: "a" or "b".

    Returns
    -------
    `DRAWS` values by key; empty for fewer than two layers. Norms, which add up over layers, have none.
    """
    names, cluster = np.unique(layers, return_inverse=True)
    if len(names) < 2:
        return {}
    picks = np.random.default_rng(_SEED).integers(0, len(names), (DRAWS, len(names)))
    counts = np.zeros((DRAWS, len(names)))
    np.add.at(counts, (np.arange(DRAWS)[:, None], picks), 1)
    weights = counts[:, cluster]
    found = {}
    for key, value in values.items():
        metric, side, _ = key
        if metric.startswith("norm"):
            continue
        if metric.startswith("angle"):
            draws = _weighted_median(value, weights)
        elif metric in ("cosine", "gram_alignment"):
            sizes = [_size(values, metric, run) for run in "ab"]
            inner = np.nan_to_num(value * sizes[0] * sizes[1])
            with np.errstate(invalid="ignore"):
                draws = weights @ inner / np.sqrt((weights @ sizes[0] ** 2) * (weights @ sizes[1] ** 2))
        elif metric == "orthogonal_fraction":
            size = np.where(np.isnan(value), 0, values[f"norm_{measured}", "none", 0])
            with np.errstate(invalid="ignore"):
                draws = np.sqrt(weights @ np.nan_to_num((value * size) ** 2) / (weights @ size**2))
        else:
            defined = ~np.isnan(value)
            with np.errstate(invalid="ignore"):
                draws = weights[:, defined] @ value[defined] / weights[:, defined].sum(axis=1)
        if not np.isnan(draws).all():
            found[key] = draws
    return found


def _size(values: Mapping[Key, np.ndarray], metric: str, run: str) -> np.ndarray:
    """Return the norm of each module's update, or of its Gram matrix: norm(dW dW')^2 = norm(dW)^4 / participation."""
    norm = values[f"norm_{run}", "none", 0]
    if metric == "cosine":
        return norm
    return np.nan_to_num(norm**2 / np.sqrt(values[f"participation_{run}", "none", 0]))


def _weighted_median(value: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the median of `value` (n,) repeated `weights` (draws, n) times, for each draw; NaN values do not count."""
    order = np.argsort(value)[: int(np.sum(~np.isnan(value)))]
    if not order.size:
        return np.full(len(weights), np.nan)
    cumulative = weights[:, order].cumsum(axis=1)
    total = cumulative[:, -1:]
    # The middle element, or the two middle ones of an even count.
    lower = np.argmax(cumulative >= np.ceil(total / 2), axis=1)
    upper = np.argmax(cumulative >= np.floor(total / 2) + 1, axis=1)
    ordered = value[order]
    return np.where(total[:, 0] > 0, (ordered[lower] + ordered[upper]) / 2, np.nan)
