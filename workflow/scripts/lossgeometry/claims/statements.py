"""How many of the paper's statements hold here."""

import pandas as pd

from lossgeometry.claims.findings import CANNOT_TELL, DIFFERS, NOT_TESTED, SAME
from lossgeometry.findings.finding import Finding, Frames, counted
from lossgeometry.findings.names import Names


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the count of verdicts of `claims`."""
    if "claims" not in frames:
        return []
    verdicts = list(frames["claims"].verdict)
    text = counted(verdicts, (SAME, DIFFERS, CANNOT_TELL, NOT_TESTED))
    return [
        Finding(
            id="claims",
            question="Do the paper's claims hold here?",
            statement=f"Verdicts on {len(verdicts)} statements of the paper (arXiv:2606.23740): {text}.",
            value=float(verdicts.count(SAME)),
            unit="statements",
            verdict=text,
            not_shown="whether the paper's own experiment holds: models, data and scale differ",
            section="claims",
            rank=12,
        ),
        *_numbers(frames["claims"]),
    ]


def _numbers(claims: pd.DataFrame) -> list[Finding]:
    """Return how many numbers of the paper lie within the range over the replicates here."""
    rows = claims.dropna(subset=["paper_low", "paper_high", "ours_low", "ours_high"])
    if rows.empty:
        return []
    within = int(((rows.ours_low <= rows.paper_high) & (rows.paper_low <= rows.ours_high)).sum())
    text = counted(list(rows.verdict), (SAME, DIFFERS, CANNOT_TELL, NOT_TESTED))
    return [
        Finding(
            id="claims.numbers",
            question="Are the paper's numbers those here?",
            statement=f"{len(rows)} claims are about one number: {within} of the paper's lie within the range over the replicates"
            f" here. Verdicts by the rule of each claim: {text}.",
            value=float(within),
            unit="numbers",
            verdict=text,
            not_shown="whether a number differs by more than models, data and scale would have it",
            section="numbers",
        )
    ]
