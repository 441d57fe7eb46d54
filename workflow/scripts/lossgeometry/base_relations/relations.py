"""How an update relates to the weights W that it changes, each quantity beside what a random update would give.

relative_norm          norm(dW) / norm(W)
spectral_shift         norm(sigma(W + dW) - sigma(W)) / norm(sigma(W)), the normalised spectral shift of Zhu et al. 2025
                       (doi:10.48550/arXiv.2511.08567)
principal_overlap      share of the bf16-visible changes that fall on the tenth of the entries that are largest in the
                       rank-k part of W; low_magnitude_overlap: on the tenth that is smallest in W (same paper)
intruders              how many of the k leading output directions of W + dW have a cosine below one half with every
                       output direction of W (Shuttleworth et al. 2024, doi:10.48550/arXiv.2410.21228)
bf16_visible           share of the entries that differ once W and W + dW are rounded to bf16
bf16_cosine            cosine of dW and the update that is left after this rounding

Directions of W that an update shares, and entries of it that it changes, are in `directions` and `sparsity`.

A random update has the same singular values and uniformly random directions. To first order its spectral shift is the
diagonal of U' dW V, whose p entries have variance norm(dW)^2 / (m n) each. The other levels come from a few draws,
since small entries of W change visibly under any update, so that overlaps are not at a tenth by chance.
"""

import math
from collections.abc import Iterator

import ml_dtypes
import numpy as np

from lossgeometry.base_relations.directions import along_base
from lossgeometry.base_relations.sparsity import sparsity
from lossgeometry.base_relations.spectra import BaseSpectra
from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFolder
from lossgeometry.geometry.nulls import UNDEFINED, Null
from lossgeometry.geometry.pooling import Mean, Measurement
from lossgeometry.geometry.scopes import Key, Row, places, rows_of
from lossgeometry.updates.full import truncated_svd
from lossgeometry.updates.svd import CompactSVD
from lossgeometry.updates.update import Update

MASK_SHARE = 0.1
INTRUDER_COSINE = 0.5
_DRAWS = 5
_SEED = 11

Spectrum = tuple[np.ndarray, np.ndarray, np.ndarray]


def relate_module(weight: np.ndarray, spectrum: Spectrum, update: CompactSVD, k: int) -> dict[Key, Measurement | str]:
    """Return every relation of one update to the weight matrix that it changes; where one is undefined, the reason.

    Parameters
    ----------
    weight
        W, (m, n), float64.
    spectrum
        U (m, p), S (p,) and V (n, p) of W, p = min(m, n).
    update
        Compact decomposition of dW, (m, n).
    k
        Leading directions to look at.
    """
    u, s, v = spectrum
    if update.rank == 0:
        return dict.fromkeys(_keys(k), "zero update")
    masks = _tenth(np.abs(u[:, :k] * s[:k] @ v[:, :k].T)), _tenth(-np.abs(weight))
    values = np.linalg.svd(weight + _dense(update), compute_uv=False)
    norm = float(np.linalg.norm(s))
    relative = float(np.linalg.norm(update.s)) / norm
    found: dict[Key, Measurement | str] = {
        ("relative_norm", "none", 0): Mean(relative, UNDEFINED),
        ("spectral_shift", "none", 0): Mean(float(np.linalg.norm(values - s)) / norm, _shift_null(relative, update)),
    }
    chance = [_relations(weight, spectrum, masks, drawn, k) for drawn in random_updates(update)]
    for key, value in _relations(weight, spectrum, masks, update, k).items():
        draws = [draw[key] for draw in chance]
        found[key] = Mean(value, Null(float(np.mean(draws)), float(np.std(draws, ddof=1))))
        if math.isnan(value):
            found[key] = "no entry changes" if key[0].startswith("changed") else "no entry changes in bf16"
    return found


def _relations(
    weight: np.ndarray, spectrum: Spectrum, masks: tuple[np.ndarray, np.ndarray], update: CompactSVD, k: int
) -> dict[Key, float]:
    """Return what has a level from random updates."""
    u, _, v = spectrum
    dense = _dense(update)
    return {
        **_visible_relations(weight, u, masks, dense, k),
        **along_base(u, v, update, k),
        **sparsity(weight, masks, dense, k),
    }


def _dense(update: CompactSVD) -> np.ndarray:
    return update.u * update.s @ update.v.T


def _keys(k: int) -> list[Key]:
    plain: tuple[str, ...] = ("relative_norm", "spectral_shift", "low_magnitude_overlap", "bf16_visible", "bf16_cosine")
    plain += ("sparsity", "sparsity_at_equal_norm", "changed_low_magnitude")
    leading = (("principal_overlap", "none"), ("changed_principal", "none"), ("intruders", "output"))
    along = (("base_cosine", "output"), ("base_cosine", "input"), ("base_angle", "output"))
    return [*((metric, "none", 0) for metric in plain), *((*named, k) for named in leading + along)]


def _visible_relations(
    weight: np.ndarray, base: np.ndarray, masks: tuple[np.ndarray, np.ndarray], dense: np.ndarray, k: int
) -> dict[Key, float]:
    """Return what an update (m, n) does to the leading directions of W, and to W in bf16; NaN if nothing is visible."""
    kept = kept_in_bf16(weight, dense)
    visible = kept != 0
    changed = int(visible.sum())
    principal, low = (float((visible & mask).sum()) / changed if changed else math.nan for mask in masks)
    cosine = float(np.sum(kept * dense) / np.linalg.norm(kept) / np.linalg.norm(dense)) if changed else math.nan
    directions = truncated_svd(weight + dense, k, oversampling=64, tolerance=1e-5).u
    return {
        ("principal_overlap", "none", k): principal,
        ("low_magnitude_overlap", "none", 0): low,
        ("intruders", "output", k): float(count_intruders(directions, base)),
        ("bf16_visible", "none", 0): changed / visible.size,
        ("bf16_cosine", "none", 0): cosine,
    }


def kept_in_bf16(weight: np.ndarray, dense: np.ndarray) -> np.ndarray:
    """Return what is left of an update, (m, n), once W and W + dW are rounded to bfloat16."""
    before, after = (matrix.astype(ml_dtypes.bfloat16).astype(np.float64) for matrix in (weight, weight + dense))
    return after - before


def random_updates(update: CompactSVD) -> Iterator[CompactSVD]:
    """Return updates with the singular values of one update and random directions."""
    rng = np.random.default_rng(_SEED)
    for _ in range(_DRAWS):
        u, v = (np.linalg.qr(rng.standard_normal(side.shape))[0] for side in (update.u, update.v))
        yield CompactSVD(u, update.s, v)


def relate_run(delta: Update, spectra: BaseSpectra, weights: TensorFolder, run: str, k: int) -> list[Row]:
    """Return the relations of one run to its base at every scope, in the columns of geometry.parquet.

    Pooled values are means over modules.

    Raises
    ------
    InputError
        If a module of the run has no weight matrix of the same shape in the base.
    """
    measured: dict[str, dict[Key, Measurement | str]] = {}
    for module in delta.modules:
        name, shape = f"{module}.weight", delta.shape(module)
        transposed = module in delta.transposed
        stored = shape[::-1] if transposed else shape
        if weights.shapes.get(name) != stored or module not in spectra:
            raise InputError(
                f"{run} updates {module} {shape}, which the base has not in this shape; set geometry.relation_to_base "
                "to false, or name the base model of this adapter as the student"
            )
        weight, (u, s, v) = weights.read(name).astype(np.float64), spectra.read(module)
        if transposed:
            weight, u, v = weight.T, v, u
        measured[module] = relate_module(weight, (u, s, v), delta.svd(module), k)
        print(f"related {module}")
    return [row for place, names in places(list(measured)) for row in rows_of(place, [measured[m] for m in names])]


def count_intruders(directions: np.ndarray, base: np.ndarray) -> int:
    """Return how many of the directions (m, k) have a cosine below one half with every column of the base (m, p)."""
    return int(np.sum(np.abs(base.T @ directions).max(axis=0) < INTRUDER_COSINE))


def _shift_null(relative: float, update: CompactSVD) -> Null:
    """Return the first-order law of the spectral shift, the norm of p diagonal entries of a randomly turned update.

    An entry is sum_r s_r a_r b_r / sqrt(m n) with standard normal a and b: its fourth moment is (3 + 6 / participation)
    times its variance squared.
    """
    p, entry = min(update.shape), relative / math.sqrt(math.prod(update.shape))
    excess = 2 + 6 * float(np.sum(update.s**4)) / float(update.s @ update.s) ** 2
    return Null(entry * math.sqrt(p) * (1 - excess / (8 * p)), entry * math.sqrt(excess) / 2)


def _tenth(score: np.ndarray) -> np.ndarray:
    """Return the mask of the tenth of all entries with the largest score."""
    chosen = max(round(MASK_SHARE * score.size), 1)
    mask = np.zeros(score.size, bool)
    mask[np.argpartition(-score, chosen - 1, axis=None)[:chosen]] = True
    return mask.reshape(score.shape)
