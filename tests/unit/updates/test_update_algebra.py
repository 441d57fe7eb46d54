"""Updates are vectors: the algebra on factors is that of dense float64 matrices, for every kind of update that is read."""

import numpy as np
import pytest
from geometry_tools import delta_of, name, random_factors, write_adapter

from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import write_tensors
from lossgeometry.updates.loading import load
from lossgeometry.updates.peft import Adapter
from lossgeometry.updates.update import Update

SHAPES = {name(i, p): shape for i in range(2) for p, shape in {"q": (14, 4, 10), "v": (6, 2, 10)}.items()}
EXACT = {"rtol": 0, "atol": 1e-12}


def factors(seed):
    rng = np.random.default_rng(seed)
    return {module: random_factors(rng, *shape) for module, shape in SHAPES.items()}


def fine_tune(folder, seed):
    rng = np.random.default_rng(seed)
    base = {f"{module}.weight": rng.standard_normal((m, n)) for module, (m, _, n) in SHAPES.items()}
    tuned = {key: weight + 0.1 * rng.standard_normal(weight.shape) for key, weight in base.items()}
    for part, weights in (("base", base), ("tuned", tuned)):
        write_tensors(folder / part / "model.safetensors", weights, {})
    return load(folder / "tuned", folder / "base")


KINDS = {
    "plain": lambda folder, seed: Adapter(write_adapter(folder, factors(seed), dtype="float32")),
    "rsLoRA": lambda folder, seed: Adapter(write_adapter(folder, factors(seed), use_rslora=True)),
    "patterns": lambda folder, seed: Adapter(
        write_adapter(folder, factors(seed), alpha_pattern={"v_proj": 7, r"1\..*q_proj": 3.5})
    ),
    "Conv1D": lambda folder, seed: Adapter(write_adapter(folder, factors(seed), fan_in_fan_out=True)),
    "bf16": lambda folder, seed: Adapter(write_adapter(folder, factors(seed), dtype="bfloat16")),
    "full fine-tune": fine_tune,
    "delta": lambda folder, seed: delta_of(folder, factors(seed)),
    "in memory": lambda folder, seed: Update.from_factors(factors(seed)),
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def two(kind, tmp_path):
    return KINDS[kind](tmp_path / "a", 1), KINDS[kind](tmp_path / "b", 2)


def dense(update):
    """Return {module: dW} as the definition of the factors says."""
    return {module: f.scale * f.b @ f.a for module in update.modules for f in [update.factors(module)]}


def assert_dense(update, expected):
    found = dense(update)
    assert found.keys() == expected.keys()
    for module, matrix in expected.items():
        np.testing.assert_allclose(found[module], matrix, err_msg=module, **EXACT)


@every_kind
def test_sums_and_multiples_are_those_of_matrices(two):
    (a, b), (x, y) = two, map(dense, two)
    assert_dense(a + b, {module: x[module] + y[module] for module in x})
    assert_dense(a - b, {module: x[module] - y[module] for module in x})
    assert_dense(-0.5 * a, {module: -0.5 * x[module] for module in x})


@every_kind
def test_inner_products_and_norms_are_those_of_matrices(two):
    (a, b), (x, y) = two, map(dense, two)
    inner = sum(np.sum(x[module] * y[module]) for module in x)
    norms = [np.sqrt(sum(np.sum(matrix**2) for matrix in update.values())) for update in (x, y)]
    assert a.inner(b) == pytest.approx(inner, rel=1e-12)
    assert (a.norm, b.norm) == pytest.approx(norms, rel=1e-12)
    assert a.cosine(b) == pytest.approx(inner / norms[0] / norms[1], abs=1e-12)
    assert a.norms == pytest.approx({module: np.linalg.norm(matrix) for module, matrix in x.items()}, rel=1e-12)


@every_kind
def test_projections_are_those_of_matrices(two):
    (a, b), (x, y) = two, map(dense, two)
    along = {m: np.sum(x[m] * y[m]) / np.sum(y[m] ** 2) * y[m] for m in x}
    assert_dense(a.project(b), along)
    assert_dense(a.reject(b), {m: x[m] - along[m] for m in x})


@every_kind
def test_truncation_is_the_best_approximation_and_says_what_it_costs(two):
    a = two[0]
    cut, x = a.truncate(2), dense(a)
    for module, matrix in x.items():
        u, s, vt = np.linalg.svd(matrix)
        np.testing.assert_allclose(dense(cut)[module], u[:, :2] * s[:2] @ vt[:2], **EXACT)
        assert cut.left_out[module] == pytest.approx(np.sum(s[2:] ** 2) / np.sum(s**2), abs=1e-12)
        again = cut.truncate(1)
        assert again.left_out[module] == pytest.approx(np.sum(s[1:] ** 2) / np.sum(s**2), abs=1e-12)


@every_kind
def test_laws(two):
    a, b = two
    size = a.norm
    assert (a + b - b - a).norm < 1e-12 * size
    assert (a.project(b) + a.reject(b) - a).norm < 1e-12 * size
    assert a.reject(a).norm < 1e-12 * size and (a.project(a) - a).norm < 1e-12 * size
    assert abs(a.reject(b).inner(b)) < 1e-12 * size * b.norm
    assert a.cosine(a) == pytest.approx(1, abs=1e-14) and a.cosine(-a) == pytest.approx(-1, abs=1e-14)
    for module in a.modules:
        for part, same in zip(a.factors(module), (1.0 * a).factors(module), strict=True):
            np.testing.assert_array_equal(part, same)


def test_another_basis_of_the_factors_changes_nothing():
    turn = np.random.default_rng(3).standard_normal((4, 4))
    module = name(0, "q")
    b, a = factors(1)[module]
    one = Update.from_factors({module: (b, a)})
    other = Update.from_factors({module: (b @ turn, np.linalg.solve(turn, a))})
    rest = Update.from_factors({module: factors(2)[module]})
    assert one.inner(rest) == pytest.approx(other.inner(rest), abs=1e-11)
    assert (one - other).norm < 1e-12 * one.norm
    assert_dense(one.reject(rest), dense(other.reject(rest)))
    assert_dense(one.truncate(2), dense(other.truncate(2)))


def test_what_one_update_lacks_is_zero_there():
    every = Update.from_factors(factors(1))
    queries, values = every.select(projections=["q"]), every.select(projections=["v_proj"])
    assert_dense(queries + values, dense(every))
    assert queries.inner(values) == 0 and queries.project(values).modules == []
    assert_dense(every.reject(queries).select(projections=["v"]), dense(values))
    assert every.reject(queries).select(projections=["q"]).norm < 1e-12


def test_selection_by_layer_and_projection():
    every = Update.from_factors(factors(1))
    assert every.select(layers=[1]).modules == [name(1, "q"), name(1, "v")]
    assert every.select(layers=["model.layers.1"], projections=["q"]).modules == [name(1, "q")]
    with pytest.raises(InputError, match="no such layers"):
        every.select(layers=[2])


def test_random_directions_keep_the_singular_values_and_depend_on_seed_and_module_alone():
    every = Update.from_factors(factors(1))
    one = every.randomise(5)
    for module in every.modules:
        np.testing.assert_allclose(one.svd(module).s, every.svd(module).s, rtol=1e-12)
    assert_dense(every.select(layers=[1]).randomise(5), dense(one.select(layers=[1])))
    assert abs(one.cosine(every.randomise(6))) < 0.5
    # Haar: the first entry of a uniform direction in m dimensions has mean 0 and variance 1 / m.
    module = name(0, "q")
    drawn = np.array([every.randomise(seed).svd(module).u[0] for seed in range(400)])
    signs = np.sign(np.random.default_rng(0).standard_normal(drawn.shape))  # the convention on signs taken off
    assert abs(np.mean(drawn * signs)) < 4 / np.sqrt(14 * drawn.size)
    assert np.mean(drawn**2) == pytest.approx(1 / 14, rel=0.15)


def test_a_zero_update_is_zero_in_every_operation():
    every = Update.from_factors(factors(1))
    zero = 0.0 * every
    assert zero.norm == 0 and np.isnan(zero.cosine(every)) and every.project(zero).modules == []
    assert_dense(every + zero, dense(every))
    assert zero.truncate(2).left_out == dict.fromkeys(zero.modules, 0.0)
    assert zero.randomise(1).norm == 0


def test_updates_of_other_models_are_refused():
    one = Update.from_factors({name(0, "q"): (np.ones((3, 1)), np.ones((1, 4)))}, "one")
    two = Update.from_factors({name(0, "q"): (np.ones((3, 1)), np.ones((1, 5)))}, "two")
    for operation in (one.inner, one.__add__, one.project, one.reject, one.cosine):
        with pytest.raises(InputError, match=r"shape \(3, 4\) in one and \(3, 5\) in two"):
            operation(two)
    with pytest.raises(InputError, match="have no product"):
        Update.from_factors({"q": (np.ones((3, 2)), np.ones((1, 4)))})
    with pytest.raises(InputError, match="not finite"):
        Update.from_factors({"q": (np.full((3, 1), np.nan), np.ones((1, 4)))})


@every_kind
def test_a_peft_folder_holds_the_update_and_has_reproducible_bytes(two, tmp_path):
    for update in (two[0], two[0] - two[1], -1.0 * two[0], two[0].truncate(1)):
        folders = [update.to_peft(tmp_path / folder) for folder in ("one", "two")]
        for file in ("adapter_config.json", "adapter_model.safetensors"):
            assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()
        again = Adapter(folders[0])
        assert (again - update).norm < 1e-6 * update.norm and again.transposed == update.transposed
        assert Adapter(again.to_peft(tmp_path / "three")).source == again.source


def test_adapters_that_are_stored_in_single_precision_survive_bit_by_bit(tmp_path):
    adapter = Adapter(write_adapter(tmp_path / "a", factors(1), dtype="float32"))
    again = Adapter(adapter.to_peft(tmp_path / "b"))
    for module in adapter.modules:
        for part, same in zip(adapter.factors(module), again.factors(module), strict=True):
            np.testing.assert_array_equal(part, same)


def test_peft_loads_what_is_written(tmp_path):
    torch, peft = pytest.importorskip("torch"), pytest.importorskip("peft")

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = torch.nn.Linear(6, 9, bias=False), torch.nn.Linear(9, 6, bias=False)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList([Block() for _ in range(11)])

    rng = np.random.default_rng(0)
    shapes = {"layers.0.fc1": (9, 3, 6), "layers.0.fc2": (6, 2, 9), "layers.10.fc2": (6, 1, 9)}
    update = Update.from_factors({module: random_factors(rng, *shape) for module, shape in shapes.items()})
    update = update + 0.25 * update.select(layers=[0]) + 0.0 * update
    base = Model()
    before = {key: value.clone() for key, value in base.state_dict().items()}
    loaded = peft.PeftModel.from_pretrained(base, update.to_peft(tmp_path))
    after = loaded.merge_and_unload().state_dict()
    expected = dense(update)
    for key, value in before.items():
        change = (after[key] - value).numpy()
        np.testing.assert_allclose(change, expected.get(key.removesuffix(".weight"), 0 * change), atol=1e-5)
