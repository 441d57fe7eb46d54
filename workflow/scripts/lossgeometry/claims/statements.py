"""How many of the paper's statements hold here."""

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
            statement=f"Of {len(verdicts)} statements of the paper (arXiv:2606.23740): {text}.",
            value=float(verdicts.count(SAME)),
            unit="statements",
            verdict=text,
            not_shown="whether the paper's own experiment holds: models, data and scale differ",
            section="claims",
            rank=12,
        )
    ]
