"""The small experiment, run end to end in a copy of the workflow."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "tests" / "integration" / "config.yaml"
PARTS = ("Snakefile", "config", "envs", "profiles", "resources", "workflow")


def copy_workflow(folder: Path) -> Path:
    """Copy what a clone holds of the workflow into a folder, with the integration configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__", ".snakemake"))
        elif source.is_file():
            shutil.copy(source, folder / part)
    shutil.copy(CONFIG, folder / "config" / "integration.yaml")
    return folder


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run Snakemake on the integration configuration, on two cores."""
    call = [sys.executable, "-m", "snakemake", "--configfile", "config/integration.yaml", "--cores", "2", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, env=environment)
