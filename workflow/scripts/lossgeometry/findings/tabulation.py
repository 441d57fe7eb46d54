"""All findings of an experiment, from the statements of its stages, as JSON and CSV."""

import json
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from lossgeometry.files.atomic import atomic_file
from lossgeometry.files.csv_rows import read_frame, write_rows
from lossgeometry.findings.finding import Finding, Frames
from lossgeometry.findings.names import Names


def gather(frames: Frames, titles: Mapping[str, str], reference: str, modules: Sequence[str]) -> list[Finding]:
    """Return every finding, takeaways first and in their order.

    Parameters
    ----------
    frames
        Tables by name, `runs` among them; a stage that did not run has none.
    titles
        Title of every method label.
    modules
        Modules of the stages' statements, without `lossgeometry.`.
    """
    frames = {name: frame for name, frame in frames.items() if len(frame)}
    names = Names(frames["runs"], titles, reference)
    found = [finding for name in modules for finding in import_module(f"lossgeometry.{name}").statements(frames, names)]
    return sorted(found, key=lambda finding: finding.rank or math.inf)


def write_findings(findings: Sequence[Finding], json_path: Path, csv_path: Path) -> None:
    """Write tables/findings.json and tables/findings.csv: the same rows."""
    entries = [{name: _plain(value) for name, value in finding._asdict().items()} for finding in findings]
    with atomic_file(json_path) as partial:
        partial.write_text(json.dumps(entries, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    write_rows(csv_path, Finding._fields, [tuple(entry.values()) for entry in entries])


def read_tables(paths: Mapping[str, Path]) -> dict[str, pd.DataFrame]:
    """Return tables, CSV or parquet, by name."""
    return {
        name: pd.read_parquet(path) if path.suffix == ".parquet" else read_frame(path) for name, path in paths.items()
    }


def read_findings(path: Path) -> list[dict[str, Any]]:
    """Return the findings of tables/findings.json."""
    return json.loads(path.read_text(encoding="utf-8"))


def _plain(value: Any) -> Any:
    """Return a built-in value: None for an undefined number, ten significant digits for another."""
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return None
    return int(value) if float(value).is_integer() else float(f"{float(value):.10g}")
