"""The small experiment, run end to end in a copy of the workflow."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from workflow_copy import SMALL, copy_sources


def copy_workflow(folder: Path) -> Path:
    """Copy what a clone holds of the workflow into a new folder, with the integration configuration."""
    copy_sources(folder)
    shutil.copy(SMALL, folder / "config" / "integration.yaml")
    return folder


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run Snakemake on the integration configuration, on two cores."""
    call = [sys.executable, "-m", "snakemake", "--configfile", "config/integration.yaml", "--cores", "2", *arguments]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    return subprocess.run(call, cwd=folder, capture_output=True, text=True, env=environment)
