"""Tables that made-up results lack, for the questions that a researcher asks of the page."""

from pathlib import Path

import pandas as pd

from lossgeometry.findings.tabulation import gather, read_tables, write_findings
from lossgeometry.stages import STAGES

SFT, DPO, SLOW = "sft.lr0.001.s42", "dpo.lr0.001.s42", "dpo.lr0.01.s42"


def tables_of_questions() -> dict[str, pd.DataFrame]:
    """Return tables by name: what a rate, a seed, harder rollouts and training itself do to SFT and DPO."""
    terms = {"common": 0.4, "method": 0.3, "seed": 0.2, "remainder": 0.1}
    decomposition = pd.DataFrame({"term": list(terms), "share": list(terms.values())})
    beside = {"cosine": [0.06, 0.2], "varies": ["loss", "loss and learning rate"], "norm_a": 3.0, "norm_b": 0.3}
    shares = [0.5, 0.9]
    steps = [(SFT, DPO, "", step, step, 1 / step) for step in (2, 8)]
    return {
        "decomposition": decomposition.assign(measure="cosine", chance=0.25, methods=6, seeds=2),
        # In made-up results DPO has the rate of SFT: its other rate stands for its own.
        "sensitivity": pd.DataFrame(beside).assign(run_a=SFT, run_b=[SLOW, DPO]),
        "regime": pd.DataFrame({"share": shares, "cosine": [-0.4, 0.6]}).assign(
            point="initialisation", loss_a="sft", loss_b="dpo", corrected=0.1, corrected_se=0.1
        ),
        "rollouts": pd.DataFrame({"prompts": [512], "rollouts": [4096], "correct": [0.9], "groups_mixed": [0.31]}),
        "step_pairs": pd.DataFrame(steps, columns=["run_a", "run_b", "replicate", "step_a", "step_b", "cosine"]).assign(
            cosine_sd=0.02
        ),
    }


def with_questions(given: dict, folder: Path) -> dict:
    """Return the arguments of `bundle.gather` with these tables too, and the findings of all."""
    paths = dict(given["tables"])
    for name, table in tables_of_questions().items():
        paths[name] = folder / "tables" / f"{name}.csv"
        table.to_csv(paths[name], index=False)
    described = {table.name: table.on_page for stage in STAGES for table in stage.tables if table.on_page != ()}
    page = given["page"]
    statements = [stage.statements for stage in STAGES if stage.statements]
    titles = {label: method.title for label, method in page.methods.items()}
    findings = folder / "tables/findings.json"
    write_findings(gather(read_tables(paths), titles, "sft", statements), findings, findings.with_suffix(".csv"))
    shown = page.model_copy(update={"tables": {name: described[name] for name in paths if name in described}})
    return {**given, "page": shown, "tables": paths, "findings": findings}
