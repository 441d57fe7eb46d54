"""The head of the summary says what the runs share and what they differ in, and names the controls."""

import pandas as pd
import pytest

from lossgeometry.report.summary import write_summary
from lossgeometry.settings.tasks import Summary

RUN = Summary(
    experiment="x",
    student="a student",
    teacher="the student itself",
    tiny_student=False,
    trained=True,
    one_seed=False,
    rank=8,
    targets=("q_proj",),
    sampling=("online_grpo",),
)
FACTS = {"student": "a student", "paper_student": "another"}


@pytest.fixture
def summary(tmp_path):
    def write(run, controls):
        frame = pd.DataFrame({"run": [f"r{number}" for number in range(len(controls))], "control": controls})
        frame.to_csv(tmp_path / "runs.csv", index=False)
        tables = {"runs": tmp_path / "runs.csv"}
        (tmp_path / "findings.json").write_text("[]")
        write_summary(
            run,
            FACTS,
            ["evaluation.section"],
            tmp_path / "findings.json",
            tables,
            tmp_path / "none",
            tmp_path / "summary.md",
        )
        return (tmp_path / "summary.md").read_text(encoding="utf-8")

    return write


def test_methods_that_sample_for_themselves_and_other_learning_rates_are_no_secret(summary):
    """Before: "they share the rollouts; only the loss differs", of runs that share neither texts nor learning rates."""
    text = summary(RUN, [None, None])
    assert "2 adapters were compared." in text and "Beside them" not in text
    assert "(sampled from the student itself), but online_grpo samples its own completions" in text
    assert "only the loss differs" not in text and "in the learning rate where their names say so" in text
    assert "sample their own" not in summary(RUN.model_copy(update={"sampling": ()}), [None])


def test_controls_are_named_and_not_counted(summary):
    text = summary(RUN, [None, "shuffled verdicts", "random directions"])
    assert "1 adapters were compared." in text
    assert "2 controls, which no finding counts: r1 (shuffled verdicts), r2 (random directions)." in text
