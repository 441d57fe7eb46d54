"""Configuration of the runs that are computed from others."""

from typing import Any

from pydantic import Field, model_validator

from lossgeometry.settings.block import Block

OPERATIONS = (
    *("scale", "to_norm_of", "to_kl", "project", "reject", "truncate", "layers", "projections", "randomise"),
    *("sum", "ties", "dare"),
)
MERGES = ("sum", "ties", "dare")


class Ties(Block):
    """TIES merging (arXiv:2306.01708), per module: entries below a quantile go, then signs are elected."""

    runs: tuple[str, ...] = Field(min_length=2)
    """Runs or edits that are merged."""
    density: float = Field(0.2, gt=0, le=1)
    """Share of each module's entries that is kept: those of the largest size."""
    factor: float = 1.0
    """What the merged update is multiplied by."""
    rank: int = Field(64, ge=1)
    """Directions of each module that are kept, because a merged matrix has full rank; what that leaves out is recorded."""


class Dare(Block):
    """DARE merging (arXiv:2311.03099), per module: entries are dropped at random and the rest is rescaled, then added."""

    runs: tuple[str, ...] = Field(min_length=1)
    """Runs or edits that are added."""
    drop: float = Field(0.9, ge=0, lt=1)
    """Chance that an entry is dropped; the others are divided by what is left of 1."""
    factor: float = 1.0
    """What each run's part is multiplied by."""
    seed: int = Field(0, ge=0)
    """Seed of the draw."""
    rank: int = Field(64, ge=1)
    """As for `ties`."""


class Edit(Block):
    """One update computed from others; exactly one operation beside `of`."""

    of: str = ""
    """Run that is edited: a run id, another edit by its name, or a key of `methods` for its first run at its default learning
    rate; not for `sum`, `ties` and `dare`, which name their runs. Runs are named alike below."""
    scale: float | None = None
    """Multiply by a factor; -1 negates."""
    to_norm_of: str = ""
    """Scale to the Frobenius norm of this run or edit."""
    to_kl: float | None = Field(None, gt=0)
    """Scale until KL(base || run) on the base's answers that `behaviour` measures is this, in nats per token."""
    project: str = ""
    """Keep what lies along this run, module by module."""
    reject: str = ""
    """Keep what is orthogonal to this run, module by module."""
    truncate: int | None = Field(None, ge=1)
    """Keep so many leading directions of every module."""
    layers: tuple[int | str, ...] = ()
    """Keep these layers, by number or by the name of their block."""
    projections: tuple[str, ...] = ()
    """Keep these projections, such as `q_proj`."""
    rest: str = ""
    """With `layers` or `projections`: run that everything else is taken from; empty leaves nothing there."""
    randomise: int | None = Field(None, ge=0)
    """Keep the singular values and draw uniformly random directions with this seed."""
    sum: dict[str, float] = {}
    """Add these runs, each times a factor (task arithmetic, arXiv:2212.04089)."""
    ties: Ties | None = None
    """Merge runs by TIES."""
    dare: Dare | None = None
    """Merge runs by DARE."""
    random_control: bool = True
    """Also test random directions with the singular values of the edit, as the run `edit.<name>.random`."""

    def told(self) -> dict[str, Any]:
        """Return the keys that are set, as built-in types: an operation that is added later re-runs no other edit."""
        return self.model_dump(mode="json", exclude_defaults=True, exclude={"random_control"})

    @property
    def operation(self) -> str:
        """Name of the one operation."""
        (name,) = self._operations()
        return name

    @property
    def sources(self) -> tuple[str, ...]:
        """Runs and edits that it is computed from, the parent first."""
        merged = self.sum or (self.ties or self.dare or _NOTHING).runs
        named = [self.of, *merged, self.to_norm_of, self.project, self.reject, self.rest]
        return tuple(dict.fromkeys(name for name in named if name))

    def words(self) -> str:
        """Return the operation as tables name it."""
        value: Any = getattr(self, self.operation)
        if isinstance(value, Block):
            value = ", ".join(f"{key} {item}" for key, item in value.model_dump().items() if key != "runs")
        elif isinstance(value, dict):
            value = ", ".join(f"{factor:g} {run}" for run, factor in value.items())
        elif isinstance(value, tuple):
            value = " ".join(map(str, value)) + (f", rest of {self.rest}" if self.rest else "")
        return f"{self.operation} {value}"

    def _operations(self) -> list[str]:
        return [name for name in OPERATIONS if getattr(self, name) not in (None, "", (), {})]

    @model_validator(mode="after")
    def _one(self) -> "Edit":
        named = self._operations()
        if len(named) != 1:
            raise ValueError(f"name exactly one of {', '.join(OPERATIONS)}; it has {', '.join(named) or 'none'}")
        if bool(self.of) == (named[0] in MERGES):
            raise ValueError(
                f"{named[0]} {'names its runs itself; remove of' if self.of else 'edits a run; name it in of'}"
            )
        if self.rest and named[0] not in ("layers", "projections"):
            raise ValueError("rest: it says what other layers or projections hold; remove it")
        return self


_NOTHING = Dare(runs=("",))
