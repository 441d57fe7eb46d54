"""The first lines of summary.md name the ends of every scale and nothing that was not measured."""

import pandas as pd

from lossgeometry.claims import section as claims_section
from lossgeometry.connectivity import section as connectivity
from lossgeometry.evaluation import section as evaluation
from lossgeometry.geometry import section as geometry
from lossgeometry.geometry.chance import verdicts
from lossgeometry.report.summary import in_short as put_together

MODULES = (geometry, connectivity, evaluation, claims_section)


def in_short(frames: dict[str, pd.DataFrame]) -> str:
    return put_together(MODULES, frames)


def cosines(*values: float) -> pd.DataFrame:
    rows = [("global", "cosine", f"a{i}", f"b{i}", value, 0.0, 0.05) for i, value in enumerate(values)]
    rows += [("layer", "cosine", "other", "scope", 1.0, 0.0, 0.05), ("global", "norm_a", "x", "y", 9.0, 0.0, 0.05)]
    frame = pd.DataFrame(rows, columns=["scope", "metric", "run_a", "run_b", "value", "null_mean", "null_sd"])
    beside = {"control": float("nan"), "replicate": float("nan"), "replicate_of": None, "reshuffle": None}
    return frame.assign(verdict=verdicts(frame.value, frame.null_mean, frame.null_sd), **beside)


def runs(controls: tuple[str, ...] = ()) -> pd.DataFrame:
    return pd.DataFrame({"run": ["a0", *controls], "control": [None, *("shuffled verdicts" for _ in controls)]})


def test_the_ends_and_the_pairs_within_chance_are_those_of_the_whole_model():
    text = in_short({"runs": runs(), "geometry": cosines(0.3, -0.2, float("nan"), 0.09, 0.9)})
    assert "most alike are a4 and b4, cosine 0.900 (chance 0.000 ± 0.098)" in text
    assert "least a1 and b1, cosine -0.200" in text
    assert "1 of 4 pairs are no more alike than chance" in text


def test_controls_are_no_finding_and_stand_beside_one():
    table = cosines(0.3, -0.2, 0.95).assign(control=[0.25, float("nan"), float("nan"), float("nan"), float("nan")])
    text = in_short({"runs": runs(("b2",)), "geometry": table})
    assert "most alike are a0 and b0, cosine 0.300 (chance 0.000 ± 0.098; a control's 0.250)" in text
    assert "of 2 pairs" in text and "b2" not in text


def test_what_a_reshuffle_does_and_allows_to_say_is_counted():
    table = cosines(0.95, 0.4, 0.1)
    table.loc[:2, ["replicate", "replicate_of"]] = [0.91, "sft"]
    table.loc[:2, "reshuffle"] = ["within a reshuffle", "cannot tell", "beyond a reshuffle"]
    text = in_short({"runs": runs(), "geometry": table})
    assert (
        "leaves a cosine of 0.910 (sft): of 3 pairs from one initialisation 1 are no further apart, 1 are, 1 cannot"
        in text
    )
    assert "Reshuffling" not in in_short({"runs": runs(), "geometry": cosines(0.95)})


def test_barriers_are_those_of_the_verdicts_and_the_highest_is_named():
    columns = ["run_a", "run_b", "loss", "difference", "difference_low", "difference_high", "verdict"]
    rows = [
        ("a", "b", "reference_solution", 0.9, 0.8, 1.0, "no barrier"),
        ("a", "b", "boxed_answer", 0.5, -0.3, 1.3, "cannot tell"),
        ("a", "c", "boxed_answer", 0.2, 0.19, 0.21, "barrier"),
        ("b", "c", "boxed_answer", float("nan"), float("nan"), float("nan"), "cannot tell"),
    ]
    text = in_short({"barriers": pd.DataFrame(rows, columns=columns)})
    assert (
        "above the smallest effect separates 0 of 1 pairs, 1 have none of that size (1 have a smaller one), 0 cannot be told."
        in text
    )
    assert "separates 1 of 3 pairs, 0 have none of that size (0 have a smaller one), 2 cannot be told" in text
    assert "; the highest lies between a and c" in text
    assert "0.2000 (0.1900 to 0.2100) nats per token" in text


def test_accuracies_are_of_the_decoding_that_tells_smaller_differences():
    columns = ["run", "benchmark", "decoding", "accuracy", "minimum_detectable_difference"]
    columns += ["difference_to_base", "difference_low", "difference_high"]
    rows = [("base", "gsm8k", "greedy", 0.9, 0.05, None, None, None), ("sft", "gsm8k", "greedy", 0.8, 0.05, -0.1, 0, 0)]
    rows += [("base", "gsm8k", "sampled", 0.6, 0.03, None, None, None)]
    rows += [
        (run, "gsm8k", "sampled", 0.6 + by, 0.03, by, by - 0.02, by + 0.02) for run, by in (("sft", 0.1), ("dpo", -0.2))
    ]
    rows += [(run, "gsm8k", "sampled", 0.9, 0.03, 0.3, -0.1, 0.7) for run in ("control.random", "edit.less")]
    origins = {"sft": "trained", "dpo": "trained", "control.random": "derived", "edit.less": "derived"}
    named = pd.DataFrame(
        {"run": [*origins], "origin": [*origins.values()], "control": [None, None, "random directions", None]}
    )
    text = in_short({"accuracy": pd.DataFrame(rows, columns=columns), "runs": named})
    assert "; control.random (random directions), +30.0 points (-10.0 to +70.0)" in text
    assert "edit.less" not in text, "an edit is no loss"
    assert (
        "on gsm8k, sampled: the base solves 60.0%; highest sft, +10.0 points (+8.0 to +12.0); lowest dpo, -20.0 points"
        in text
    )
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
        "- **Losses in accuracy** on gsm8k, seed 1: of 4 pairs 2 are equal within 2.0 points, 1 different, 1 cannot be told.",
        "- **Losses in accuracy** on gsm8k, seed 2: of 1 pairs 0 are equal within 2.0 points, 1 different, 0 cannot be told.",
    ]
