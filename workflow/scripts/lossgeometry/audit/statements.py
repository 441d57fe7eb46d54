"""What gradients say before training, beside what training made of it."""

from collections.abc import Iterable

import pandas as pd

from lossgeometry.files.rows import pair_id
from lossgeometry.findings.finding import Finding, Frames, between, decimal, view
from lossgeometry.findings.names import Names
from lossgeometry.geometry.chance import WIDTH

HARDER = 0.5
"""Share of right rollouts that the statement on harder rollouts is about."""


def statements(frames: Frames, names: Names) -> list[Finding]:
    """Return the findings of `agreement`, `predictions` and `regime`."""
    return [*_agreement(frames), *_harder(frames, names)]


def _agreement(frames: Frames) -> Iterable[Finding]:
    if "agreement" not in frames:
        return
    rows = frames["agreement"].query("kind == 'own rates' and predictor == 'cosine'").dropna(subset="spearman")
    for row in rows.itertuples():
        known = not pd.isna(row.spearman_low)
        ends = f" ({between(row.spearman_low, row.spearman_high, _two)})" if known else f" ({row.note})"
        yield Finding(
            id="predicted",
            question="Was it known before training?",
            statement=f"Gradients at the initialisation, before any step, rank the trained cosines of {row.pairs:.0f} pairs of"
            f" {row.losses:.0f} losses with Spearman {decimal(row.spearman, 2)}{ends}. They are off by"
            f" {decimal(row.mean_difference, 2)} on average; {row.missed:.0f} of {row.pairs:.0f} pairs are further off than"
            " the limit set in advance.",
            value=row.spearman,
            low=row.spearman_low,
            high=row.spearman_high,
            interval="95 %, leaving out one loss at a time",
            unit="rank correlation",
            chance=f"p {row.p:.2g} over renamings of the losses (Mantel)",
            verdict=f"{row.missed:.0f} of {row.pairs:.0f} missed",
            not_shown="how far a run goes, or what later steps do: the prediction is of a direction, from the first gradient",
            section="predicted",
            rank=5,
        )


def _two(value: float) -> str:
    return decimal(value, 2)


def _harder(frames: Frames, names: Names) -> list[Finding]:
    """Return what other shares of right rollouts would change, for every loss beside the reference."""
    if "regime" not in frames or "rollouts" not in frames:
        return []
    regime = frames["regime"].query("point == 'initialisation'").dropna(subset="cosine")
    here = float(frames["rollouts"].correct.iloc[0])
    found = []
    for (a, b), rows in regime.groupby(["loss_a", "loss_b"], sort=False):
        # A control stands for no loss.
        if a != names.reference or a == b or "@" in str(b):
            continue
        now = rows.loc[(rows.share - here).abs().idxmin()]
        harder = rows.loc[(rows.share - HARDER).abs().idxmin()]
        if now.share > harder.share:
            found.append(_of_share(str(a), str(b), now, harder, names))
    largest = max(found, key=lambda one: abs(one[0]), default=None)
    return [finding._replace(rank=9 * (finding is largest[1])) for _, finding in found] if largest else []


def _of_share(a: str, b: str, now: pd.Series, harder: pd.Series, names: Names) -> tuple[float, Finding]:
    known = not pd.isna(harder.corrected_se)
    low, high = (harder.corrected + sign * WIDTH * harder.corrected_se for sign in (-1, 1))
    corrected = f" (corrected for noise {decimal(harder.corrected, 2)}, {between(low, high, _two)})" if known else ""
    change = harder.cosine - now.cosine
    title = names.title(b)
    finding = Finding(
        id=f"harder.{pair_id(a, b)}",
        question="What would harder rollouts change?",
        statement=f"With {100 * harder.share:.0f} % of the rollouts right instead of {100 * now.share:.0f} %, the gradients of"
        f" {names.title(a)} and {title} before training would have cosine {decimal(harder.cosine, 2)}{corrected} instead of"
        f" {decimal(now.cosine, 2)}.",
        value=harder.cosine,
        low=low if known else float("nan"),
        high=high if known else float("nan"),
        interval="95 % over folds of prompts, of the corrected cosine" if known else "",
        unit="cosine of gradients",
        verdict="interval excludes the cosine here" if known and not low <= now.cosine <= high else "cannot tell",
        not_shown="what training would make of it: it is computed from the mean gradients of right and of wrong rollouts",
        section="regimes",
        view=view(loss_a=a),
        pair=pair_id(a, b),
    )
    return change, finding
