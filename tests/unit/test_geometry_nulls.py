"""Every chance level against random draws: means within 4 standard errors of 200 draws, and spreads alike.

Two samplers: uniform (Haar) rotations, which are the null model; and random permutations with random signs of the
coordinates, which know nothing of the formulas' derivation.
"""

import math

import numpy as np
import pytest
from geometry_tools import assert_within_four_standard_errors

from lossgeometry.geometry import nulls
from lossgeometry.geometry.angle_nulls import median_angle, sample_extreme_angles
from lossgeometry.geometry.angles import principal_angles
from lossgeometry.geometry.modules import Setting, measure_module
from lossgeometry.geometry.pooling import pool
from lossgeometry.updates.svd import CompactSVD, compact_svd

DRAWS = 200


def haar(rng, d, k):
    """Return (d, k) orthonormal columns spanning a uniformly random subspace."""
    q, r = np.linalg.qr(rng.standard_normal((d, k)))
    return q * np.sign(np.diag(r))


def rotated(rng, svd):
    m, n = svd.shape
    return CompactSVD(haar(rng, m, m) @ svd.u, svd.s, haar(rng, n, n) @ svd.v)


def permuted(rng, svd):
    """Permute the coordinates of both sides and flip their signs."""
    m, n = svd.shape
    u = rng.choice([-1.0, 1.0], (m, 1)) * svd.u[rng.permutation(m)]
    return CompactSVD(u, svd.s, rng.choice([-1.0, 1.0], (n, 1)) * svd.v[rng.permutation(n)])


def update(rng, m, r, n):
    return compact_svd(rng.standard_normal((m, r)) * np.logspace(0, -1, r), rng.standard_normal((r, n)))


SETTING = Setting(("a", "b"), (3,), shared_init=False, reference=0)
NULLED = [
    ("cosine", "none", 0),
    ("orthogonal_fraction", "none", 0),
    *[
        (metric, side, k)
        for side in ("output", "input")
        for metric, k in (
            ("gram_alignment", 0),
            ("top_direction", 1),
            ("angle_first", 3),
            ("angle_last", 3),
            ("grassmann", 3),
        )
    ],
]


@pytest.fixture(scope="module", params=[rotated, permuted], ids=["rotations", "permutations"])
def draws(request):
    """Return {metric: values in 200 random draws} and {metric: null} of one module of two unrelated updates."""
    rng = np.random.default_rng(11)
    a, b = update(rng, 60, 5, 40), update(rng, 60, 5, 40)
    found = [measure_module(a, request.param(rng, b), 40, SETTING) for _ in range(DRAWS)]
    return {key: [pool([draw[key]])[0] for draw in found] for key in NULLED}, {
        key: pool([found[0][key]])[1] for key in NULLED
    }


@pytest.mark.parametrize("key", NULLED, ids=lambda key: "-".join(map(str, key)))
def test_nulls_of_a_module(draws, key):
    samples, null = draws
    assert_within_four_standard_errors(samples[key], null[key])


@pytest.mark.parametrize("key", NULLED, ids=lambda key: "-".join(map(str, key)))
def test_nulls_of_pooled_modules(key):
    """Four modules of two shapes and unequal norms, pooled as a layer is."""
    rng = np.random.default_rng(12)
    shapes = [(60, 5, 40), (60, 5, 40), (24, 5, 40), (40, 5, 60)]
    pairs = [(update(rng, *shape), update(rng, *shape)) for shape in shapes]
    pairs = [(a, b._replace(s=b.s * (i + 1))) for i, (a, b) in enumerate(pairs)]
    found = [[measure_module(a, rotated(rng, b), b.shape[1], SETTING)[key] for a, b in pairs] for _ in range(DRAWS)]
    assert_within_four_standard_errors([pool(draw)[0] for draw in found], pool(found[0])[1])


def test_cosine_under_a_shared_initialisation():
    """Independent B on one A: the chance band is wide, and is read off the pair's own input side."""
    rng = np.random.default_rng(13)
    m, r, n = 60, 6, 300
    start = rng.uniform(-1, 1, (r, n)) / math.sqrt(n)
    setting = SETTING._replace(shared_init=True)
    values, spreads = [], []
    for _ in range(DRAWS):
        a, b = (compact_svd(rng.standard_normal((m, r)), start) for _ in range(2))
        cosine = measure_module(a, b, r, setting)["cosine", "none", 0]
        value, null = pool([cosine])
        values.append(value / null.sd)
        spreads.append(null.sd)
    assert_within_four_standard_errors(values, nulls.Null(0.0, 1.0))
    assert np.mean(spreads) > 5 / math.sqrt(m * n)


@pytest.mark.parametrize("key", [key for key in NULLED if key[1] == "input"], ids=lambda key: key[0])
def test_input_side_under_a_shared_initialisation(key):
    """With one A of r rows, unrelated updates agree on the input side as random directions in r dimensions do."""
    rng = np.random.default_rng(14)
    m, r, n = 200, 8, 300
    start = haar(rng, n, r).T  # a random A with n >> r is close to this
    setting = SETTING._replace(shared_init=True)
    pairs = [[compact_svd(rng.standard_normal((m, r)), start) for _ in range(2)] for _ in range(DRAWS)]
    found = [measure_module(a, b, r, setting)[key] for a, b in pairs]
    # In standard units, because some nulls depend on each pair's own spectra.
    samples = [(value - null.mean) / null.sd for value, null in (pool([item]) for item in found)]
    assert_within_four_standard_errors(samples, nulls.Null(0.0, 1.0))


@pytest.mark.parametrize(("i", "j", "d"), [(1, 1, 30), (2, 5, 30), (4, 4, 9), (10, 3, 200)])
def test_subspace_similarity(i, j, d):
    rng = np.random.default_rng(i * d)
    samples = [np.linalg.norm(haar(rng, d, i).T @ haar(rng, d, j)) ** 2 / min(i, j) for _ in range(DRAWS)]
    assert_within_four_standard_errors(samples, nulls.grassmann(i, j, d))


@pytest.mark.parametrize(("k", "l", "d"), [(1, 1, 50), (2, 6, 40), (10, 10, 128), (10, 10, 1024), (5, 5, 11)])
def test_angles_between_random_subspaces(k, l, d):  # noqa: E741
    rng = np.random.default_rng(k + d)
    samples = np.array([principal_angles(haar(rng, d, k), haar(rng, d, l))[[0, -1]] for _ in range(DRAWS)])
    for last in (False, True):
        assert_within_four_standard_errors(samples[:, int(last)], median_angle(((k, l, d),), last))


def test_angles_of_subspaces_that_must_intersect():
    rng = np.random.default_rng(15)
    samples = [principal_angles(haar(rng, 9, 5), haar(rng, 9, 6))[-1] for _ in range(DRAWS)]
    first, last = sample_extreme_angles(5, 6, 9)
    assert not first.any()
    assert abs(np.mean(samples) - last.mean()) < 4 * last.std() / math.sqrt(DRAWS)
    assert not np.any(sample_extreme_angles(8, 8, 8))


def test_first_angle_follows_its_known_limits():
    """Exact moments at k = 1; at k = 10, Johnstone's (2008) Tracy-Widom approximation of the largest cosine."""
    mean = median_angle(((1, 1, 64),), False)
    cosines = np.cos(np.radians(sample_extreme_angles(1, 1, 64)[0]))
    exact = nulls.top_direction(64)
    assert abs(cosines.mean() - exact.mean) < 4 * exact.sd / math.sqrt(len(cosines)) and mean.mean < 90
    k, d = 10, 2560
    phi = 2 * math.asin(math.sqrt((k - 0.5) / (d - 1)))
    centre = 2 * math.log(math.tan(phi))
    scale = (16 / (d - 1) ** 2 / (math.sin(2 * phi) ** 2 * math.sin(phi) ** 2)) ** (1 / 3)
    logit = centre - 1.2065 * scale  # mean of the Tracy-Widom law of order 1
    approximation = math.degrees(math.acos(math.sqrt(1 / (1 + math.exp(-logit)))))
    assert median_angle(((k, k, d),), False).mean == pytest.approx(approximation, abs=0.1)


def test_chance_is_not_ninety_degrees():
    assert median_angle(((10, 10, 1024),), False).mean < 81
    assert median_angle(((10, 10, 4096),), False).mean < 86


def test_nulls_do_not_depend_on_what_was_computed_before():
    case = ((3, 3, 77),) * 5
    before = median_angle(case, False)
    median_angle.cache_clear()
    sample_extreme_angles.cache_clear()
    median_angle(((4, 4, 50),), False)
    assert median_angle(case, False) == before
