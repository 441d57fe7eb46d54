"""What the page and the figures are fed with."""

import json

import pytest
from explorer_results import HOSTILE, write_results

from lossgeometry.explorer.bundle import gather
from lossgeometry.explorer.columns import columns_of, rounded, rows_of


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return gather(**write_results(tmp_path_factory.mktemp("results"), methods=3, seeds=2, rates=1))


def at(bundle, metric: str, pair_id: str, layer: int = -1, projection: str = "") -> dict:
    """Read a metric at one place from the dense blocks, as the page does."""
    block, place = bundle["geometry"]["metrics"][metric], bundle["geometry"]["places"][f"{layer}/{projection}"]
    order = next(pair["order"] for pair in bundle["pairs"] if pair["id"] == pair_id)
    found = {name: block[name][min(order, len(block[name]) - 1)][place] for name in ("value", "low", "high")}
    return {**found, "verdict": block["verdict"][order][place]}


def test_values_and_chance_bands_are_those_of_the_tables(tmp_path):
    import pandas as pd

    given = write_results(tmp_path, methods=3)
    bundle = gather(**given)
    table = pd.read_parquet(given["tables"]["modules"])
    for row in table[table.metric == "cosine"].itertuples():
        found = at(bundle, "cosine", f"{row.run_a}--{row.run_b}", row.layer, row.projection)
        assert found["value"] == pytest.approx(row.value, rel=1e-3)
        assert found["low"] == pytest.approx(-1.96 * row.null_sd, rel=1e-2)
        assert found["high"] == pytest.approx(1.96 * row.null_sd, rel=1e-2)
        assert found["verdict"] == row.verdict[0]


def test_angles_are_those_at_the_largest_k_that_is_defined(bundle):
    assert bundle["k"]["angle_first.output"] == 8
    assert at(bundle, "angle_first.output", bundle["chosen"][0])["value"] is not None


def test_the_band_stays_within_the_range_of_its_metric(bundle):
    for metric in ("top_direction.output", "gram_alignment.output"):
        block = bundle["geometry"]["metrics"][metric]["low"]
        assert min(value for row in block for value in row if value is not None) >= 0


def test_runs_and_pairs_are_told_apart_by_name(bundle):
    for kind in ("runs", "pairs"):
        names = [entry["name"] for entry in bundle[kind]]
        assert len(set(names)) == len(names)


def test_the_pairs_shown_first_compare_methods_with_the_reference(bundle):
    assert bundle["chosen"] == ["sft.lr0.001.s42--rft.lr0.001.s42", "sft.lr0.001.s42--rift.lr0.001.s42"]


def test_a_pair_is_drawn_in_the_colours_of_its_two_methods(bundle):
    colours = {run["id"]: run["colour"] for run in bundle["runs"]}
    for pair in bundle["pairs"]:
        assert sorted([pair["lines"], pair["dots"]]) == sorted([colours[pair["a"]], colours[pair["b"]]])
    first = next(pair for pair in bundle["pairs"] if pair["id"] == bundle["chosen"][0])
    assert first["lines"] == colours["rft.lr0.001.s42"]


def test_the_same_tables_give_the_same_bytes(tmp_path):
    given = write_results(tmp_path, methods=3)
    assert json.dumps(gather(**given)) == json.dumps(gather(**given))


def test_undefined_values_are_null_with_their_reason(tmp_path):
    import pandas as pd

    given = write_results(tmp_path, methods=2)
    table = pd.read_csv(given["tables"]["geometry"])
    wanted = (table.metric == "cosine") & (table.scope == "global")
    table.loc[wanted, ["value", "null_mean", "null_sd"]] = float("nan")
    table["note"] = table.note.astype(object)
    table.loc[wanted, "note"] = "zero update in sft"
    table.to_csv(given["tables"]["geometry"], index=False)
    bundle = gather(**given)
    block = bundle["geometry"]["metrics"]["cosine"]
    assert block["value"][0][0] is None and block["notes"] == {"0": "zero update in sft"}
    json.dumps(bundle, allow_nan=False)


@pytest.mark.parametrize(
    ("size", "absent"),
    [
        ({"methods": 2, "evaluation": False, "function": False}, {"accuracy", "mcnemar", "connectivity", "cka"}),
        (
            {"methods": 0, "external": 2, "evaluation": False, "function": False},
            {"training", "rollouts", "samples", "accuracy"},
        ),
    ],
)
def test_what_did_not_run_is_absent(tmp_path, size, absent):
    bundle = gather(**write_results(tmp_path, **size))
    assert bundle["geometry"]["metrics"]["cosine"]["value"]
    assert not absent & set(bundle["tables"])


def test_one_adapter_alone_has_no_geometry(tmp_path):
    bundle = gather(**write_results(tmp_path, methods=1, function=False))
    assert "geometry" not in bundle and bundle["pairs"] == [] and len(bundle["tables"]["training"]["run"]) > 0


def test_samples_keep_hostile_text_and_show_every_verdict(bundle):
    samples = rows_of(bundle["tables"]["samples"])
    rollouts = [row for row in samples if row["source"] == "rollouts"]
    assert {row["verdict"] for row in rollouts} == {"correct", "wrong", HOSTILE}
    assert any(row["completion"] == HOSTILE for row in samples)


def test_columns_round_trip_and_round():
    rows = [{"a": 1 / 3, "b": "x"}, {"a": float("nan"), "b": "y"}, {"b": "z"}]
    assert rows_of(columns_of(rows, ("a", "b"))) == [
        {"a": 0.3333333, "b": "x"},
        {"a": None, "b": "y"},
        {"a": None, "b": "z"},
    ]
    assert [rounded(value) for value in (2.0, -0.0, 123456.0, 1.23456e-7, float("inf"), 7)] == [
        2,
        0,
        123500,
        1.235e-07,
        None,
        7,
    ]
