"""How far an update lies along the leading directions of the weights that it changes.

base_cosine            cosine of dW and the part of it that is written to (side output) or read from (side input) the k
                       leading directions of W
base_angle             smallest principal angle, in degrees, between the k leading output directions of dW and of W
"""

import numpy as np

from lossgeometry.geometry.scopes import Key
from lossgeometry.updates.svd import CompactSVD


def along_base(u: np.ndarray, v: np.ndarray, update: CompactSVD, k: int) -> dict[Key, float]:
    """Return what an update that is not zero, (m, n), has of the directions of W, U (m, p) and V (n, p)."""
    outputs, inputs = u[:, :k].T @ update.u, v[:, :k].T @ update.v
    norm = np.linalg.norm(update.s)
    first = np.linalg.svd(outputs[:, :k], compute_uv=False)[0]
    return {
        ("base_cosine", "output", k): float(np.linalg.norm(outputs * update.s) / norm),
        ("base_cosine", "input", k): float(np.linalg.norm(inputs * update.s) / norm),
        ("base_angle", "output", k): float(np.degrees(np.arccos(min(first, 1.0)))),
    }
