"""Overlap of changed entries: its definition, its level for independent updates, and what is undefined."""

import numpy as np
import pytest
from geometry_tools import delta_of, name

from lossgeometry.base_relations.overlaps import EQUAL, OWN, overlaps
from lossgeometry.base_relations.sparsity import changed_entries
from lossgeometry.errors import InputError
from lossgeometry.files.safetensors import TensorFolder, write_tensors

MODULES = [name(layer, "q") for layer in range(3)]


def weights(folder, rng, modules=MODULES):
    held = {f"{module}.weight": rng.standard_normal((60, 40)) for module in modules}
    write_tensors(folder / "model.safetensors", held, {})
    return TensorFolder(folder)


def drawn(folder, rng, size, modules=MODULES):
    held = {module: (size * rng.standard_normal((60, 4)), rng.standard_normal((4, 40))) for module in modules}
    return delta_of(folder, held)


def test_it_is_shared_entries_over_all_changed_ones(tmp_path):
    rng = np.random.default_rng(0)
    base = weights(tmp_path / "base", rng)
    a, b = drawn(tmp_path / "a", rng, 1e-4), drawn(tmp_path / "b", rng, 3e-4)
    shared = either = 0
    for module in MODULES:
        weight = base.read(f"{module}.weight").astype(float)
        one, two = (changed_entries(weight, u.svd(module).u * u.svd(module).s @ u.svd(module).v.T) for u in (a, b))
        shared, either = shared + (one & two).sum(), either + (one | two).sum()
    rows = {row.at_norm: row for row in overlaps({"a": a, "b": b}, base, [("a", "b")])}
    assert rows[OWN].overlap == pytest.approx(shared / either) and set(rows) == {OWN, EQUAL}


def test_independent_updates_are_at_their_level_and_an_update_and_its_multiple_change_the_same(tmp_path):
    rng = np.random.default_rng(1)
    base = weights(tmp_path / "base", rng)
    a, b = drawn(tmp_path / "a", rng, 1e-3), drawn(tmp_path / "b", rng, 1e-3)
    updates = {"a": a, "b": b, "twice": 2.0 * a}
    for row in overlaps(updates, base, [("a", "b"), ("a", "twice")]):
        if row.run_b == "b":
            assert abs(row.overlap - row.null_mean) < max(5 * row.null_sd, 0.02)
        elif row.at_norm == EQUAL:
            assert row.overlap == 1 and row.null_mean < 0.9
        else:
            assert row.overlap > row.null_mean + 5 * row.null_sd


def test_what_is_undefined_says_why(tmp_path):
    rng = np.random.default_rng(2)
    base = weights(tmp_path / "base", rng)
    first, last = drawn(tmp_path / "a", rng, 1e-3, MODULES[:1]), drawn(tmp_path / "b", rng, 1e-3, MODULES[1:])
    rows = overlaps({"a": first, "b": last}, base, [("a", "b")])
    assert all(np.isnan(row.overlap) and "share no module" in row.note for row in rows)
    tiny = drawn(tmp_path / "c", rng, 1e-12)
    own, _ = overlaps({"c": tiny, "again": tiny}, base, [("c", "again")])
    assert np.isnan(own.overlap) and own.note == "no entry changes"
    with pytest.raises(InputError, match="which the base has not in this shape"):
        overlaps({"a": first, "b": first}, weights(tmp_path / "other", rng, MODULES[1:]), [("a", "b")])
