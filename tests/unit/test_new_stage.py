"""A measurement that nobody foresaw: a table, a section, a chart and a figure from its own files and five lines elsewhere."""

import difflib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from workflow_copy import REPOSITORY, copy_sources, small_config

from lossgeometry.explorer.page import held_bundle

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
SHARED = HERE.parent / "shared"
LIBRARY = "workflow/scripts/lossgeometry"
EDITS = {
    f"{LIBRARY}/experiment/config.py": [
        ("from lossgeometry.settings.training ", "from lossgeometry.sparsity.settings import Sparsity\n{}"),
        ("    evaluation: Evaluation", "    sparsity: Sparsity = Sparsity()\n{}"),
    ],
    f"{LIBRARY}/stages.py": [
        ("from lossgeometry.training.stage", "from lossgeometry.sparsity.stage import STAGE as SPARSITY\n{}"),
        ("    CLAIMS,\n", "{}    SPARSITY,\n"),
    ],
    "Snakefile": [('include: "workflow/rules/report.smk"', 'include: "workflow/rules/sparsity.smk"\n{}')],
}
SHOW = """
import sys, yaml
from pathlib import Path
import pandas as pd
from explorer_results import write_results
from lossgeometry.charts.figures import draw_figures
from lossgeometry.costs import Shape
from lossgeometry.experiment.loading import load_config
from lossgeometry.explorer.bundle import gather
from lossgeometry.explorer.page import write_page
from lossgeometry.findings.tabulation import gather as gather_findings
from lossgeometry.findings.tabulation import read_tables, write_findings
from lossgeometry.jobs.report import summary
from lossgeometry.planning.budget import budget
from lossgeometry.planning.estimates import Work
from lossgeometry.planning.preflight import needs_gpu
from lossgeometry.report.data_dictionary import data_dictionary
from lossgeometry.report.summary import write_summary
from lossgeometry.settings.tasks import Summary
from lossgeometry.stages import STAGES

folder, values = Path(sys.argv[1]), yaml.safe_load(Path("config.yaml").read_text())
config = load_config(values)
assert needs_gpu(config) and not needs_gpu(load_config({**values, "sparsity": {}}))
assert load_config({**values, "smoke": True}).sparsity.entries == 8
work = Work(Shape(2, 64, 128, 64, 64, 100, True, True), lambda name: 8)
assert [cost.disk_bytes for cost in budget(config, work) if cost.name == "sparsity"] == [800.0]
assert "## sparsity.csv" in data_dictionary() and "entries below a tenth" in data_dictionary()

given = write_results(folder / "made-up", methods=3, evaluation=False, function=False)
table = pd.DataFrame({"run": pd.read_csv(given["tables"]["runs"]).run, "small": [0.25, 0.5, 0.125]})
table.to_csv(folder / "sparsity.csv", index=False)
given["tables"]["sparsity"] = folder / "sparsity.csv"
page = given["page"]
given["page"] = page.model_copy(update={"tables": {**page.tables, "sparsity": None}})
bundle = gather(**given)
write_page(bundle, folder / "explorer.html")
figures = [figure for stage in STAGES if stage.block == "sparsity" for figure in stage.figures(config)]
draw_figures(bundle, figures, folder)
sections = [stage.section for stage in STAGES if stage.section]
tables = {name: given["tables"][name] for name in ("runs", "geometry", "sparsity")}
facts = {"student": "tiny", "paper_student": "large"}
run = Summary.from_told(summary(config, "paper", sections)["run"])
statements = [stage.statements for stage in STAGES if stage.statements]
found = gather_findings(read_tables(tables), {}, "sft", statements)
write_findings(found, folder / "findings.json", folder / "findings.csv")
write_summary(run, facts, sections, folder / "findings.json", tables, folder / "none", folder / "summary.md")
"""


@pytest.fixture(scope="module")
def workflow(tmp_path_factory) -> Path:
    """A copy of the workflow with the new stage in it."""
    root = tmp_path_factory.mktemp("new") / "workflow"
    copy_sources(root)
    shutil.copytree(HERE / "new_stage", root, dirs_exist_ok=True)
    for name, edits in EDITS.items():
        text = (root / name).read_text(encoding="utf-8")
        for start, replacement in edits:
            at = text.index(start)
            text = text[:at] + replacement.format(start) + text[at + len(start) :]
        (root / name).write_text(text, encoding="utf-8")
    values = small_config() | {"sparsity": {"entries": 100}}
    (root / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return root


def test_five_lines_elsewhere_are_enough(workflow):
    changed = 0
    for name in EDITS:
        before, after = ((root / name).read_text(encoding="utf-8").splitlines() for root in (REPOSITORY, workflow))
        changed += sum(line.startswith("+ ") for line in difflib.ndiff(before, after))
    assert changed <= 5


def test_its_table_is_planned(workflow):
    call = [sys.executable, "-m", "snakemake", "-n", "--cores", "1", "--configfile", "config.yaml"]
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(call, cwd=workflow, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "tabulate_sparsity" in done.stdout, done.stdout + done.stderr


def test_everything_that_loops_over_stages_knows_it(workflow, tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(workflow / "workflow/scripts"), str(SHARED)])}
    call = [sys.executable, "-c", SHOW, str(tmp_path)]
    done = subprocess.run(call, cwd=workflow, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    summary = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert "Most small entries has rft, 50.0%." in summary and "- rft.lr0.001.s42: 50.0%" in summary
    assert "small entries" in (tmp_path / "sparsity.svg").read_text(encoding="utf-8")
    page = (tmp_path / "explorer.html").read_text(encoding="utf-8")
    assert "How many entries are small?" in json.dumps(held_bundle(page))
