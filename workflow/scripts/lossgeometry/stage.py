"""What a stage says of itself: settings, smoke variant, GPU, cost, tables, section of the summary, charts, figures.

A stage is described in `<room>/stage.py` and listed in `stages.py`. Descriptions are light: they import neither torch nor
pandas. What is heavy, the section of the summary, the findings and the charts, they name, as a method is named:
`<room>/section.py` with `section(frames, facts) -> str`, `<room>/statements.py` with `statements(frames, names)` and
`<room>/charts.py` with `CHARTS` and `PANELS`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from lossgeometry.experiment.config import Config
    from lossgeometry.planning.estimates import Cost, Work


class Column(NamedTuple):
    """One column of a table."""

    name: str
    meaning: str
    unit: str = ""
    """Empty for text, counts and pure numbers."""


RUN_PAIR = (Column("run_a", "first run of the pair"), Column("run_b", "second run of the pair"))


class Table(NamedTuple):
    """One table below results/<experiment>/tables."""

    name: str
    meaning: str
    """What one row is."""
    columns: tuple[Column, ...]
    asked: Callable[["Config"], bool]
    """Whether a configuration asks for it."""
    on_page: tuple[str, ...] | None = ()
    """Columns that the page takes (`pair` is made of run_a and run_b): all of them for None; a table that neither the page
    nor the summary shows has none."""
    suffix: str = "csv"

    @property
    def file(self) -> str:
        """Its file name."""
        return f"{self.name}.{self.suffix}"


class Figure(NamedTuple):
    """One publication figure: a chart of the page as it stands before a control is turned, but for `state`."""

    name: str
    kind: str
    """Name of its caption in resources/captions."""
    category: str
    """Where `snakemake --report` lists it."""
    chart: str
    """Key in the stage's `CHARTS`."""
    title: str = ""
    """What the value axis shows; `{k}` is the number of directions compared."""
    subject: str = ""
    """The loss, estimator or benchmark that it shows."""
    state: Mapping[str, Any] = {}
    """Selects that differ from the page's first view."""
    width: int = 420
    height: int = 250


SUFFIXES = ("svg", "pdf", "png")
"""Formats of every figure."""


def never(config: "Config") -> bool:
    return False


def always(config: "Config") -> bool:
    return True


def as_it_is(block: dict[str, Any]) -> dict[str, Any]:
    return block


def no_costs(config: "Config", work: "Work") -> Sequence["Cost"]:
    return ()


def no_figures(config: "Config") -> Iterable[Figure]:
    return ()


@dataclass(frozen=True)
class Stage:
    """One stage of the workflow."""

    block: str
    """Its block of the configuration; empty where it has none."""
    tables: tuple[Table, ...]
    on_gpu: Callable[["Config"], bool] = never
    """Whether it puts any job on a GPU."""
    shrink: Callable[[dict[str, Any]], dict[str, Any]] = as_it_is
    """Its block in the smoke variant of a configuration."""
    costs: Callable[["Config", "Work"], Sequence["Cost"]] = no_costs
    """Jobs, GPU-hours and disk space by formula; nothing for a stage that does not run."""
    figures: Callable[["Config"], Iterable[Figure]] = no_figures
    section: str = ""
    """Module of its section of the summary, without `lossgeometry.`; empty for none."""
    statements: str = ""
    """Module of its findings, likewise."""
    charts: str = ""
    """Module of its charts, likewise."""


def cut(block: dict[str, Any], **limits: int) -> dict[str, Any]:
    """Return a block with values lowered to limits."""
    return block | {key: min(block[key], limit) for key, limit in limits.items()}


SMOKE_PROMPTS, SMOKE_STEPS, SMOKE_TOKENS = 8, 4, 256
"""Size of the smoke variant."""
