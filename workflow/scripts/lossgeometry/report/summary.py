"""The page that a person reads first: what was run, what came out, and how far it can be trusted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from lossgeometry.connectivity.summary import connectivity_summary
from lossgeometry.evaluation.claims import claims_section
from lossgeometry.experiment.runs import BASE
from lossgeometry.files.atomic import atomic_file
from lossgeometry.report.in_short import in_short
from lossgeometry.report.markdown import escape, table
from lossgeometry.report.sensitivity import sensitivity_summary
from lossgeometry.representations.summary import representations_summary


def write_summary(
    cfg: dict[str, Any], student_name: str, tables: dict[str, Path], benchmarks: Path, output: Path
) -> None:
    """Write summary.md from the tables that this experiment has.

    Parameters
    ----------
    cfg
        The resolved configuration.
    student_name
        The student in words.
    tables
        CSV files by name; a stage that was not asked for has none. `reference` is the paper's numbers, in YAML.
    benchmarks
        Folder of Snakemake's benchmark files, the source of the times.
    """
    frames = {name: pd.read_csv(path) for name, path in tables.items() if path.suffix == ".csv"}
    reference = yaml.safe_load(tables["reference"].read_text(encoding="utf-8"))
    sections = [_what_was_run(cfg, student_name, frames), in_short(frames)]
    for name, write in SECTIONS.items():
        if name in frames and len(frames[name]):
            sections.append(write(frames[name]))
    if "claims" in frames:
        sections.append(claims_section(frames["claims"].fillna(""), student_name, reference["student"]))
    sections += [_time(benchmarks), _caveats(cfg, frames)]
    with atomic_file(output) as path:
        path.write_text("\n\n".join(section for section in sections if section) + "\n", encoding="utf-8")


def _what_was_run(cfg: dict[str, Any], student_name: str, frames: dict[str, pd.DataFrame]) -> str:
    runs = frames["runs"]
    trained = [label for label in cfg["methods"]]
    lines = [f"# {escape(cfg['experiment'])}: what the loss does to the weights", ""]
    if trained:
        teacher = {"student": "the student itself", "tiny": "a tiny teacher trained here"}.get(
            cfg["teacher"]["source"], cfg["teacher"]["name"]
        )
        lines.append(
            f"{len(runs)} adapters were compared. They share the base ({escape(student_name)}), the rollouts (sampled from"
            f" {escape(teacher)}) and,"
            f" within a seed, the LoRA initialisation (rank {cfg['lora']['rank']} on"
            f" {escape(', '.join(cfg['lora']['target_modules']))});"
            " only the loss differs, and the data that a loss takes from the rollouts."
        )
    else:
        lines.append(f"{len(runs)} adapters that were brought along were compared.")
    if cfg["student"]["source"] == "tiny" and trained:
        lines += [
            "",
            "**Scale.** The student has well under a million parameters and its problems are made up. What holds here shows that"
            " the instrument works; it does not show what a language model of billions of parameters does.",
        ]
    return "\n".join(lines)


def _rollouts(rollouts: pd.DataFrame) -> str:
    row = rollouts.iloc[0]
    return "\n".join(
        [
            "## The rollouts",
            "",
            f"{row.rollouts:.0f} completions of {row.prompts:.0f} prompts, {row.tokens:.0f} tokens. {row.correct:.1%} are correct;"
            f" {row.groups_mixed:.1%} of the prompts have both correct and wrong completions, {row.groups_all_correct:.1%} only"
            f" correct and {row.groups_all_wrong:.1%} only wrong ones. {row.truncated:.1%} were cut by the token budget.",
            "",
            "Read the geometry against these shares: the fewer rollouts are wrong, the less can any loss differ from SFT, and a"
            " preference loss learns from the mixed prompts alone.",
        ]
    )


def _runs(runs: pd.DataFrame) -> str:
    if "steps" not in runs:
        return ""
    columns = {
        "run": "run",
        "steps": "steps",
        "epochs": "epochs",
        "tokens": "tokens",
        "loss_first": "first loss",
        "loss_last": "last loss (10 steps)",
        "rows_left_out": "rows left out",
    }
    shown = runs[list(columns)].rename(columns=columns)
    return (
        "## Training\n\n"
        + table(shown, {"epochs": "{:.2f}", "first loss": "{:.4f}", "last loss (10 steps)": "{:.4f}"})
        + ("\n\nLosses of different methods are different functions: their values cannot be compared across rows.")
    )


def _geometry(geometry: pd.DataFrame) -> str:
    cosine = geometry[(geometry.scope == "global") & (geometry.metric == "cosine")]
    first = geometry[
        (geometry.scope == "global") & (geometry.metric == "angle_first") & (geometry.side == "output")
    ].dropna(subset="value")
    first = first.sort_values("k").drop_duplicates(["run_a", "run_b"], keep="last").set_index(["run_a", "run_b"])
    runs = list(dict.fromkeys([*cosine.run_a, *cosine.run_b]))
    values = {(row.run_a, row.run_b): row.value for row in cosine.itertuples()}
    lines = ["## Directions of the updates", "", "Cosine of the stacked updates dW, over all modules:", ""]
    lines += [f"| | {' | '.join(map(escape, runs))} |", "|---|" + "---|" * len(runs)]
    for a in runs:
        cells = ["1" if a == b else _signed(values.get((a, b), values.get((b, a)))) for b in runs]
        lines.append(f"| {escape(a)} | {' | '.join(cells)} |")
    lines += [
        "",
        "Every pair with its chance level (mean ± 2 standard deviations for unrelated updates of the same shape):",
        "",
    ]
    lines += ["| pair | cosine | chance | first angle, output side (degrees) | chance |", "|---|---|---|---|---|"]
    for row in cosine.itertuples():
        angle = first.loc[(row.run_a, row.run_b)] if (row.run_a, row.run_b) in first.index else None
        shown = (
            f"{angle.value:.1f} | {angle.null_mean:.1f} ± {2 * angle.null_sd:.1f}"
            if angle is not None
            else "undefined | "
        )
        lines.append(
            f"| {escape(row.run_a)} - {escape(row.run_b)} | {row.value:.3f}"
            f" | {row.null_mean:.3f} ± {2 * row.null_sd:.3f} | {shown} |"
        )
    return "\n".join(lines)


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _accuracy(accuracy: pd.DataFrame) -> str:
    parts = ["## Accuracy", ""]
    for (benchmark, decoding), rows in accuracy.groupby(["benchmark", "decoding"], sort=False):
        first, least = rows.iloc[0], rows.minimum_detectable_difference
        parts += [
            f"**{escape(benchmark)}, {decoding}**: {first.problems:.0f} problems, {first.samples:.0f} completion(s) each; a"
            f" difference to the base under {least.min():.1%} to {least.max():.1%}, by run, would usually go unnoticed."
            " Intervals are over problems, given the trained weights; `tables/across_seeds.csv` has those over seeds.",
            "",
            "| run | accuracy (95 %) | difference to the base (95 %) | truncated | no answer |",
            "|---|---|---|---|---|",
        ]
        for row in rows.itertuples():
            difference = (
                ""
                if row.run == BASE or pd.isna(row.difference_to_base)
                else f"{row.difference_to_base:+.1%} ({row.difference_low:+.1%}, {row.difference_high:+.1%})"
            )
            flag = " **!**" if row.truncation_flag else ""
            parts.append(
                f"| {escape(row.run)} | {row.accuracy:.1%} ({row.low:.1%}, {row.high:.1%}) | {difference}"
                f" | {row.truncation_rate:.1%}{flag} | {row.no_answer_rate:.1%} |"
            )
        parts.append("")
    return "\n".join(parts).rstrip()


def _time(benchmarks: Path) -> str:
    rows = []
    for folder in sorted(path for path in benchmarks.iterdir()) if benchmarks.is_dir() else []:
        files = sorted(folder.rglob("*.tsv")) if folder.is_dir() else [folder]
        measured = pd.concat([pd.read_csv(file, sep="\t") for file in files])
        memory = pd.to_numeric(measured.max_rss, errors="coerce").max()
        rows.append(
            {
                "stage": folder.stem,
                "jobs": len(files),
                "seconds": measured.s.sum(),
                "of computing": pd.to_numeric(measured.cpu_time, errors="coerce").sum(),
                "peak memory (MB)": memory,
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


def _caveats(cfg: dict[str, Any], frames: dict[str, pd.DataFrame]) -> str:
    lines = [
        "## Caveats",
        "",
        "- Agreement on the input side within one seed is forced by the shared initialisation of A: read it against its chance"
        " level, or across seeds.",
        "- The best accuracy may mean the smallest move: compare with the base's row.",
        "- Equal steps are not equal epochs: a method that takes fewer rollouts sees each of them more often.",
    ]
    if "accuracy" in frames and frames["accuracy"].truncation_flag.any():
        lines.append("- Rows marked **!** have more than 1 % truncated completions; their accuracy reads too low.")
    if len(cfg["seeds"]) < 2 and not any(method["seeds"] for method in cfg["methods"].values()) and cfg["methods"]:
        lines.append("- One seed per method: no difference here is separated from the noise of retraining.")
    return "\n".join(lines)


SECTIONS: dict[str, Callable[[pd.DataFrame], str]] = {
    "rollouts": _rollouts,
    "runs": _runs,
    "geometry": _geometry,
    "barriers": connectivity_summary,
    "cka": representations_summary,
    "accuracy": _accuracy,
    "sensitivity": sensitivity_summary,
}
