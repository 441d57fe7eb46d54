"""All results of a comparison of supplied updates: what the workflow writes, by the functions that it calls."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import yaml

from lossgeometry import jobs
from lossgeometry.charts.figures import draw_figures
from lossgeometry.command.matrix import cosine_matrix
from lossgeometry.command.roles import NO_ROLES, Roles, beside_roles, with_roles
from lossgeometry.command.sources import local_path, require_base, what_is_left_out
from lossgeometry.errors import InputError
from lossgeometry.experiment.checks import NAME
from lossgeometry.experiment.config import Config
from lossgeometry.experiment.loading import load_config
from lossgeometry.explorer.bundle import gather, write_bundle
from lossgeometry.explorer.page import write_page
from lossgeometry.files.atomic import atomic_file
from lossgeometry.files.csv_rows import read_frame
from lossgeometry.files.parquet import table_of, write_parquet
from lossgeometry.files.progress import tracked
from lossgeometry.files.rows import pair_id
from lossgeometry.findings.tabulation import gather as gather_findings
from lossgeometry.findings.tabulation import read_findings, read_tables, write_findings
from lossgeometry.geometry.overview import overview
from lossgeometry.geometry.pairs import MapRow, PairGeometry, compare_pair
from lossgeometry.geometry.scopes import Row
from lossgeometry.geometry.tabulation import gather_maps, gather_pairs, write_csv
from lossgeometry.report.data_dictionary import beside
from lossgeometry.report.runs_table import tabulate_runs
from lossgeometry.report.summary import write_summary
from lossgeometry.settings.tasks import Page, Summary
from lossgeometry.stages import STAGES
from lossgeometry.updates.folders import require_source
from lossgeometry.updates.loading import load
from lossgeometry.updates.reduction import write_delta
from lossgeometry.updates.stored import Delta
from lossgeometry.updates.update import Update

PREFIX = "external."
"""Of the run ids of supplied updates."""


def write_comparison(
    sources: Mapping[str, str],
    out: Path,
    k: int = 10,
    base: str | None = None,
    rank: int = 64,
    roles: Roles = NO_ROLES,
) -> Iterator[str]:
    """Compare updates, write the results below a folder, and yield the lines for a reader.

    Parameters
    ----------
    sources
        {name: folder, delta file or hub id}, two or more.
    out
        Folder of the results, laid out as `results/<experiment>` is.
    k
        Leading directions to compare.
    base
        Folder of the base model, where an update can be read only beside it.
    rank
        Rank that is kept of updates without a low one.
    roles
        Which of them are controls or replicates.

    Raises
    ------
    InputError
        If there is nothing to compare, or a source cannot be read.
    """
    if len(sources) < 2:
        raise InputError(
            f"{next(iter(sources))} alone has nothing to be compared with; use `lossgeometry show` for one"
        )
    if k < 1:
        raise InputError(f"{k} directions cannot be compared; ask for 1 or more")
    roles.require(sources)
    require_base(base)
    for source in sources.values():
        require_source(source)
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; name a folder as --out")
    config = _configuration(sources, out, k, base, rank)
    updates = _updates(config, sources, out, base, rank)
    pairs = {(a, b): _compared(updates, a, b, k, out) for a, b in tracked(config.pairs, "comparing pairs")}
    tables = _write_tables(config, out, roles)
    _write_report(config, tables, out)
    yield from _said(config, updates, pairs, tables)
    yield f"\n{out / 'summary.md'}\n{out / 'explorer.html'}\n{out / 'figures'}, {out / 'tables'} (README.md says what is in them)"


def _configuration(sources: Mapping[str, str], out: Path, k: int, base: str | None, rank: int) -> Config:
    """Return the configuration under which the workflow would do the same."""
    name = out.resolve().name
    values: dict = {"experiment": name if NAME.fullmatch(name) else "comparison", "adapters": dict(sources)}
    values["geometry"] = {"k": k, "fine_tune_rank": rank}
    if base is not None:
        values["student"] = {"source": "folder", "name": str(base)}
    return load_config(values)


def _updates(config: Config, sources: Mapping[str, str], out: Path, base: str | None, rank: int) -> dict[str, Update]:
    """Return the updates by run id.

    One that takes part in several pairs, or was decomposed from dense matrices, is written to a delta file and read from
    there; two adapters alone are compared where they lie.
    """
    runs = {f"{PREFIX}{name}": source for name, source in sources.items()}
    paths = {run: local_path(source, out / "adapters" / run) for run, source in runs.items()}
    found: dict[str, Update] = {}
    for run, path in tracked(list(paths.items()), "reading updates"):
        update = load(path, base, rank)
        if not isinstance(update, Delta) and (len(runs) > 2 or update.left_out):
            stored = out / f"deltas/{run}.safetensors"
            write_delta(update, stored)
            update = Delta(stored)
        found[run] = update
    return found


def _compared(updates: Mapping[str, Update], a: str, b: str, k: int, out: Path) -> PairGeometry:
    pair = compare_pair(updates[a], updates[b], (a, b), k)
    folder = out / "pairs" / pair_id(a, b)
    write_parquet(folder / "geometry.parquet", table_of(pair.rows, Row))
    write_parquet(folder / "grassmann.parquet", table_of(pair.maps, MapRow))
    return pair


def _write_tables(config: Config, out: Path, roles: Roles) -> dict[str, Path]:
    """Write every table that the configuration asks for, and return their files by name."""
    asked = [table for stage in STAGES for table in stage.tables if table.asked(config)]
    paths = {table.name: out / "tables" / table.file for table in asked}
    told = jobs.weights.pairs_table(config)
    files = [out / "pairs" / pair_id(a, b) for a, b in config.pairs]
    runs = with_roles(told["runs"], roles, PREFIX)
    gathered = gather_pairs(told["pairs"], runs, [folder / "geometry.parquet" for folder in files])
    # The cure that the reasons name is the configuration's.
    reasons = gathered["geometry"].reshuffle_reason.str.replace("; add .*", "; name one with --replicate", regex=True)
    write_csv(paths["geometry"], gathered["geometry"].assign(reshuffle_reason=reasons))
    write_csv(paths["layers"], gathered["layers"])
    write_csv(paths["grassmann"], gather_maps(told["pairs"], [folder / "grassmann.parquet" for folder in files]))
    write_parquet(paths["modules"], pa.Table.from_pandas(gathered["modules"], preserve_index=False))
    tabulate_runs(jobs.report.runs_table(config), [], [], paths["runs"])
    with atomic_file(out / "tables/README.md") as partial:
        partial.write_text(beside(asked), encoding="utf-8")
    return paths


def _write_report(config: Config, tables: Mapping[str, Path], out: Path) -> None:
    """Write the configuration, the summary, the page and the figures from the tables."""
    with atomic_file(out / "config.yaml") as partial:
        partial.write_text(yaml.safe_dump(config.told(), sort_keys=False, allow_unicode=True), encoding="utf-8")
    shown = {table.name: table.on_page for stage in STAGES for table in stage.tables if table.on_page != ()}
    shown = {name: columns for name, columns in shown.items() if name in tables}
    named = jobs.report.findings(config, [stage.statements for stage in STAGES if stage.statements])
    found = gather_findings(read_tables({name: tables[name] for name in shown}), **named)
    write_findings(found, _json(tables), tables["findings"])
    told = jobs.report.summary(config, "", [stage.section for stage in STAGES if stage.section])
    write_summary(
        run=Summary.from_told(told["run"]),
        facts={"student": config.student_name, "paper_student": ""},
        sections=told["sections"],
        findings=_json(tables),
        tables={name: tables[name] for name in shown if tables[name].suffix == ".csv"},
        results=None,
        output=out / "summary.md",
    )
    page = Page.from_told(jobs.report.page(config, shown, [stage.charts for stage in STAGES if stage.charts]))
    gathered = out / "explorer.json"
    write_bundle(
        gather(page, {name: tables[name] for name in shown}, config=out / "config.yaml", findings=_json(tables)),
        gathered,
    )
    # As the workflow does: page and figures start from the file.
    bundle = json.loads(gathered.read_text(encoding="utf-8"))
    write_page(bundle, out / "explorer.html")
    draw_figures(bundle, [figure for stage in STAGES for figure in stage.figures(config)], out / "figures")


def _json(tables: Mapping[str, Path]) -> Path:
    """Return the file of findings beside their table."""
    return tables["findings"].with_suffix(".json")


def _said(
    config: Config,
    updates: Mapping[str, Update],
    pairs: Mapping[tuple[str, str], PairGeometry],
    tables: Mapping[str, Path],
) -> Iterator[str]:
    """Yield what the tables say, in words and under the names that were given."""
    geometry = read_frame(tables["geometry"])
    for end in ("run_a", "run_b"):
        geometry[end] = geometry[end].str.removeprefix(PREFIX)
    if len(pairs) == 1:
        (a, b), pair = next(iter(pairs.items()))
        yield overview(pair.rows, (a.removeprefix(PREFIX), b.removeprefix(PREFIX)))
    else:
        yield cosine_matrix(geometry, list(config.adapters))
        if beside := beside_roles(geometry):
            yield f"\n{beside}"
    yield ""
    yield from (f"{finding['statement']}\n" for finding in read_findings(_json(tables)) if finding["rank"])
    whole = geometry[(geometry.scope == "global") & (geometry.metric == "cosine") & geometry.note.notna()]
    for row in whole.itertuples() if len(pairs) > 1 else ():
        yield f"{row.run_a} and {row.run_b}: {row.note}."
    for run, update in updates.items():
        yield from (f"{run.removeprefix(PREFIX)}: {line}." for line in what_is_left_out(update))
