"""What the summary says about the audit."""

from collections.abc import Mapping

import pandas as pd

from lossgeometry.geometry.chance import WIDTH


def section(frames: Mapping[str, pd.DataFrame], facts: Mapping[str, str]) -> str:
    """Return the section; empty where the stage did not run."""
    if "audit" not in frames:
        return ""
    parts = [
        "## Before training",
        "Cosine of the changes of dW that two losses' gradients stand for, on all rollouts; corrected for the noise that both"
        " take from the same prompts, with a 95 % interval over folds of prompts (an estimate, which noise may carry beyond 1;"
        " neither it nor its interval is cut there); preconditioned as by Adam; and under shuffled verdicts.",
        _audit(frames["audit"]),
        "A loss's gradient on these prompts beside that on all prompts: the noise scale is the number of prompts at which"
        " noise and signal are equally large.",
        _noise(frames["noise"]),
    ]
    if "predictions" in frames:
        parts += [
            "Predicted before training, and trained:",
            _predictions(frames["predictions"]),
            _agreements(frames["agreement"]),
        ]
    return "\n\n".join(parts)


def _audit(audit: pd.DataFrame) -> str:
    lines = [
        "| at | losses | cosine | chance | corrected (95 %) | | Adam | shuffled |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in audit[audit.scope == "global"].itertuples():
        lines.append(
            f"| {row.point} | {row.loss_a} - {row.loss_b} | {row.cosine:.3f} | ± {WIDTH * row.null_sd:.3f}"
            f" | {_corrected(row)} | {row.direction} | {row.adam:.3f} | {row.placebo:.3f} |"
        )
    return "\n".join(lines)


def _corrected(row) -> str:
    if pd.isna(row.corrected):
        return f"undefined: {row.note}"
    if pd.isna(row.corrected_se):
        return f"{row.corrected:.3f} ({row.note})"
    half = WIDTH * row.corrected_se
    noise = ", above 1 by noise" if row.corrected > 1 else ""
    return f"{row.corrected:.3f} ({row.corrected - half:.3f} to {row.corrected + half:.3f}){noise}"


def _noise(noise: pd.DataFrame) -> str:
    lines = [
        "| at | loss | right rows | wrong rows | passes | noise scale (se), prompts | two halves | prompts for .95 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in noise.itertuples():
        told = (
            f"undefined: {row.note} | | "
            if pd.isna(row.noise_scale)
            else f"{row.noise_scale:.0f} ({row.noise_scale_se:.0f}) | {row.half_cosine:.2f} | {row.prompts_95:.0f}"
        )
        lines.append(f"| {row.point} | {row.loss} | {row.rows_right} | {row.rows_wrong} | {row.passes:.1f} | {told} |")
    return "\n".join(lines)


def _predictions(predictions: pd.DataFrame) -> str:
    lines = ["| pair | predicted | trained | training added | verdict |", "|---|---|---|---|---|"]
    for row in predictions.itertuples():
        verdict = f"{row.verdict}: {row.reason}" if isinstance(row.reason, str) and row.reason else row.verdict
        lines.append(
            f"| {row.run_a} - {row.run_b} | {row.predicted:.3f} | {row.trained:.3f} | {row.difference:+.3f} | {verdict} |"
        )
    return "\n".join(lines)


def _agreements(agreement: pd.DataFrame) -> str:
    lines = [
        "| pairs | by | Spearman (95 %) | p (Mantel) | Pearson | mean difference | missed |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in agreement.itertuples():
        if pd.isna(row.spearman):
            if row.predictor == "cosine":  # the reason is the same for all
                lines.append(f"| {row.pairs} at {row.kind} | any | undefined: {row.note} | | | | |")
            continue
        lines.append(
            f"| {row.pairs} at {row.kind} | {row.predictor} | {row.spearman:.3f} ({_interval(row)})"
            f" | {row.p:.2g} | {row.pearson:.3f} | {row.mean_difference:.3f} | {row.missed:.0f} |"
        )
    return "\n".join(lines)


def _interval(row) -> str:
    return row.note if pd.isna(row.spearman_low) else f"{row.spearman_low:.2f} to {row.spearman_high:.2f}"
