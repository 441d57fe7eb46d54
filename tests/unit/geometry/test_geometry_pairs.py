"""The pairwise measurements equal their textbook definitions on dense float64 matrices, at every scope, to 1e-10."""

import math

import numpy as np
import pytest
from geometry_tools import (
    by_key,
    compare,
    delta_of,
    dense_metrics,
    model,
    name,
    pair_of_factors,
    random_factors,
    values,
    write_adapter,
)

from lossgeometry.errors import InputError
from lossgeometry.geometry.pairs import compare_pair
from lossgeometry.geometry.scopes import places_of
from lossgeometry.updates.names import block_of

SHAPES = {  # m, r, n
    "tall": (40, 4, 12),
    "wide": (12, 4, 40),
    "square": (24, 6, 24),
    "full rank": (8, 8, 8),
    "r above m": (5, 8, 20),
    "r above n": (20, 8, 5),
    "tiny": (3, 3, 4),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_modules_agree_with_dense_matrices(tmp_path, shape):
    m, r, n = SHAPES[shape]
    x, y = pair_of_factors(np.random.default_rng(len(shape)), m, r, n)
    module = name(0, "q")
    rows = compare(tmp_path, {module: x}, {module: y}, k=3)
    oracle = dense_metrics(2 * x[0] @ x[1], 2 * y[0] @ y[1], 3)
    found = values(rows)
    assert {key[3:] for key in found} == set(oracle)
    for key, expected in oracle.items():
        assert found[module, 0, "q", *key] == pytest.approx(expected, abs=1e-10), key


def test_rank_deficient_factors_agree_with_dense_matrices(tmp_path):
    rng = np.random.default_rng(5)
    (b, a), (c, d) = pair_of_factors(rng, 30, 6, 20)
    b[:, 4:] = b[:, :2] @ rng.standard_normal((2, 2))  # B of rank 4
    d[5] = d[0] - d[1]  # A of rank 5
    module = name(3, "v")
    rows = compare(tmp_path, {module: (b, a)}, {module: (c, d)}, k=4)
    for key, expected in dense_metrics(2 * b @ a, 2 * c @ d, 4).items():
        assert values(rows)[module, 3, "v", *key] == pytest.approx(expected, abs=1e-10), key


@pytest.mark.parametrize("spread", [2, 5, 7])
def test_ill_conditioned_factors_agree_with_dense_matrices(tmp_path, spread):
    x, y = pair_of_factors(np.random.default_rng(spread), 40, 5, 30, spread)
    module = name(0, "o")
    rows = compare(tmp_path, {module: x}, {module: y}, k=2)
    for key, expected in dense_metrics(2 * x[0] @ x[1], 2 * y[0] @ y[1], 2).items():
        assert values(rows)[module, 0, "o", *key] == pytest.approx(expected, abs=1e-10), key


def test_scopes_pool_the_dense_modules(tmp_path):
    x, y = model(np.random.default_rng(1))
    rows = compare(tmp_path, x, y, k=3)
    dense = {m: (2 * x[m][0] @ x[m][1], 2 * y[m][0] @ y[m][1]) for m in x}
    each = {m: dense_metrics(*dense[m], 3) for m in x}
    places = {("global", "", None, ""): list(x), ("layer", "", 1, ""): [name(1, p) for p in "qkvo"]}
    places["projection", "", None, "k"] = [name(i, "k") for i in range(3)]
    for place, modules in places.items():
        stacked = [np.concatenate([dense[m][side].ravel() for m in modules]) for side in (0, 1)]
        cosine = stacked[0] @ stacked[1] / np.linalg.norm(stacked[0]) / np.linalg.norm(stacked[1])
        residuals = [each[m]["orthogonal_fraction", "none", None] * np.linalg.norm(dense[m][1]) for m in modules]
        grams = [[dense[m][side] @ dense[m][side].T for m in modules] for side in (0, 1)]
        squares = [math.sqrt(sum(np.sum(g**2) for g in side)) for side in grams]
        inner = sum(np.sum(g * h) for g, h in zip(*grams, strict=True))
        expected = {
            ("cosine", "none", None): cosine,
            ("norm_b", "none", None): np.linalg.norm(stacked[1]),
            ("orthogonal_fraction", "none", None): np.linalg.norm(residuals) / np.linalg.norm(stacked[1]),
            ("gram_alignment", "output", None): inner / math.prod(squares),
            ("angle_first", "output", 3): np.median([each[m]["angle_first", "output", 3] for m in modules]),
            ("angle_last", "input", 3): np.median([each[m]["angle_last", "input", 3] for m in modules]),
            ("top_direction", "input", 1): np.mean([each[m]["top_direction", "input", 1] for m in modules]),
            ("effective_rank_a", "none", None): np.mean([each[m]["effective_rank_a", "none", None] for m in modules]),
        }
        for key, value in expected.items():
            assert rows[*place, *key].value == pytest.approx(value, abs=1e-10), (place, key)


def test_every_metric_is_given_at_every_scope(tmp_path):
    x, y = model(np.random.default_rng(2))
    rows = compare(tmp_path, x, y, k=3)
    metrics = {key[4:] for key in rows if key[0] == "module"}
    two_sided = {
        ("angle_first", 3),
        ("angle_last", 3),
        ("grassmann", 3),
        ("top_direction", 1),
        ("gram_alignment", None),
    }
    own = ("norm", "effective_rank", "effective_rank_squared", "stable_rank", "participation")
    one_sided = {"cosine", "top_gap", "orthogonal_fraction", *(f"{metric}_{run}" for metric in own for run in "ab")}
    assert metrics == {(metric, side, k) for metric, k in two_sided for side in ("output", "input")} | {
        (metric, "none", None) for metric in one_sided
    }
    places = {key[:4] for key in rows}
    assert len(places) == 1 + 4 + 3 + 12
    assert len(rows) == len(metrics) * len(places)
    assert not [row for row in rows.values() if math.isnan(row.value) or row.note]


def test_the_reference_is_projected_out_of_the_other(tmp_path):
    x, y = model(np.random.default_rng(9), layers=1)
    x = {m: (b * (i + 1), a) for i, (m, (b, a)) in enumerate(x.items())}  # unequal norms, or both give the same
    for reference, (off, of) in enumerate([(x, y), (y, x)]):
        rows = compare(tmp_path / str(reference), x, y, reference=reference)
        dense = {m: (off[m][0] @ off[m][1], of[m][0] @ of[m][1]) for m in x}
        left = [w - np.sum(v * w) / np.sum(v * v) * v for v, w in dense.values()]
        whole = math.sqrt(sum(np.sum(w**2) for _, w in dense.values()))
        expected = math.sqrt(sum(np.sum(part**2) for part in left)) / whole
        assert rows["global", "", None, "", "orthogonal_fraction", "none", None].value == pytest.approx(expected)


def test_similarity_map_is_the_lora_papers(tmp_path):
    x, y = model(np.random.default_rng(10), layers=1)
    a, b = delta_of(tmp_path / "a", x), delta_of(tmp_path / "b", y)
    maps = compare_pair(a, b, ("a", "b"), 3).maps
    found = {row[:6]: row.value for row in maps}
    assert len(found) == len(maps) == (1 + 4 + 1) * 2 * 9
    bases = [[np.linalg.svd(z[name(0, p)][0] @ z[name(0, p)][1])[0] for z in (x, y)] for p in "qkvo"]
    for i, j in ((1, 3), (2, 2), (3, 1)):
        expected = np.mean([np.linalg.norm(u[:, :i].T @ w[:, :j]) ** 2 / min(i, j) for u, w in bases])
        assert found["global", None, "", "output", i, j] == pytest.approx(expected, abs=1e-10)


def test_zero_updates_are_listed_and_undefined(tmp_path):
    x, y = model(np.random.default_rng(11), layers=2)
    dead = name(1, "k")
    y[dead] = (0 * y[dead][0], y[dead][1])
    rows = compare(tmp_path, x, y)
    for key, row in rows.items():
        if key[1] == dead:
            assert math.isnan(row.value) == (not key[4].endswith("_a") and key[4] != "norm_b"), key
            assert not math.isnan(row.value) or row.note == "zero update in b", key
        elif key[0] == "module":
            assert not math.isnan(row.value) and not row.note
    assert rows["module", dead, 1, "k", "norm_b", "none", None].value == 0
    pooled = rows["layer", "", 1, "", "angle_first", "output", 3]
    assert math.isfinite(pooled.value) and pooled.note == "1 of 4 modules left out: zero update in b"
    live = [np.concatenate([(z[m][0] @ z[m][1]).ravel() for m in x]) for z in (x, y)]
    cosine = live[0] @ live[1] / np.linalg.norm(live[0]) / np.linalg.norm(live[1])
    assert rows["global", "", None, "", "cosine", "none", None].value == pytest.approx(cosine, abs=1e-10)


def test_an_untrained_adapter_is_undefined_everywhere(tmp_path):
    x, y = model(np.random.default_rng(12), layers=1)
    rows = compare(tmp_path, x, {m: (0 * b, a) for m, (b, a) in y.items()})
    top = rows["global", "", None, "", "cosine", "none", None]
    assert math.isnan(top.value) and math.isnan(top.null_sd) and top.note == "zero update in b"


def test_fewer_directions_than_asked_are_undefined_and_given_at_what_there_is(tmp_path):
    x, y = model(np.random.default_rng(13), layers=1)
    narrow = name(0, "k")
    y[narrow] = (y[narrow][0][:, :2], y[narrow][1][:2])
    rows = compare(tmp_path, x, y, k=4)
    asked = rows["module", narrow, 0, "k", "angle_last", "input", 4]
    assert math.isnan(asked.value) and asked.note == "fewer than 4 directions: rank 2 in b"
    dense = dense_metrics(x[narrow][0] @ x[narrow][1], y[narrow][0] @ y[narrow][1], 2)
    given = rows["module", narrow, 0, "k", "angle_last", "input", 2]
    assert given.value == pytest.approx(dense["angle_last", "input", 2], abs=1e-10) and not given.note
    assert rows["global", "", None, "", "angle_last", "input", 4].note.startswith("1 of 4 modules left out")
    assert not rows["global", "", None, "", "angle_last", "input", 2].note


def test_modules_of_one_adapter_only_are_listed(tmp_path):
    x, y = model(np.random.default_rng(14), layers=2)
    del y[name(0, "o")]
    x[name(1, "v")] = random_factors(np.random.default_rng(0), 9, 4, 12)
    y["lm_head"] = random_factors(np.random.default_rng(0), 9, 4, 12)
    rows = compare(tmp_path, x, y)
    notes = {row.module: row.note for row in rows.values() if math.isnan(row.value)}
    assert notes == {
        name(0, "o"): "only in a",
        name(1, "v"): "shapes differ: (9, 12) in a, (8, 12) in b",
        "lm_head": "only in b",
    }
    assert rows["global", "", None, "", "cosine", "none", None].note == "over 6 modules; 3 not compared"


def test_nothing_in_common_is_an_error(tmp_path):
    factors = random_factors(np.random.default_rng(0), 6, 2, 6)
    a = delta_of(tmp_path / "a", {name(0, "q"): factors})
    b = delta_of(tmp_path / "b", {name(0, "qkv"): factors})
    with pytest.raises(InputError, match="no module of equal shape in common .*only in a"):
        compare_pair(a, b, ("a", "b"), 2)


@pytest.mark.parametrize(
    ("module", "layer", "projection"),
    [
        ("model.layers.11.self_attn.q_proj", 11, "q"),
        ("transformer.h.3.attn.c_attn", 3, "c_attn"),
        ("model.layers.2.mlp.experts.5.down_proj", 2, "down"),
        ("lm_head", None, "lm_head"),
    ],
)
def test_places_of_modules(module, layer, projection):
    assert places_of([module])[module][2:] == (layer, projection)


STACKS = {
    "encoder and decoder": [
        f"model.{stack}.layers.{i}.self_attn.q_proj" for stack in ("decoder", "encoder") for i in (0, 1)
    ],
    "towers": [
        f"{stack}.{i}.attn.q_proj" for stack in ("language_model.model.layers", "vision_tower.blocks") for i in (0, 10)
    ],
    "UNet": [
        f"{block}.attentions.{i}.transformer_blocks.0.attn1.to_q"
        for block in ("down_blocks.0", "down_blocks.1", "up_blocks.0")
        for i in (0, 1)
    ],
}


@pytest.mark.parametrize("case", STACKS)
def test_stacks_are_kept_apart(tmp_path, case):
    """Block 0 of the encoder is another layer than block 0 of the decoder, in the layers' values as in their labels."""
    rng = np.random.default_rng(16)
    modules = STACKS[case]
    x, y = ({module: random_factors(rng, 6, 2, 5) for module in modules} for _ in range(2))
    y[modules[-1]] = x[modules[-1]]
    rows = compare(tmp_path, x, y, k=2).values()
    blocks = [block_of(module) for module in modules]
    assert len(set(blocks)) > len({block.rpartition(".")[2] for block in blocks})
    layers = [row for row in rows if (row.scope, row.metric) == ("layer", "cosine")]
    assert [(row.layer, row.module) for row in layers] == list(enumerate(dict.fromkeys(blocks)))
    expected = dict(zip(dict.fromkeys(blocks), range(len(layers)), strict=True))
    for row in rows:
        if row.scope == "module":
            assert row.layer == expected[block_of(row.module)]
    members = [module for module in modules if block_of(module) == blocks[-1]]
    dense = [np.concatenate([(f[m][0] @ f[m][1]).ravel() for m in members]) for f in (x, y)]
    cosine = dense[0] @ dense[1] / np.linalg.norm(dense[0]) / np.linalg.norm(dense[1])
    assert layers[-1].value == pytest.approx(cosine, abs=1e-12)


def test_layers_keep_their_numbers_where_one_adapter_lacks_a_stack(tmp_path):
    rng = np.random.default_rng(17)
    modules = STACKS["encoder and decoder"]
    x = {module: random_factors(rng, 6, 2, 5) for module in modules}
    rows = compare(tmp_path, x, {module: x[module] for module in modules[2:]}, k=2).values()
    assert {row.module: row.layer for row in rows if row.scope == "module"} == dict(zip(modules, range(4), strict=True))
    assert {(row.layer, row.module) for row in rows if row.scope == "layer"} == {
        (2, "model.encoder.layers.0"),
        (3, "model.encoder.layers.1"),
    }


def test_different_ranks_dtypes_and_key_forms_are_the_same_update(tmp_path):
    x, y = model(np.random.default_rng(15), layers=1)
    x = {m: (np.round(b * 64) / 64, np.round(a * 64) / 64) for m, (b, a) in x.items()}  # exact in bfloat16
    reference = compare(tmp_path, x, y)
    for dtype, suffix, prefix in (
        ("bfloat16", ".default", ""),
        ("float16", "", "base_model.model."),
        ("float32", "", ""),
    ):
        folder = tmp_path / dtype
        write_adapter(folder / "a", x, dtype=dtype, suffix=suffix, prefix=prefix)
        a = delta_of(folder / "a", x, dtype=dtype, suffix=suffix, prefix=prefix)
        b = delta_of(folder / "b", y)
        found = by_key(compare_pair(a, b, ("a", "b"), 3).rows)
        assert {key: row.value for key, row in found.items()} == {key: row.value for key, row in reference.items()}
