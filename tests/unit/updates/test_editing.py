"""Edits are exact: against dense float64, and by the laws that each operation obeys."""

import numpy as np
import pytest

from lossgeometry.errors import InputError
from lossgeometry.settings.edits import Edit
from lossgeometry.updates.editing import edited
from lossgeometry.updates.loading import load
from lossgeometry.updates.update import Update

MODULES = [f"model.layers.{layer}.self_attn.{name}_proj" for layer in range(3) for name in "qkvo"]
SHAPES = {"q": (20, 12), "k": (8, 12), "v": (8, 12), "o": (12, 20)}


def update(seed, rank=3, modules=MODULES):
    draw = np.random.default_rng(seed)
    factors = {}
    for module in modules:
        m, n = SHAPES[module[-6]]
        factors[module] = (draw.normal(size=(m, rank)), draw.normal(size=(rank, n)), 0.5)
    return Update.from_factors(factors, f"run {seed}")


def dense(one):
    found = {}
    for module in MODULES:
        m, n = SHAPES[module[-6]]
        b, a, scale = one.factors(module) if module in one.modules else (np.zeros((m, 1)), np.zeros((1, n)), 1.0)
        found[module] = scale * b @ a
    return found


def flat(one):
    return np.concatenate([matrix.ravel() for matrix in dense(one).values()])


UPDATES = {"a": update(1), "b": update(2, rank=2), "c": update(3)}
A, B, C = UPDATES.values()


def edit(**values):
    return edited(Edit(**values), UPDATES)


def close(one, matrices):
    for module, matrix in dense(one).items():
        np.testing.assert_allclose(matrix, matrices[module], rtol=0, atol=1e-10)


def test_each_operation_is_that_of_dense_matrices():
    a, b = dense(A), dense(B)
    close(edit(of="a", scale=-0.5), {module: -0.5 * a[module] for module in MODULES})
    close(edit(sum={"a": 1.0, "b": -2.0}), {module: a[module] - 2 * b[module] for module in MODULES})
    along = {module: (a[module] * b[module]).sum() / (b[module] ** 2).sum() * b[module] for module in MODULES}
    close(edit(of="a", project="b"), along)
    close(edit(of="a", reject="b"), {module: a[module] - along[module] for module in MODULES})
    best = {}
    for module in MODULES:
        u, s, vt = np.linalg.svd(a[module], full_matrices=False)
        best[module] = u[:, :1] * s[:1] @ vt[:1]
    close(edit(of="a", truncate=1), best)
    early = {module: a[module] if ".0." in module else b[module] for module in MODULES}
    close(edit(of="a", layers=(0,), rest="b"), early)
    queries = {module: a[module] * ("q_proj" in module) for module in MODULES}
    close(edit(of="a", projections=("q_proj",)), queries)


def test_the_laws_of_edits():
    assert edit(of="a", to_norm_of="b").norm == pytest.approx(B.norm, rel=1e-12)
    assert edit(of="a", to_norm_of="b").cosine(A) == pytest.approx(1.0, rel=1e-12)
    np.testing.assert_allclose(flat(edit(of="a", reject="a")), 0, atol=1e-10)
    parts = flat(edit(of="a", project="b")) + flat(edit(of="a", reject="b"))
    np.testing.assert_allclose(parts, flat(A), rtol=0, atol=1e-10)
    halves = flat(edit(of="a", layers=(0,))) + flat(edit(of="a", layers=(1, 2)))
    np.testing.assert_allclose(halves, flat(A), rtol=0, atol=1e-12)
    random = edit(of="a", randomise=5)
    for module in MODULES:
        np.testing.assert_allclose(random.svd(module).s, A.svd(module).s, rtol=1e-12)
    assert abs(random.cosine(A)) < 0.5


def test_an_edit_of_edits_is_their_composition(tmp_path):
    half = edit(of="a", scale=0.5)
    then = edited(Edit(of="half", reject="b"), UPDATES | {"half": half})
    at_once = (0.5 * A).reject(B)
    np.testing.assert_allclose(flat(then), flat(at_once), rtol=0, atol=1e-12)


def test_scaling_by_one_changes_no_byte(tmp_path):
    first = load(A.to_peft(tmp_path / "a"))
    first.to_peft(tmp_path / "first")
    edited(Edit(of="a", scale=1), {"a": first}).to_peft(tmp_path / "again")
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_ties_elects_signs_as_its_paper_does():
    """By hand, entry by entry: trim, elect, and average over those that agree."""
    density, factor = 0.4, 1.5
    merged = edited(Edit(ties={"runs": ("a", "b", "c"), "density": density, "factor": factor}), UPDATES)
    for module, matrix in dense(merged).items():
        trimmed = []
        for one in (A, B, C):
            values = dense(one)[module]
            order = np.sort(np.abs(values).ravel())[::-1]
            limit = order[round(density * values.size) - 1]
            trimmed.append(np.where(np.abs(values) >= limit, values, 0.0))
        for index in np.ndindex(matrix.shape):
            entries = [one[index] for one in trimmed]
            chosen = [value for value in entries if value and np.sign(value) == np.sign(sum(entries))]
            expected = factor * sum(chosen) / len(chosen) if chosen else 0.0
            assert matrix[index] == pytest.approx(expected, abs=1e-10)


def test_dare_is_unbiased_and_drops_its_share():
    mean = np.mean([flat(edit(dare={"runs": ("a",), "drop": 0.5, "seed": seed})) for seed in range(400)], axis=0)
    one = flat(edit(dare={"runs": ("a",), "drop": 0.5, "seed": 1}))
    kept = np.abs(one) > 1e-9
    assert kept.mean() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(one[kept], 2 * flat(A)[kept], atol=1e-9)
    assert np.abs(mean - flat(A)).max() < 6 * np.abs(flat(A)).max() / 20


def test_a_merge_that_is_cut_says_what_it_left_out():
    whole = edit(ties={"runs": ("a", "b"), "density": 0.3})
    cut = edit(ties={"runs": ("a", "b"), "density": 0.3, "rank": 2})
    for module in MODULES:
        lost = np.square(whole.svd(module).s[2:]).sum() / np.square(whole.svd(module).s).sum()
        assert cut.left_out[module] == pytest.approx(lost, abs=1e-12) and len(cut.svd(module).s) == 2


def test_bad_edits_are_one_sentence():
    zero = update(4)._scaled(dict.fromkeys(MODULES, 0.0))
    with pytest.raises(InputError, match="no direction to scale"):
        edited(Edit(of="z", to_norm_of="a"), {"a": A, "z": zero})
    other = Update.from_factors({MODULES[0]: (np.ones((5, 1)), np.ones((1, 4)))})
    for values in ({"sum": {"a": 1.0, "o": 1.0}}, {"ties": {"runs": ("a", "o")}}):
        with pytest.raises(InputError, match="one base"):
            flat(edited(Edit(**values), {"a": A, "o": other}))
    for values, sentence in (
        ({"of": "a"}, "exactly one of .*; it has none"),
        ({"of": "a", "scale": 2, "truncate": 1}, "it has scale, truncate"),
        ({"of": "a", "sum": {"b": 1.0}}, "remove of"),
        ({"scale": 2}, "name it in of"),
        ({"of": "a", "scale": 2, "rest": "b"}, "rest: .*remove it"),
    ):
        with pytest.raises(ValueError, match=sentence):
            Edit(**values)
