"""Which of the supplied adapters are a control or an order replicate: what similarities are then read beside."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import pandas as pd

from lossgeometry.errors import InputError
from lossgeometry.geometry.beside import RunEntry
from lossgeometry.geometry.chance import band_text


class Roles(NamedTuple):
    """Names of adapters with a part to play; all of a comparison are taken to start from one initialisation, or none."""

    controls: Sequence[str] = ()
    """Trained as others were, but on shuffled verdicts."""
    replicates: Sequence[tuple[str, str]] = ()
    """An adapter, and the same training with the data in another order."""

    def require(self, names: Iterable[str]) -> None:
        """Raise InputError for a role of an adapter that is not compared, or of one that has two."""
        names, again = list(names), [second for _, second in self.replicates]
        used = [*self.controls, *(name for pair in self.replicates for name in pair)]
        for name in used:
            if name not in names:
                raise InputError(f"{name} is not among the adapters ({', '.join(names)}); name one of these")
        for name in used:
            if again.count(name) > 1 or (name in again and used.count(name) > 1):
                raise InputError(f"{name} can have one role only; name it once, as a control or as one's replicate")


NO_ROLES = Roles()


def with_roles(runs: Mapping[str, RunEntry], roles: Roles, prefix: str) -> dict[str, RunEntry]:
    """Return what tells the runs apart, with their roles; without any role nothing is assumed of how they start."""
    if roles == NO_ROLES:
        return dict(runs)
    found: dict[str, RunEntry] = {run: {**entry, "init": 0, "order": 0} for run, entry in runs.items()}
    for name in roles.controls:
        found[prefix + name]["control"] = True
    for number, (first, second) in enumerate(roles.replicates, 1):
        found[prefix + second] |= {"method": found[prefix + first]["method"], "order": number}
    return found


def beside_roles(geometry: pd.DataFrame) -> str:
    """Return the cosine of every pair beside chance, a control's and a replicate's, as text; empty where there is neither.

    Parameters
    ----------
    geometry
        The table `geometry`, with names as runs.
    """
    whole = geometry[(geometry.scope == "global") & (geometry.metric == "cosine")]
    if not (whole.control.notna() | whole.replicate.notna()).any():
        return ""
    rows = [["pair", "cosine", "chance (95 %)", "control", "replicate", "further apart than a replicate?"]]
    for row in whole.itertuples():
        beside = ("" if pd.isna(value) else f"{value:.3f}" for value in (row.value, row.control, row.replicate))
        value, control, replicate = beside
        told = (text for text in (row.reshuffle, row.reshuffle_reason) if isinstance(text, str) and text)
        chance = band_text(row.null_mean, row.null_sd)
        rows.append([f"{row.run_a} - {row.run_b}", value, chance, control, replicate, ": ".join(told)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
