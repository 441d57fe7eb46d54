"""The paper's claims, each put to this experiment by a stated rule."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import yaml

from lossgeometry.evaluation.claim_findings import Finding
from lossgeometry.evaluation.claim_rules import RULES
from lossgeometry.evaluation.evidence import Evidence, Missing
from lossgeometry.experiment.runs import Run
from lossgeometry.files.atomic import atomic_file

Verdict = Literal["agrees", "contradicts", "cannot tell", "not run"]
COLUMNS = ["claim", "part", "statement", "quantity", "rule", "paper", "ours", "band", "verdict", "caveat"]


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
        Paths of those of the tables geometry, layers, barriers, cka, accuracy and mcnemar that were made.
    reference
        resources/paper_reference.yaml.
    """
    frames = {name: pd.read_csv(path) for name, path in tables.items()}
    with open(reference, encoding="utf-8") as file:
        stated = yaml.safe_load(file)
    table = judge_claims(stated, student, Evidence(frames, runs))
    with atomic_file(output) as partial:
        table.to_csv(partial, index=False, lineterminator="\n")


def judge_claims(reference: Mapping[str, Any], student: str, evidence: Evidence) -> pd.DataFrame:
    """One row per part of a claim, in the order of the reference; columns `COLUMNS`, all text.

    A part whose runs, pairs or tables are missing is `not run`, and its caveat says what is missing.
    """
    scale = scale_caveat(student, reference["student"])
    rows = []
    for entry in reference["claims"]:
        try:
            finding = RULES[entry["claim"], entry["part"]](evidence, entry)
            caveats = [entry["caveat"], finding.caveat, scale]
        except Missing as missing:
            finding = Finding("", "", "not run")
            caveats = [f"{missing}."]
        limits = _limits(entry)
        rows.append(
            {key: entry[key] for key in ("claim", "part", "statement", "quantity", "paper")}
            | {"rule": entry["rule"].format(**{name: f"{limit:.3g}" for name, limit in limits.items()})}
            | {"ours": finding.ours, "band": finding.band, "verdict": finding.verdict}
            | {"caveat": " ".join(filter(None, caveats))}
        )
    return pd.DataFrame(rows, columns=COLUMNS)


def scale_caveat(student: str, paper_student: str) -> str:
    """The sentence that keeps a reader from carrying a verdict over to another scale; empty at the paper's own."""
    if student == paper_student:
        return ""
    return (
        f"Scale differs: the student is {student}, not {paper_student}, with other data and learning rates; neither "
        "agreement nor contradiction here settles the claim at the paper's scale."
    )


def overall(table: pd.DataFrame) -> dict[str, Verdict]:
    """One verdict per claim: contradicted by any part, in agreement only if every part that ran agrees."""
    verdicts: dict[str, Verdict] = {}
    for claim, parts in table.groupby("claim", sort=False):
        seen = set(parts.verdict)
        if "contradicts" in seen:
            verdicts[claim] = "contradicts"
        elif seen == {"not run"}:
            verdicts[claim] = "not run"
        else:
            verdicts[claim] = "agrees" if seen <= {"agrees", "not run"} else "cannot tell"
    return verdicts


def _limits(entry: Mapping[str, Any]) -> dict[str, float]:
    """Return an entry's limits by their name in its rule; claims about barriers have none of their own."""
    keys = {"agrees": "at_least" if "at_least" in entry else "at_most", "contradicts": "contradicts"}
    return {name: entry[key] for name, key in keys.items() if key in entry}
