"""Every chance level against random draws: means within 4 standard errors of 200 draws, and spreads alike.

Two samplers: uniform (Haar) rotations, which are the null model; and random permutations with random signs of the
coordinates, which know nothing of the formulas' derivation.
"""

import math

import numpy as np
import pytest
from geometry_tools import assert_within_four_standard_errors

from lossgeometry.geometry import nulls
from lossgeometry.geometry.angle_nulls import median_null, sample_extreme_angles
from lossgeometry.geometry.angles import principal_angles
from lossgeometry.geometry.modules import Overlaps, Setting, measure_module
from lossgeometry.geometry.pooling import pool, widest_first
from lossgeometry.geometry.row_spaces import RowSpaces
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


def measured(a, b, index=0):
    return measure_module(a, b, Overlaps.of(a, b), index, SETTING)


def update(rng, m, r, n):
    return compact_svd(rng.standard_normal((m, r)) * np.logspace(0, -1, r), rng.standard_normal((r, n)))


SETTING = Setting(("a", "b"), (3, 3), reference=0)
STANDARD = nulls.Null(0.0, 1.0)
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
    """Return {metric: values in 200 random draws of two unrelated updates, in standard units of their own nulls}."""
    rng = np.random.default_rng(11)
    a, b = update(rng, 60, 5, 40), update(rng, 60, 5, 40)
    found = [measured(a, request.param(rng, b), index) for index in range(DRAWS)]
    return {key: [standardised([draw[key]]) for draw in found] for key in NULLED}


def standardised(items):
    value, null = pool(items)
    return (value - null.mean) / null.sd


@pytest.mark.parametrize("key", NULLED, ids=lambda key: "-".join(map(str, key)))
def test_nulls_of_a_module(draws, key):
    assert_within_four_standard_errors(draws[key], STANDARD)


@pytest.mark.parametrize("key", NULLED, ids=lambda key: "-".join(map(str, key)))
def test_nulls_of_pooled_modules(key):
    """Four modules of two shapes and unequal norms, pooled as a layer is."""
    rng = np.random.default_rng(12)
    shapes = [(60, 5, 40), (60, 5, 40), (24, 5, 40), (40, 5, 60)]
    pairs = [(update(rng, *shape), update(rng, *shape)) for shape in shapes]
    pairs = [(a, b._replace(s=b.s * (i + 1))) for i, (a, b) in enumerate(pairs)]
    found = [
        [measured(a, rotated(rng, b), 4 * index + place)[key] for place, (a, b) in enumerate(pairs)]
        for index in range(DRAWS)
    ]
    assert_within_four_standard_errors([standardised(draw) for draw in found], STANDARD)


def dense(svd):
    return svd.u * svd.s @ svd.v.T


@pytest.mark.parametrize("side", ["outputs", "inputs"])
def test_variance_of_the_inner_product_with_one_side_turned(side):
    """Updates that share their input space, turned as dense matrices on one side, with the other as it is found."""
    rng = np.random.default_rng(13)
    start = rng.standard_normal((4, 40))
    a, b = (compact_svd(rng.standard_normal((30, 4)), start + 0.3 * rng.standard_normal((4, 40))) for _ in range(2))
    variance = nulls.inner_variances(a, b, a.u.T @ b.u, a.v.T @ b.v)[side == "inputs"]
    x, y = dense(a), dense(b)
    if side == "outputs":
        samples = [np.sum(x * (haar(rng, 30, 30) @ y)) for _ in range(5 * DRAWS)]
    else:
        samples = [np.sum(x * (y @ haar(rng, 40, 40))) for _ in range(5 * DRAWS)]
    assert_within_four_standard_errors(samples, nulls.Null(0.0, math.sqrt(variance)))


def test_the_wider_null_of_the_cosine_counts_for_a_projection():
    rng = np.random.default_rng(14)
    start, end = rng.standard_normal((4, 40)), rng.standard_normal((30, 4))
    for inputs, expected in ((True, 0), (False, 1)):
        pairs = [
            [
                compact_svd(rng.standard_normal((30, 4)), start)
                if inputs
                else compact_svd(end, update(rng, 40, 4, 40).v.T)
                for _ in range(2)
            ]
            for _ in range(3)
        ]
        modules = [measured(*pair) for pair in pairs]
        before = [items["cosine", "none", 0].nulls for items in modules]
        widest_first(modules)
        assert [items["cosine", "none", 0].nulls[0] for items in modules] == [model[expected] for model in before]
        assert all(
            items["cosine", "none", 0].nulls[0] == max(model) for items, model in zip(modules, before, strict=True)
        )


@pytest.mark.parametrize("ranks", [(5, 5), (4, 7), (7, 4)])
def test_directions_turned_inside_row_spaces(ranks):
    """Every statistic of the input side against dense rotations of the directions inside row spaces that stay put."""
    rng = np.random.default_rng(sum(ranks))
    v_a, common = haar(rng, 30, ranks[0]), haar(rng, 30, ranks[1])
    v_b = np.linalg.qr(common + 0.5 * (v_a @ rng.standard_normal(ranks)))[0]
    s_a, s_b = np.logspace(0, -1, ranks[0]), np.logspace(0, -0.7, ranks[1])
    samples = {"gram": [], "grassmann": [], "top": [], "first": [], "last": []}
    for _ in range(10 * DRAWS):
        overlap = (v_a @ haar(rng, ranks[0], ranks[0])).T @ (v_b @ haar(rng, ranks[1], ranks[1]))
        samples["gram"].append(np.sum((s_a[:, None] * overlap * s_b) ** 2))
        samples["grassmann"].append(np.sum(overlap[:2, :2] ** 2) / 2)
        samples["top"].append(abs(overlap[0, 0]))
        angles = np.degrees(np.arccos(np.linalg.svd(overlap[:2, :2], compute_uv=False)))
        samples["first"].append(angles[0])
        samples["last"].append(angles[1])
    spaces = [RowSpaces.of(v_a.T @ v_b, index) for index in range(300)]
    found = {"gram": spaces[0].gram_product(s_a, s_b), "grassmann": spaces[0].grassmann(2)}
    found["top"] = spaces[0].top_direction()
    # One module has few draws; all of them together have many, and are independent of each other.
    draws = [np.concatenate(part) for part in zip(*(space.extreme_angles(2) for space in spaces), strict=True)]
    found |= {name: median_null([part]) for name, part in zip(("first", "last"), draws, strict=True)}
    for name, null in found.items():
        assert_within_four_standard_errors(samples[name], null)


def test_chance_inside_row_spaces_depends_on_how_they_lie_alone():
    """Not on the basis of either, nor on which update comes first."""
    rng = np.random.default_rng(16)
    overlap = haar(rng, 20, 4).T @ haar(rng, 20, 6)
    turned = haar(rng, 4, 4) @ overlap @ haar(rng, 6, 6)
    s_a, s_b = np.logspace(0, -1, 4), np.logspace(0, -2, 6)
    forward, other, back = (RowSpaces.of(m, 3) for m in (overlap, turned, overlap.T))
    for twin, spectra in ((other, (s_a, s_b)), (back, (s_b, s_a))):
        assert twin.gram_product(*spectra) == pytest.approx(forward.gram_product(s_a, s_b), rel=1e-10)
        assert twin.top_direction() == pytest.approx(forward.top_direction(), rel=1e-10)
        for mine, theirs in zip(forward.extreme_angles(3), twin.extreme_angles(3), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9)


def test_all_directions_of_a_row_space_leave_nothing_to_turn():
    rng = np.random.default_rng(17)
    spaces = RowSpaces.of(haar(rng, 20, 4).T @ haar(rng, 20, 4), 0)
    assert spaces.grassmann(4).sd == 0 and all(np.ptp(draws) == 0 for draws in spaces.extreme_angles(4))
    single = RowSpaces.of(np.array([[0.3]]), 0)
    assert single.top_direction() == (pytest.approx(0.3), 0.0)


def law(i, j, d):
    """Return the null of norm(U_i' U_j)^2 / min(i, j)."""
    mean, sd = nulls.trace_product(np.ones(i), np.ones(j), d)
    return nulls.Null(mean / min(i, j), sd / min(i, j))


@pytest.mark.parametrize(("i", "j", "d"), [(1, 1, 30), (2, 5, 30), (4, 4, 9), (10, 3, 200)])
def test_subspace_similarity(i, j, d):
    rng = np.random.default_rng(i * d)
    samples = [np.linalg.norm(haar(rng, d, i).T @ haar(rng, d, j)) ** 2 / min(i, j) for _ in range(DRAWS)]
    assert_within_four_standard_errors(samples, law(i, j, d))


@pytest.mark.parametrize(("k", "l", "d"), [(1, 1, 50), (2, 6, 40), (10, 10, 128), (10, 10, 1024), (5, 5, 11)])
def test_angles_between_random_subspaces(k, l, d):  # noqa: E741
    rng = np.random.default_rng(k + d)
    samples = np.array([principal_angles(haar(rng, d, k), haar(rng, d, l))[[0, -1]] for _ in range(DRAWS)])
    for last in (False, True):
        assert_within_four_standard_errors(
            samples[:, int(last)], median_null([sample_extreme_angles(k, l, d)[int(last)]])
        )


def test_angles_of_subspaces_that_must_intersect():
    rng = np.random.default_rng(15)
    samples = [principal_angles(haar(rng, 9, 5), haar(rng, 9, 6))[-1] for _ in range(DRAWS)]
    first, last = sample_extreme_angles(5, 6, 9)
    assert not first.any()
    assert abs(np.mean(samples) - last.mean()) < 4 * last.std() / math.sqrt(DRAWS)
    assert not np.any(sample_extreme_angles(8, 8, 8))


def test_first_angle_follows_its_known_limits():
    """Exact moments at k = 1; at k = 10, Johnstone's (2008) Tracy-Widom approximation of the largest cosine."""
    cosines = np.cos(np.radians(sample_extreme_angles(1, 1, 64)[0]))
    exact = nulls.top_direction(64)
    assert abs(cosines.mean() - exact.mean) < 4 * exact.sd / math.sqrt(len(cosines))
    k, d = 10, 2560
    phi = 2 * math.asin(math.sqrt((k - 0.5) / (d - 1)))
    centre = 2 * math.log(math.tan(phi))
    scale = (16 / (d - 1) ** 2 / (math.sin(2 * phi) ** 2 * math.sin(phi) ** 2)) ** (1 / 3)
    logit = centre - 1.2065 * scale  # mean of the Tracy-Widom law of order 1
    approximation = math.degrees(math.acos(math.sqrt(1 / (1 + math.exp(-logit)))))
    assert sample_extreme_angles(k, k, d)[0].mean() == pytest.approx(approximation, abs=0.1)


def test_chance_is_not_ninety_degrees():
    assert sample_extreme_angles(10, 10, 1024)[0].mean() < 81
    assert sample_extreme_angles(10, 10, 4096)[0].mean() < 86


def test_nulls_do_not_depend_on_what_was_computed_before():
    before = median_null([sample_extreme_angles(3, 3, 77)[0]] * 5)
    sample_extreme_angles.cache_clear()
    sample_extreme_angles(4, 4, 50)
    assert median_null([sample_extreme_angles(3, 3, 77)[0]] * 5) == before


def test_median_over_modules_of_unequal_laws():
    rng = np.random.default_rng(18)
    laws = [rng.normal(mean, sd, 20_000) for mean, sd in ((0, 1), (1, 2), (3, 0.5), (0.5, 1), (2, 1))]
    medians = [
        np.median([rng.normal(mean, sd) for mean, sd in ((0, 1), (1, 2), (3, 0.5), (0.5, 1), (2, 1))])
        for _ in range(DRAWS)
    ]
    assert_within_four_standard_errors(medians, median_null(laws))
