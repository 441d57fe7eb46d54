"""The first lines of summary.md name the ends of every scale and nothing that was not measured."""

import pandas as pd

from lossgeometry.report.in_short import in_short


def cosines(*values: float) -> pd.DataFrame:
    rows = [("global", "cosine", f"a{i}", f"b{i}", value, 0.0, 0.05) for i, value in enumerate(values)]
    rows += [("layer", "cosine", "other", "scope", 1.0, 0.0, 0.05), ("global", "norm_a", "x", "y", 9.0, 0.0, 0.05)]
    return pd.DataFrame(rows, columns=["scope", "metric", "run_a", "run_b", "value", "null_mean", "null_sd"])


def test_the_ends_and_the_pairs_within_chance_are_those_of_the_whole_model():
    text = in_short({"geometry": cosines(0.3, -0.2, float("nan"), 0.09, 0.9)})
    assert "most alike are a4 and b4, cosine 0.900 (chance 0.000 ± 0.100)" in text
    assert "least a1 and b1, cosine -0.200" in text
    assert "1 of 4 pairs are no more alike than chance" in text


def test_a_barrier_counts_from_twice_its_error():
    columns = ["run_a", "run_b", "loss", "loss_base", "barrier", "barrier_se"]
    low, high = ("a", "b", "reference_solution", 0.5, 0.19, 0.1), ("a", "c", "boxed_answer", 8.0, 0.21, 0.1)
    text = in_short({"barriers": pd.DataFrame([low, high, ("b", "c", "boxed_answer", 8.0, 0.0, 0.1)], columns=columns)})
    assert "reference solutions: no barrier separates any of 1 pairs" in text
    assert "a barrier separates 1 of 2 pairs, the highest a and c (0.2100 ± 0.2000" in text


def test_a_higher_barrier_within_its_error_hides_no_lower_one_beyond_it():
    columns = ["run_a", "run_b", "loss", "loss_base", "barrier", "barrier_se"]
    unsure, sure = ("a", "b", "boxed_answer", 8.0, 0.5, 0.4), ("a", "c", "boxed_answer", 8.0, 0.2, 0.01)
    undefined = ("b", "c", "boxed_answer", 8.0, float("nan"), float("nan"))
    text = in_short({"barriers": pd.DataFrame([unsure, sure, undefined], columns=columns)})
    assert "a barrier separates 1 of 3 pairs, the highest a and c (0.2000 ± 0.0200" in text
    assert "no barrier separates any of 1 pairs" in in_short({"barriers": pd.DataFrame([undefined], columns=columns)})


def test_accuracies_are_of_the_decoding_that_tells_smaller_differences():
    columns = ["run", "benchmark", "decoding", "accuracy", "minimum_detectable_difference"]
    columns += ["difference_to_base", "difference_low", "difference_high"]
    rows = [("base", "gsm8k", "greedy", 0.9, 0.05, None, None, None), ("sft", "gsm8k", "greedy", 0.8, 0.05, -0.1, 0, 0)]
    rows += [("base", "gsm8k", "sampled", 0.6, 0.03, None, None, None)]
    rows += [
        (run, "gsm8k", "sampled", 0.6 + by, 0.03, by, by - 0.02, by + 0.02) for run, by in (("sft", 0.1), ("dpo", -0.2))
    ]
    text = in_short({"accuracy": pd.DataFrame(rows, columns=columns)})
    assert "on gsm8k, sampled: the base solves 60.0%; highest sft, +10.0% (+8.0% to +12.0%); lowest dpo, -20.0%" in text
    assert "greedy" not in text


def test_what_was_not_measured_has_no_line():
    assert in_short({"runs": pd.DataFrame({"run": ["a"]})}) == ""
    claims = pd.DataFrame({"verdict": ["not tested", "same here", "not tested"]})
    assert in_short({"claims": claims}).splitlines()[2:] == [
        "- **The paper's claims**, 3 statements: 1 the same here, 2 not tested."
    ]


def test_losses_are_counted_by_verdict_in_every_family():
    rows = [("do the losses differ", "seed 1", verdict) for verdict in ("equal", "different", "cannot tell", "equal")]
    rows += [("do the losses differ", "seed 2", "different"), ("do the seeds of sft differ", "", "equal")]
    frame = pd.DataFrame(rows, columns=["question", "group", "verdict"])
    frame = frame.assign(benchmark="gsm8k", decoding="sampled", most_precise=True, margin=0.02)
    greedy = frame.assign(decoding="greedy", most_precise=False, verdict="different")
    lines = in_short({"differences": pd.concat([frame, greedy])}).splitlines()[2:]
    assert lines == [
        "- **Losses in accuracy** on gsm8k, seed 1: of 4 pairs 2 are equal within 2.0%, 1 different, 1 cannot be told.",
        "- **Losses in accuracy** on gsm8k, seed 2: of 1 pairs 0 are equal within 2.0%, 1 different, 0 cannot be told.",
    ]
