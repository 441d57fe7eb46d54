"""All measurements on one module: two updates of one weight matrix, as compact singular value decompositions.

With C_u = U_a' U_b and C_v = V_a' V_b, everything but the small angles is computed in matrices of adapter rank.
Definitions (dW_a = U_a S_a V_a'):

cosine               <dW_a, dW_b> / (norm(dW_a) norm(dW_b)) = sum(S_a C_u S_b * C_v) / (norm(S_a) norm(S_b))
angle_first, _last   first and last principal angle between the k leading directions of a side, degrees
grassmann            norm(C_u[:i, :j])^2 / min(i, j): subspace similarity of the LoRA paper (Hu et al. 2021, appendix G)
top_direction        abs(u_a' u_b) or abs(v_a' v_b) of the first singular vectors
top_gap              the larger of the two sigma_2 / sigma_1; near 1 a top direction means little
gram_alignment       cosine of dW_a dW_a' and dW_b dW_b' (input side: dW_a' dW_a ...): blind to the other side's basis
orthogonal_fraction  norm(dW - c dW_ref) / norm(dW) with the least-squares c
norm                 Frobenius norm
effective_rank       exp(entropy of sigma / sum(sigma)) (Roy and Vetterli 2007); effective_rank_squared takes sigma^2
stable_rank          norm(dW)^2 / sigma_1^2
participation        (sum sigma^2)^2 / sum sigma^4
"""

import math
from typing import NamedTuple

import numpy as np

from lossgeometry.geometry import nulls
from lossgeometry.geometry.angles import principal_angles
from lossgeometry.geometry.inside_a import input_space
from lossgeometry.geometry.pooling import Angle, Mean, Measurement, Norm, Ratio, Residual
from lossgeometry.geometry.row_spaces import WholeSpace
from lossgeometry.geometry.scopes import Key
from lossgeometry.updates.factors import inner_product, triangle
from lossgeometry.updates.svd import CompactSVD

# Below this share of the squared norm, 1 - cosine^2 has lost too many digits.
_SMALL_RESIDUAL = 1e-4


class Setting(NamedTuple):
    """What measurements on one pair depend on beside the two updates."""

    names: tuple[str, str]
    """Run ids, for notes."""
    ks: tuple[int, int]
    """Numbers of leading directions to compare: as asked, and as nine in ten of the modules have."""
    reference: int
    """Which of the two the orthogonal fraction is measured against: 0 or 1."""

    @property
    def available(self) -> int:
        return self.ks[1]


class Overlaps(NamedTuple):
    """What the directions of two updates of one module have in common."""

    output: np.ndarray
    """C_u = U_a' U_b, (k_a, k_b)."""
    input: np.ndarray
    """C_v = V_a' V_b, (k_a, k_b)."""

    @classmethod
    def of(cls, a: CompactSVD, b: CompactSVD) -> "Overlaps":
        return cls(a.u.T @ b.u, a.v.T @ b.v)


def measure_module(
    a: CompactSVD, b: CompactSVD, overlaps: Overlaps, index: int, setting: Setting
) -> dict[Key, Measurement | str]:
    """Return every measurement on one module; where one is undefined, the reason instead.

    Parameters
    ----------
    index
        Place of the module among those compared: it chooses the draws of its chance levels.
    """
    overlap_u, overlap_v = overlaps
    weighted = a.s[:, None] * overlap_u * b.s
    inner, norm2_a, norm2_b = inner_product(weighted, overlap_v), float(a.s @ a.s), float(b.s @ b.s)
    variances = nulls.inner_variances(a, b, overlap_u, overlap_v)
    candidates = tuple(nulls.Null(0.0, math.sqrt(variance)) for variance in variances)
    found: dict[Key, Measurement | str] = {("cosine", "none", 0): Ratio(inner, norm2_a, norm2_b, candidates)}
    zero = [name for name, svd in zip(setting.names, (a, b), strict=True) if svd.rank == 0]
    sides = (
        ("output", a.u, b.u, overlap_u, WholeSpace(a.shape[0])),
        ("input", a.v, b.v, overlap_v, input_space(a, b, overlap_v, index)),
    )
    for side, x, y, overlap, space in sides:
        gram = (a.s[:, None] * overlap * b.s) ** 2
        null = space.gram_product(a.s, b.s)
        found["gram_alignment", side, 0] = Ratio(
            float(gram.sum()), float((a.s**4).sum()), float((b.s**4).sum()), (null,)
        )
        found["top_direction", side, 1] = (
            _zero(zero) if zero else Mean(float(abs(overlap[0, 0])), space.top_direction())
        )
        for k in sorted(set(setting.ks)):
            found |= _subspaces(a.rank, b.rank, x, y, overlap, space, side, k, zero, setting)
    found["top_gap", "none", 0] = Mean(max(_gap(a), _gap(b)), nulls.UNDEFINED) if not zero else _zero(zero)
    found["orthogonal_fraction", "none", 0] = (
        _zero(zero)
        if zero
        else _residual(a, b, inner, tuple(v / (norm2_a * norm2_b) for v in variances), setting.reference)
    )
    for suffix, svd, name in zip("ab", (a, b), setting.names, strict=True):
        found[f"norm_{suffix}", "none", 0] = Norm(float(svd.s @ svd.s))
        for metric, value in ranks(svd.s).items():
            found[f"{metric}_{suffix}", "none", 0] = Mean(value, nulls.UNDEFINED) if svd.rank else _zero([name])
    return found


def _zero(names: list[str]) -> str:
    return f"zero update in {' and '.join(names)}"


def _subspaces(rank_a, rank_b, x, y, overlap, space, side, k, zero, setting) -> dict[Key, Measurement | str]:
    """Return angles and subspace similarity of the k leading directions on one side."""
    metrics = ("angle_first", "angle_last", "grassmann")
    short = [f"rank {rank} in {name}" for name, rank in zip(setting.names, (rank_a, rank_b), strict=True) if rank < k]
    if zero or short:
        reason = _zero(zero) if zero else f"fewer than {k} directions: {' and '.join(short)}"
        return {(metric, side, k): reason for metric in metrics}
    angles = principal_angles(x[:, :k], y[:, :k], overlap[:k, :k])
    first, last = space.extreme_angles(k)
    similarity = float(np.sum(overlap[:k, :k] ** 2)) / k
    return {
        ("angle_first", side, k): Angle(float(angles[0]), first),
        ("angle_last", side, k): Angle(float(angles[-1]), last),
        ("grassmann", side, k): Mean(similarity, space.grassmann(k)),
    }


def _gap(svd: CompactSVD) -> float:
    return float(svd.s[1] / svd.s[0]) if svd.rank > 1 else 0.0


def _residual(
    a: CompactSVD, b: CompactSVD, inner: float, cosine_variances: tuple[float, ...], reference: int
) -> Residual:
    """Return what is left of the measured update after projection on the reference."""
    of, off = (b, a) if reference == 0 else (a, b)
    norm2, norm2_off = float(of.s @ of.s), float(off.s @ off.s)
    square = norm2 - inner**2 / norm2_off
    if square < _SMALL_RESIDUAL * norm2:
        # Nearly parallel: the difference itself, of rank k_a + k_b, through the triangles of its stacked factors.
        triangle_u = triangle(np.hstack([of.u, off.u]))
        triangle_v = triangle(np.hstack([of.v * of.s, off.v * (off.s * (-inner / norm2_off))]))
        square = float(np.sum((triangle_u @ triangle_v.T) ** 2))
    return Residual(square, norm2, cosine_variances)


def ranks(s: np.ndarray) -> dict[str, float]:
    """Return the soft ranks of one update from its singular values, (k,); NaN for a zero update."""
    if not s.size:
        return dict.fromkeys(("effective_rank", "effective_rank_squared", "stable_rank", "participation"), math.nan)
    squares = s**2
    return {
        "effective_rank": _exp_entropy(s),
        "effective_rank_squared": _exp_entropy(squares),
        "stable_rank": float(squares.sum() / squares[0]),
        "participation": float(squares.sum() ** 2 / (squares @ squares)),
    }


def _exp_entropy(weights: np.ndarray) -> float:
    share = weights / weights.sum()
    return float(np.exp(-np.sum(share * np.log(share))))
