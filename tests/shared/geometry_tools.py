"""Adapters on disk, and the measurements done the slow way: dense float64 matrices and textbook definitions."""

import json
import math

import ml_dtypes
import numpy as np

from lossgeometry.files.safetensors import write_tensors
from lossgeometry.geometry.pairs import compare_pair
from lossgeometry.updates.peft import Adapter
from lossgeometry.updates.reduction import write_delta
from lossgeometry.updates.stored import Delta

DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16, "float64": np.float64}
PREFIX = "base_model.model."


def name(layer, projection):
    return f"model.layers.{layer}.self_attn.{projection}_proj"


def random_factors(rng, m, r, n, spread=0.0):
    """Return B (m, r) and A (r, n) with singular values of B falling over `spread` powers of ten."""
    return rng.standard_normal((m, r)) * np.logspace(0, -spread, r), rng.standard_normal((r, n)) / np.sqrt(n)


def pair_of_factors(rng, m, r, n, spread=0.0):
    """Return two related updates, so that no value sits at chance."""
    b, a = random_factors(rng, m, r, n, spread)
    c, d = random_factors(rng, m, r, n, spread)
    return (b, a), (0.7 * b + c, a + 0.2 * d)


def model(rng, layers=3):
    """Return two updates of a small model whose projections differ in shape."""
    shapes = {"q": (24, 4, 12), "k": (8, 4, 12), "v": (8, 4, 12), "o": (12, 4, 24)}
    pairs = {name(i, p): pair_of_factors(rng, *shape) for i in range(layers) for p, shape in shapes.items()}
    return {m: pair[0] for m, pair in pairs.items()}, {m: pair[1] for m, pair in pairs.items()}


def write_adapter(folder, factors, dtype="float64", suffix="", prefix=PREFIX, **config):
    """Write a PEFT folder from {module: (B, A)}; float64 is allowed so that tests control every digit."""
    ranks = {module: len(a) for module, (_, a) in factors.items()}
    rank = max(ranks.values())
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": 2 * rank, "bias": "none", "use_rslora": False}
    settings["rank_pattern"] = {module: r for module, r in ranks.items() if r != rank}
    settings["alpha_pattern"] = {module: 2 * r for module, r in ranks.items() if r != rank}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps({**settings, **config}))
    tensors = {}
    for module, (b, a) in factors.items():
        tensors[f"{prefix}{module}.lora_A{suffix}.weight"] = a.astype(DTYPES[dtype])
        tensors[f"{prefix}{module}.lora_B{suffix}.weight"] = b.astype(DTYPES[dtype])
    write_tensors(folder / "adapter_model.safetensors", tensors, {"format": "pt"})
    return folder


def delta_of(folder, factors, **config):
    write_adapter(folder, factors, **config)
    write_delta(Adapter(folder), folder / "delta.safetensors")
    return Delta(folder / "delta.safetensors")


def compare(tmp_path, factors_a, factors_b, k=3, reference=0):
    """Return {(scope, module, layer, projection, metric, side, k): row} of two adapters that went through files."""
    a, b = delta_of(tmp_path / "a", factors_a), delta_of(tmp_path / "b", factors_b)
    return by_key(compare_pair(a, b, ("a", "b"), k, reference).rows)


def by_key(rows):
    return {row[:7]: row for row in rows}


def values(rows, scope="module"):
    """Return {(module, layer, projection, metric, side, k): value} at one scope."""
    return {key[1:]: row.value for key, row in rows.items() if key[0] == scope}


def dense_angles(x, y):
    """Return principal angles, degrees, with every cosine and every sine from its own decomposition.

    (`scipy.linalg.subspace_angles` loses small angles when large ones are present, and is no oracle for those.)
    """
    cosines = np.linalg.svd(x.T @ y, compute_uv=False)
    sines = np.linalg.svd(y - x @ (x.T @ y), compute_uv=False)[::-1]
    return np.degrees(np.arctan2(sines, cosines))


def dense_metrics(x, y, k):
    """Return {(metric, side, k): value} of two dense float64 matrices, from their full decompositions."""
    (u, s, vt), (p, t, qt) = np.linalg.svd(x), np.linalg.svd(y)
    tolerance = max(x.shape) * np.finfo(float).eps
    s, t = s[s > tolerance * s[0]], t[t > tolerance * t[0]]
    norm = np.linalg.norm
    found = {("cosine", "none", None): np.sum(x * y) / (norm(x) * norm(y))}
    for side, left, right, gram_x, gram_y in (
        ("output", u, p, x @ x.T, y @ y.T),
        ("input", vt.T, qt.T, x.T @ x, y.T @ y),
    ):
        found["gram_alignment", side, None] = np.sum(gram_x * gram_y) / (norm(gram_x) * norm(gram_y))
        found["top_direction", side, 1] = abs(left[:, 0] @ right[:, 0])
        angles = dense_angles(left[:, :k], right[:, :k])
        found["angle_first", side, k], found["angle_last", side, k] = angles.min(), angles.max()
        found["grassmann", side, k] = norm(left[:, :k].T @ right[:, :k]) ** 2 / k
    found["top_gap", "none", None] = max((z[1] / z[0] if len(z) > 1 else 0.0) for z in (s, t))
    found["orthogonal_fraction", "none", None] = norm(y - np.sum(x * y) / np.sum(x * x) * x) / norm(y)
    for suffix, z in (("a", s), ("b", t)):
        found[f"norm_{suffix}", "none", None] = np.sqrt(np.sum(z**2))
        for metric, weights in (("effective_rank", z), ("effective_rank_squared", z**2)):
            share = weights / weights.sum()
            found[f"{metric}_{suffix}", "none", None] = np.exp(-np.sum(share * np.log(share)))
        found[f"stable_rank_{suffix}", "none", None] = np.sum(z**2) / z[0] ** 2
        found[f"participation_{suffix}", "none", None] = np.sum(z**2) ** 2 / np.sum(z**4)
    return found


def assert_within_four_standard_errors(samples, null):
    samples = np.asarray(samples)
    assert null.sd > 0
    assert abs(samples.mean() - null.mean) < 4 * null.sd / math.sqrt(len(samples)), (samples.mean(), null)
    # The standard error of a standard deviation, allowing for tails heavier than the normal's.
    kurtosis = max(3.0, np.mean((samples - samples.mean()) ** 4) / samples.var() ** 2)
    error = null.sd * math.sqrt((kurtosis - 1) / 4 / len(samples))
    assert abs(samples.std(ddof=1) - null.sd) < 4 * error, (samples.std(ddof=1), null)
