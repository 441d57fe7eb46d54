"""Findings are what their tables say: the sentence follows the numbers, changes with them and goes with them."""

import csv
import json
import math

import pandas as pd
import pytest

from lossgeometry.findings.finding import agreement, angle, decimal, points, share, small
from lossgeometry.findings.names import Names
from lossgeometry.findings.tabulation import gather, write_findings
from lossgeometry.geometry.chance import ABOVE, INSIDE, verdicts
from lossgeometry.stages import STAGES

MODULES = [stage.statements for stage in STAGES if stage.statements]
TITLES = {"sft": "SFT", "rft": "RFT", "dpo": "DPO"}
SEEDS = ("42", "123")
COSINES = {("sft", "rft"): (0.88, 0.90), ("sft", "dpo"): (0.05, 0.09), ("rft", "dpo"): (0.2, 0.3)}


def run(label: str, seed: str, rate: str = "0.001") -> str:
    return f"{label}.lr{rate}.s{seed}"


def runs() -> pd.DataFrame:
    rows = [(run(label, seed), label, 0.001, seed, "trained", None) for label in TITLES for seed in SEEDS]
    rows += [("control.random", "control: random directions", 0.0, "42", "derived", "random directions")]
    rows += [(run("dpo", "42", "0.0001"), "dpo", 0.0001, "42", "trained", None)]
    return pd.DataFrame(rows, columns=["run", "method", "learning_rate", "seed", "origin", "control"])


def geometry() -> pd.DataFrame:
    rows = []
    for (a, b), values in COSINES.items():
        for seed, value in zip(SEEDS, values, strict=True):
            rows.append((run(a, seed), run(b, seed), value, "cannot tell" if b == "rft" else "beyond a reshuffle"))
    rows += [
        (run("sft", "42"), "control.random", 0.99, None),
        (run("dpo", "42"), run("dpo", "42", "0.0001"), 0.98, None),
    ]
    frame = pd.DataFrame(rows, columns=["run_a", "run_b", "value", "reshuffle"])
    frame = frame.assign(
        scope="global", metric="cosine", side="none", null_mean=0.0, null_sd=0.03, control=0.5, replicate=0.93
    )
    frame = frame.assign(replicate_of="sft", reshuffle_reason="no replicate", depth_low=0.0, depth_high=1.0)
    return frame.assign(verdict=verdicts(frame.value, frame.null_mean, frame.null_sd))


def modules() -> pd.DataFrame:
    rows = [
        (row.run_a, row.run_b, layer, kind, row.value + shift)
        for row in geometry().itertuples()
        for (layer, kind), shift in {(0, "q"): -0.04, (0, "o"): 0.0, (1, "q"): 0.05, (1, "o"): 0.01}.items()
    ]
    frame = pd.DataFrame(rows, columns=["run_a", "run_b", "layer", "projection", "value"])
    return frame.assign(metric="cosine", null_mean=0.0, null_sd=0.03, verdict=ABOVE)


def differences() -> pd.DataFrame:
    effects = {"sft": (0.08, 0.09), "rft": (0.1, 0.11), "dpo": (0.01, -0.01)}
    rows = [
        ("base", run(label, seed), effect)
        for label, both in effects.items()
        for seed, effect in zip(SEEDS, both, strict=True)
    ]
    frame = pd.DataFrame(rows, columns=["run_a", "run_b", "difference"])
    frame = frame.assign(benchmark="hard", decoding="sampled", most_precise=True, problems=500, margin=0.02)
    frame = frame.assign(low=frame.difference - 0.015, high=frame.difference + 0.015, smallest_difference=0.03)
    frame["verdict"] = ["different" if low > 0 else "cannot tell" for low in frame.low]
    return frame.assign(question="does a loss change the base's accuracy")


def barriers() -> pd.DataFrame:
    pairs = geometry().iloc[:6]
    frame = pd.DataFrame(
        {"run_a": pairs.run_a, "run_b": pairs.run_b, "difference": [0.001, 0.002, 0.03, 0.05, 0.0, 0.001]}
    )
    frame = frame.assign(loss="reference_solution", t=0.5, smallest_effect=0.004)
    frame = frame.assign(difference_low=frame.difference - 0.001, difference_high=frame.difference + 0.001)
    return frame.assign(verdict=["barrier" if height > 0.01 else "no barrier" for height in frame.difference])


def decomposition() -> pd.DataFrame:
    terms = {"common": 0.4, "method": 0.2, "seed": 0.3, "remainder": 0.1}
    frame = pd.DataFrame({"term": terms, "share": terms}).assign(term=list(terms))
    chance = [1 / 6, 1 / 3, 1 / 6, 1 / 3]
    return frame.assign(measure="cosine", chance=chance, methods=3, seeds=2)


def step_pairs() -> pd.DataFrame:
    cosines = {8: (0.5, 0.6), 64: (0.05, 0.09)}
    rows = [
        (run("sft", seed), run("dpo", seed), "", step, step, value)
        for step, values in cosines.items()
        for seed, value in zip(SEEDS, values, strict=True)
    ]
    rows += [
        (run("sft", "42"), run("dpo", "42"), "", 8, 64, 0.99),
        (run("sft", "42"), run("sft", "42-o1"), "order", 8, 8, 0.95),
    ]
    return pd.DataFrame(rows, columns=["run_a", "run_b", "replicate", "step_a", "step_b", "cosine"]).assign(
        cosine_sd=0.02
    )


def matched() -> pd.DataFrame:
    rows = [("norm", 0.43, True, 0.2), ("KL", 0.003, True, 0.3), ("norm", 0.2, False, 0.9), ("step", 8, True, 0.5)]
    frame = pd.DataFrame(rows, columns=["at", "level", "end", "cosine"])
    frame = frame.assign(run_a=run("sft", "42"), run_b=run("dpo", "42"), replicate="", cosine_sd=0.02, verdict=ABOVE)
    return frame


def frames() -> dict[str, pd.DataFrame]:
    made = (runs, geometry, modules, differences, barriers, decomposition, step_pairs, matched)
    return {one.__name__: one() for one in made}


def found(tables: dict[str, pd.DataFrame]) -> dict[str, dict]:
    return {finding.id: finding._asdict() for finding in gather(tables, TITLES, "sft", MODULES)}


@pytest.fixture(scope="module")
def all_found() -> dict[str, dict]:
    return found(frames())


def test_the_ends_are_the_extreme_means_of_losses_at_their_own_rates(all_found):
    """Neither the control nor the other learning rate, though both are closer, is one of the pairs."""
    one = all_found["direction.ends"]
    means = {pair: sum(values) / 2 for pair, values in COSINES.items()}
    assert max(means, key=means.get) == ("sft", "rft") and one["view"].endswith("sft.lr0.001.s42--rft.lr0.001.s42")
    assert math.isclose(one["value"], max(means.values())) and (one["low"], one["high"]) == COSINES["sft", "rft"]
    assert "of 3 pairs" in one["statement"] and "DPO, cosine 0.070" in one["statement"]


def test_a_direction_says_angle_share_and_what_it_stands_beside(all_found):
    text = all_found["direction.sft--rft"]["statement"]
    mean = 0.89
    for part in (angle(mean), share(mean), decimal(mean), "0.880 to 0.900 over 2 seeds", "0.059", "0.500", "0.930"):
        assert part in text
    assert angle(mean) == "27.1°" and share(mean) == "79 %"
    assert text.endswith("Verdict: cannot tell (no replicate).")
    assert "SFT with its data in another order 0.930." in text
    table = geometry().assign(replicate_of="sft;rft")
    text = found(frames() | {"geometry": table})["direction.sft--rft"]["statement"]
    assert "SFT and RFT with their data in another order 0.930 on average." in text


def test_the_place_is_that_of_the_smallest_mean_cosine(all_found):
    assert all_found["place.sft--dpo"]["verdict"] == "furthest in layer 0, q"
    assert math.isclose(all_found["place.sft--dpo"]["value"], 0.07 - 0.04)


def test_accuracies_are_counted_by_their_verdicts_and_an_unseen_one_names_what_would_have_been_seen(all_found):
    one = all_found["accuracy.hard"]
    assert "RFT +10.5, SFT +8.5." in one["statement"] and one["verdict"] == "2 different, 0 equal, 1 cannot tell"
    assert "a difference of 3.0 points would have been seen" in one["statement"]
    assert "3.0 points would have been seen" in all_found["accuracy.hard.dpo"]["statement"]


def test_barriers_are_counted_beside_the_size_that_counts(all_found):
    one = all_found["between.reference_solution"]
    assert "2 have a barrier, 4 have none of the size that counts, 0 cannot be told" in one["statement"]
    assert (
        "0.05 nats per token (0.049 to 0.051), between SFT and DPO, seed 123" not in one["statement"]
    )  # names follow runs
    assert "between SFT, seed 123 and DPO, seed 123" in one["statement"] and "counts from 0.004" in one["statement"]


def test_seed_and_loss_are_compared_by_their_shares(all_found):
    one = all_found["seed_or_loss"]
    assert "20 % (33 %) goes with the loss, 30 % (17 %) with the seed" in one["statement"]
    assert one["verdict"] == "of the updates, more goes with the seed, beside chance"
    # Three losses take more of the sum of squares than two seeds, of unrelated updates too.
    changed = frames()
    changed["decomposition"] = changed["decomposition"].assign(share=[0.35, 0.3, 0.25, 0.1])
    assert found(changed)["seed_or_loss"]["verdict"] == "of the updates, more goes with the seed, beside chance"


def test_the_way_is_told_from_its_first_steps_to_its_end(all_found):
    text = all_found["forms.sft--dpo"]["statement"]
    assert "After 8 of 64 steps SFT and DPO have cosine 0.550 (0.500 to 0.600 over 2 seeds), at the end 0.070" in text
    assert "in another order has 0.950 after 8 steps" in text
    equal = all_found["matched.sft--dpo"]["statement"]
    assert "at equal norm (0.43) 0.200, and at equal KL (0.003) 0.300" in equal


CHANGES = {
    "step_pairs": ("forms.sft--dpo", "cosine", lambda column: -column),
    "matched": ("matched.sft--dpo", "cosine", lambda column: -column),
    "geometry": ("direction.sft--rft", "value", lambda column: column - 0.5),
    "modules": ("place.sft--rft", "value", lambda column: -column),
    "differences": ("accuracy.hard", "verdict", lambda column: column.map(lambda _: "equal")),
    "barriers": ("between.reference_solution", "verdict", lambda column: column.map(lambda _: "cannot tell")),
    "decomposition": ("seed_or_loss", "share", lambda column: column[::-1].to_numpy()),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_table_changes_the_sentence_and_a_missing_one_takes_it_away(name, all_found):
    key, column, change = CHANGES[name]
    changed = frames()
    changed[name] = changed[name].assign(**{column: change(changed[name][column])})
    assert found(changed)[key]["statement"] != all_found[key]["statement"]
    del changed[name]
    assert key not in found(changed)


def test_within_chance_is_counted_by_the_tables_verdict():
    changed = frames()
    changed["geometry"] = changed["geometry"].assign(verdict=INSIDE)
    assert "3 of the 3 are within chance in some seed" in found(changed)["direction.ends"]["statement"]


def test_seeds_that_disagree_have_no_verdict():
    assert agreement(["equal", "equal"]) == ("equal", 2)
    assert agreement(["equal", "different"])[0] == "seeds disagree"


def test_no_sentence_holds_a_run_id_and_none_announces_nothing(all_found):
    for one in all_found.values():
        assert ".lr" not in one["statement"] and "_" not in one["statement"]
        assert one["not_shown"] and one["question"].endswith("?") and one["statement"].endswith(".")


def test_names_are_those_that_people_say():
    names = Names(runs(), TITLES, "sft")
    assert names(run("sft", "42")) == "SFT" and names(run("sft", "123")) == "SFT, seed 123"
    rows = {"a": ("sft", 1e-3, "1"), "b": ("dpo", 1e-4, "1"), "c": ("dpo", 1e-3, "1"), "d": ("sft", 1e-4, "1")}
    rows["e"] = ("sft", 1e-3, "1-o2")
    frame = pd.DataFrame([(run, *row) for run, row in rows.items()], columns=["run", "method", "learning_rate", "seed"])
    said = [Names(frame, TITLES, "sft")(one) for one in "abcde"]
    assert said == ["SFT", "DPO", "DPO at SFT's rate", "SFT at DPO's rate", "SFT, data order 2"]


def test_numbers_are_written_with_a_minus_sign_and_no_negative_zero():
    assert (decimal(-0.0001), decimal(-0.25), points(-0.0001), small(-0.0021)) == ("0.000", "−0.250", "+0.0", "−0.0021")


def test_both_files_hold_the_same_rows(tmp_path):
    made = gather(frames(), TITLES, "sft", MODULES)
    write_findings(made, tmp_path / "f.json", tmp_path / "f.csv")
    entries = json.loads((tmp_path / "f.json").read_text(encoding="utf-8"))
    with open(tmp_path / "f.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [entry["statement"] for entry in entries] == [row["statement"] for row in rows]
    ranks = [entry["rank"] for entry in entries]
    assert ranks[: sum(map(bool, ranks))] == sorted(filter(None, ranks)) and set(rows[0]) == set(entries[0])


def test_the_step_closest_to_where_another_ends_is_of_the_rows_that_end_there(all_found):
    assert "8 of 64 is closest to where DPO ends: cosine 0.990" in all_found["across.sft--dpo"]["statement"]


def test_passes_are_those_of_losses_at_their_own_rates():
    trained = runs().assign(steps=128.0, rows_left_out=0.0, epochs=[1.0, 1.0, 2.0, 2.0, 8.0, 10.0, math.nan, 99.0])
    trained.loc[4:5, "rows_left_out"] = 3
    one = found({"runs": trained})["passes"]
    assert one["value"] == 9.0 and "In 128 steps DPO makes 9 passes" in one["statement"]
    assert one["statement"].endswith("left out of DPO.")


def test_reach_is_the_divergence_over_the_squared_norm():
    ends = [(run("sft", seed), run("dpo", seed)) for seed in SEEDS]
    norms = [(a, b, f"norm_{end}", norm) for a, b in ends for end, norm in (("a", 2.0), ("b", 0.5))]
    sizes = pd.DataFrame(norms, columns=["run_a", "run_b", "metric", "value"]).assign(scope="global", side="none")
    rows = pd.DataFrame({"run": [one for pair in ends for one in pair], "value": 0.004})
    rows = rows.assign(measure="kl_base_run", text="base", part="all", low=0.003, high=0.005)
    one = found({"runs": runs(), "geometry": pd.concat([geometry(), sizes]), "behaviour": rows})["reach"]
    assert one["value"] == 16.0 and "most DPO, 0.016" in one["statement"] and "least SFT, 0.001" in one["statement"]
    still = sizes.assign(value=sizes.value.where(sizes.metric == "norm_a", 0.0))
    assert "reach" not in found({"runs": runs(), "geometry": pd.concat([geometry(), still]), "behaviour": rows})


def test_a_number_of_the_paper_is_within_where_the_ranges_meet():
    rows = [
        ("same here", 0.9, 1.0, 0.95, 1.1),
        ("differs here", 0.1, 0.2, 0.3, 0.4),
        ("cannot tell", None, None, 1.0, 1.0),
    ]
    table = pd.DataFrame(rows, columns=["verdict", "paper_low", "paper_high", "ours_low", "ours_high"])
    statement = found({"runs": runs(), "claims": table})["claims.numbers"]["statement"]
    assert statement.startswith("2 claims are about one number: 1 of the paper's lie within")
    assert statement.endswith("1 same here, 1 differs here.")
