"""The page that a person reads first: what was run, what came out, and how far it can be trusted."""

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd

from lossgeometry.files.atomic import atomic_file
from lossgeometry.files.csv_rows import read_frame
from lossgeometry.findings.tabulation import read_findings
from lossgeometry.planning.usage import usage
from lossgeometry.report.markdown import escape, table
from lossgeometry.settings.tasks import Summary

RUN = re.compile(r"external\..+|.+\.lr[^/]+\.s\d+(-o\d+)?")


def write_summary(
    run: Summary,
    facts: Mapping[str, str],
    sections: Sequence[str],
    findings: Path,
    tables: dict[str, Path],
    results: Path | None,
    output: Path,
) -> None:
    """Write summary.md from the tables that this experiment has.

    Parameters
    ----------
    facts
        `student`: the student in words; `paper_student`: the paper's.
    sections
        Modules of the stages' sections, without `lossgeometry.`, in their order.
    findings
        tables/findings.json.
    tables
        CSV files by name; a stage that was not asked for has none.
    results
        Folder with the benchmarks and logs of the jobs, the source of the times; without it no times are told.
    """
    frames = {name: read_frame(path) for name, path in tables.items()}
    frames = {name: frame for name, frame in frames.items() if len(frame)}
    told = [import_module(f"lossgeometry.{name}").section(frames, facts) for name in sections]
    told.append(_time(results, set(frames["runs"].run)) if results else "")
    parts = [_what_was_run(run, frames), _findings(read_findings(findings)), _caveats(run, frames), *map(_folded, told)]
    with atomic_file(output) as path:
        path.write_text("\n\n".join(part.rstrip() for part in parts if part) + "\n", encoding="utf-8")


def _findings(findings: Sequence[Mapping[str, Any]]) -> str:
    """Return the takeaways, as the page has them."""
    takeaways = [finding for finding in findings if finding["rank"]]
    if not takeaways:
        return ""
    lines = [
        f"{place}. **{escape(finding['question'])}** {escape(finding['statement'])} *Not shown:* {escape(finding['not_shown'])}."
        for place, finding in enumerate(takeaways, 1)
    ]
    more = f"All {len(findings)} findings, with intervals, verdicts and where to see them: `tables/findings.csv`."
    return "\n".join(["## What was found", "", *lines, "", more])


def _folded(section: str) -> str:
    """Return a section of Markdown that opens with a click, since its tables are long."""
    head, _, rest = section.partition("\n")
    return f"<details><summary>{head.removeprefix('## ')}</summary>\n\n{rest.strip()}\n\n</details>" if section else ""


def _what_was_run(run: Summary, frames: dict[str, pd.DataFrame]) -> str:
    runs = frames["runs"]
    subject = "what the loss does to the weights" if run.trained else "what the adapters do to the weights"
    lines = [f"# {escape(run.experiment)}: {subject}", ""]
    if run.trained:
        controls = runs[runs.control.notna()]
        own = "samples its own" if len(run.sampling) == 1 else "sample their own"
        sampling = f", but {escape(' and '.join(run.sampling))} {own} completions of the same prompts"
        lines.append(
            f"{len(runs) - len(controls)} adapters were compared. Those trained here share the base ({escape(run.student)}) and,"
            f" within an initial seed, the LoRA initialisation (rank {run.rank} on {escape(', '.join(run.targets))}). They take"
            f" their texts from one set of rollouts (sampled from {escape(run.teacher)}){sampling * bool(run.sampling)}. Two of one"
            " seed differ in the loss, with what it takes of the texts, and in the learning rate where their names say so."
        )
        if len(controls):
            named = ", ".join(f"{escape(row.run)} ({escape(row.control)})" for row in controls.itertuples())
            lines += ["", f"Beside them stand {len(controls)} controls, which no finding counts: {named}."]
    else:
        lines.append(
            f"{len(runs)} updates supplied by the user were compared: {escape(', '.join(runs.method))}. How they were made is"
            " not known here; what is said of them is said of their weights."
        )
    if run.tiny_student and run.trained:
        lines += [
            "",
            "**Scale.** The student has well under a million parameters and its problems are made up. What holds here shows that"
            " the instrument works; it does not show what a language model of billions of parameters does.",
        ]
    return "\n".join(lines)


def _run_ids(file: Path) -> set[str]:
    """Return the runs that a job is named after."""
    names = (name for part in file.with_suffix("").parts for name in part.split("--"))
    return {name for name in names if RUN.fullmatch(name)}


def _time(results: Path, known: set[str]) -> str:
    """Return what the jobs took; those of runs that are no longer part of the experiment are left out."""
    rows = []
    benchmarks = results / "benchmarks"
    for folder in sorted(path for path in benchmarks.iterdir()) if benchmarks.is_dir() else []:
        files = sorted(folder.rglob("*.tsv")) if folder.is_dir() else [folder]
        files = [file for file in files if _run_ids(file.relative_to(benchmarks)) <= known]
        jobs = [job for file in files if (job := usage(file, results))]
        if jobs:
            rows.append(
                {
                    "stage": folder.stem,
                    "jobs": len(jobs),
                    "seconds": sum(job.seconds for job in jobs),
                    "of computing": sum(job.cpu_seconds for job in jobs),
                    "peak memory (MB)": max(job.megabytes for job in jobs),
                }
            )
    if not rows:
        return ""
    frame = pd.DataFrame(rows).sort_values("seconds", ascending=False)
    return (
        f"## Time\n\n{frame['of computing'].sum() / 60:.0f} minutes of computing, in jobs that took"
        f" {frame.seconds.sum() / 60:.0f} minutes on the clock, added up; they ran side by side, and where there were"
        " more jobs than cores each took the longer.\n\n"
        + table(frame, {name: "{:.0f}" for name in ("seconds", "of computing", "peak memory (MB)")})
    )


def _caveats(run: Summary, frames: dict[str, pd.DataFrame]) -> str:
    lines = ["## Caveats", ""]
    if run.trained:
        lines += [
            "- Agreement on the input side within one seed is forced by the shared initialisation of A: read it against its"
            " chance level, or across seeds.",
            "- Equal steps are not equal epochs: a method that takes fewer rollouts sees each of them more often.",
        ]
    else:
        lines += [
            "- Adapters of one base read alike inputs, and more so if they started from one A: read the input side against its"
            " chance level.",
            "- Updates are comparable only if they were made from one base model.",
        ]
    if "accuracy" in frames:
        lines.append("- The best accuracy may mean the smallest move: compare with the base's row.")
    if "accuracy" in frames and frames["accuracy"].truncation_flag.any():
        lines.append("- Rows marked **!** have more than 1 % truncated completions; their accuracy reads too low.")
    if run.trained and run.one_seed:
        lines.append("- One seed per method: no difference here is separated from the noise of retraining.")
    return "\n".join(lines)
