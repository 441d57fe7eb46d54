"""The adapter after some steps of its training.

It is first kept beside the checkpoints, where a killed job leaves it: Snakemake removes what a failed job declares.
"""

import shutil
from pathlib import Path

from transformers import TrainerCallback

from lossgeometry.experiment.runs import snapshot_id
from lossgeometry.files.atomic import atomic_file
from lossgeometry.training.results import save_adapter
from lossgeometry.training.training_job import TrainingJob
from lossgeometry.updates.folders import update_files


class KeepSnapshots(TrainerCallback):
    """Write the adapter, in float32, after every step that is asked for."""

    def __init__(self, job: TrainingJob, folder: Path):
        self.job, self.folder = job, folder

    def on_step_end(self, args, state, control, model=None, **kwargs) -> None:
        """Write it before the step's own checkpoint: one that is continued has all snapshots before it."""
        if state.global_step in self.job.training.snapshots:
            save_adapter(_kept(self.folder, state.global_step), model)


def publish_snapshots(job: TrainingJob, folder: Path) -> None:
    """Copy the snapshots of a finished run to where the workflow looks for them."""
    for step in map(int, job.training.snapshots):
        published = job.output.with_name(snapshot_id(job.output.name, step))
        for file in update_files(_kept(folder, step)):
            with atomic_file(published / file.name) as partial:
                shutil.copyfile(file, partial)


def _kept(folder: Path, step: int) -> Path:
    return folder / f"t{step}"
