"""The paper's claims, each put to this experiment by a stated rule."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lossgeometry.claims.evidence import Evidence, Missing, Unsupported
from lossgeometry.claims.findings import CANNOT_TELL, NOT_TESTED, Finding
from lossgeometry.claims.rules import RULES
from lossgeometry.experiment.runs import Run
from lossgeometry.files.csv_rows import read_frame, write_frame

NUMBERS = ("paper_low", "paper_high", "ours_low", "ours_high")
COLUMNS = [
    "claim",
    "part",
    "learning_rates",
    "statement",
    "quantity",
    "rule",
    "paper",
    "ours",
    "predicted",
    "band",
    "verdict",
    "reason",
    "replicates",
    "decoding",
    "smallest_difference",
    "caveat",
    *NUMBERS,
]


NOTHING = (math.nan, math.nan)


def tabulate_claims(
    student: str, runs: Sequence[Run], tables: Mapping[str, Path], reference: Path, output: Path
) -> None:
    """Write claims.csv.

    Parameters
    ----------
    student
        Hub id of the student, or a few words for one that has none.
    runs
        All runs of the experiment, in its order.
    tables
        Paths of those of the tables geometry, layers, barriers, cka, behaviour, differences and predictions that were made.
    reference
        resources/paper_reference.yaml.
    """
    frames = {name: read_frame(path) for name, path in tables.items()}
    with open(reference, encoding="utf-8") as file:
        stated = yaml.safe_load(file)
    write_frame(output, judge_claims(stated, student, Evidence(frames, runs)), digits=None)


def judge_claims(reference: Mapping[str, Any], student: str, evidence: Evidence) -> pd.DataFrame:
    """One row per part of a claim, in the order of the reference; columns `COLUMNS`, all text.

    A part that depends on the learning rate has two rows: at each method's `own`, and at `matched` ones. Verdicts are
    `same here`, `differs here`, `cannot tell` and `not tested`; the last two have a reason, which names the key that would
    change it where there is one.
    """
    scale = scale_caveat(student, reference["student"])
    rows = []
    for entry in reference["claims"]:
        for rates in ("own", "matched") if entry.get("matched") else ("own",):
            try:
                finding = RULES[entry["claim"], entry["part"]](evidence, entry, rates == "matched")
                caveats = [entry["caveat"], finding.caveat, scale]
            except Missing as missing:
                verdict = CANNOT_TELL if isinstance(missing, Unsupported) else NOT_TESTED
                finding = Finding("", "", verdict, f"{missing}", "", math.nan)
                caveats = []
            limits = {name: f"{entry[key]:.3g}" for name, key in _limits(entry).items()}
            smallest = finding.smallest_difference
            rows.append(
                {key: entry[key] for key in ("claim", "part", "statement", "quantity", "paper")}
                | {"learning_rates": rates, "rule": entry["rule"].format(**limits)}
                | {
                    key: getattr(finding, key)
                    for key in ("ours", "predicted", "band", "verdict", "reason", "replicates", "decoding")
                }
                | {"smallest_difference": "" if math.isnan(smallest) else f"{smallest:.3g}"}
                | {"caveat": " ".join(filter(None, caveats))}
                | dict(
                    zip(NUMBERS, map(_text, (*entry.get("values", NOTHING), finding.low, finding.high)), strict=True)
                )
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _text(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.4g}"


def _limits(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return the keys of an entry's limits by their name in its rule; claims about accuracy have none but the margin."""
    keys = {"same": "at_least" if "at_least" in entry else "at_most", "differs": "contradicts"}
    return {name: key for name, key in keys.items() if key in entry}


def scale_caveat(student: str, paper_student: str) -> str:
    """The sentence that keeps a reader from carrying a verdict over to another scale; empty at the paper's own."""
    if student == paper_student:
        return ""
    return (
        f"Scale differs: the student is {student}, not {paper_student}, with other data and learning rates; no "
        "verdict here settles the claim at the paper's scale."
    )
