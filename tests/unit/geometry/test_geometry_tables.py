"""The gathered tables, and the spread over layers in them."""

import numpy as np
import pandas as pd
import pytest
from geometry_tools import delta_of, name, random_factors

from lossgeometry.files.parquet import table_of, write_parquet
from lossgeometry.geometry.layer_bootstrap import depth_draws, depth_interval
from lossgeometry.geometry.pairs import MapRow, compare_pair
from lossgeometry.geometry.scopes import Row
from lossgeometry.geometry.tabulation import gather_maps, gather_pairs, write_csv

RUNS = {
    run: {"method": run, "learning_rate": 0.1, "seed": "1", "init": 1, "order": 1, "control": False} for run in "abc"
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three runs of a model of four layers, one of whose modules was not trained by c, and the files of their pairs."""
    folder = tmp_path_factory.mktemp("runs")
    deltas = {}
    for seed, run in enumerate("abc"):
        rng = np.random.default_rng(seed)
        factors = {name(i, p): random_factors(rng, 12, 4, 10) for i in range(4) for p in "qv"}
        factors[name(0, "v")] = (factors[name(0, "v")][0] * (run != "c"), factors[name(0, "v")][1])
        deltas[run] = delta_of(folder / run, factors)
    for a, b in ("ab", "ac", "bc"):
        pair = compare_pair(deltas[a], deltas[b], (a, b), 3)
        write_parquet(folder / f"{a}{b}.parquet", table_of(pair.rows, Row))
        write_parquet(folder / f"{a}{b}.maps", table_of(pair.maps, MapRow))
    return folder


def entries():
    return [{"a": a, "b": b, "reference": 0} for a, b in ("ab", "ac", "bc")]


def gather(folder):
    return gather_pairs(entries(), RUNS, [folder / f"{entry['a']}{entry['b']}.parquet" for entry in entries()])


def test_every_value_lands_in_one_table(folder):
    tables = gather(folder)
    rows = sum(len(pd.read_parquet(folder / f"{pair}.parquet")) for pair in ("ab", "ac", "bc"))
    assert sum(map(len, tables.values())) == rows
    geometry = tables["geometry"].set_index(["run_a", "run_b", "scope", "projection", "metric", "side"])
    source = pd.read_parquet(folder / "ac.parquet").set_index(["scope", "projection", "metric", "side"])
    key = ("projection", "q", "cosine", "none")
    assert geometry.loc[("a", "c", *key)].value == source.loc[[key]].value.iloc[0]
    row = geometry.loc[("a", "c", *key)]
    assert (row.method_b, row.reference) == ("c", "a")
    maps = gather_maps(entries(), [folder / f"{pair}.maps" for pair in ("ab", "ac", "bc")])
    assert set(maps.scope) == {"global", "projection"} and len(maps) == 3 * 3 * 2 * 9


def test_values_lie_within_their_spread_over_layers(folder):
    table = gather(folder)["geometry"]
    whole = table[(table.scope == "global") & ~table.metric.str.startswith("norm")]
    assert whole.depth_low.notna().all()
    assert ((whole.depth_low <= whole.value + 1e-12) & (whole.value <= whole.depth_high + 1e-12)).all()
    assert table[table.scope == "projection"].depth_low.isna().all()


def test_spread_over_layers_repeats_the_pooling():
    """With two layers a resample is one of three models; the extremes of the interval are those of single layers."""
    rng = np.random.default_rng(0)
    layers = np.repeat([0, 1], 3)
    values = {
        ("cosine", "none", 0): rng.uniform(-1, 1, 6),
        ("norm_a", "none", 0): rng.uniform(1, 2, 6),
        ("norm_b", "none", 0): rng.uniform(1, 2, 6),
        ("angle_first", "output", 2): rng.uniform(0, 90, 6),
        ("top_direction", "input", 1): rng.uniform(0, 1, 6),
    }
    found = {key: depth_interval(draws) for key, draws in depth_draws(values, layers, "b").items()}
    sizes = [values[f"norm_{run}", "none", 0] for run in "ab"]
    parts = [slice(0, 3), slice(3, 6)]
    inner = values["cosine", "none", 0] * sizes[0] * sizes[1]
    expected = {
        ("cosine", "none", 0): [
            inner[p].sum() / np.linalg.norm(sizes[0][p]) / np.linalg.norm(sizes[1][p]) for p in parts
        ],
        ("angle_first", "output", 2): [np.median(values["angle_first", "output", 2][p]) for p in parts],
        ("top_direction", "input", 1): [values["top_direction", "input", 1][p].mean() for p in parts],
    }
    assert found.keys() == expected.keys()
    for key, pair in expected.items():
        assert found[key] == pytest.approx((min(pair), max(pair)))


def test_one_layer_has_no_spread():
    assert not depth_draws({("cosine", "none", 0): np.ones(2)}, np.zeros(2), "b")


def test_undefined_values_are_empty_fields(folder, tmp_path):
    table = gather(folder)["modules"]
    write_csv(tmp_path / "t.csv", table)
    back = pd.read_csv(tmp_path / "t.csv", keep_default_na=False)
    dead = back[(back.module == name(0, "v")) & (back.run_b == "c") & (back.metric == "cosine")]
    assert set(dead.value) == {""} and set(dead.note) == {"zero update in c"}
    first = (tmp_path / "t.csv").read_bytes()
    write_csv(tmp_path / "t.csv", gather(folder)["modules"])
    assert (tmp_path / "t.csv").read_bytes() == first


def test_the_spread_over_layers_takes_two_stacks_for_two(tmp_path):
    """An encoder and a decoder of one block each are two clusters: with one alone there would be no spread."""
    rng = np.random.default_rng(1)
    modules = ["decoder.layers.0.q_proj", "encoder.layers.0.q_proj"]
    deltas = [delta_of(tmp_path / run, {m: random_factors(rng, 12, 4, 10) for m in modules}) for run in "ab"]
    rows = compare_pair(*deltas, ("a", "b"), 3).rows
    write_parquet(tmp_path / "ab.parquet", table_of(rows, Row))
    table = gather_pairs(entries()[:1], RUNS, [tmp_path / "ab.parquet"])["geometry"]
    cosine = table[(table.scope == "global") & (table.metric == "cosine")].iloc[0]
    assert cosine.depth_low < cosine.depth_high
