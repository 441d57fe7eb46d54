"""One training run, from the files of the workflow to the files of the workflow."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from lossgeometry.errors import CannotWrite, InputError, SecondWriter
from lossgeometry.files.atomic import atomic_file
from lossgeometry.files.jsonl import read_lines
from lossgeometry.files.resuming import CheckpointFolder, checkpoint_root
from lossgeometry.methods import method_module
from lossgeometry.provenance import digest_of, provenance
from lossgeometry.settings.tasks import TrainedAdapter
from lossgeometry.settings.training import Training
from lossgeometry.training.data_parallel import launch
from lossgeometry.training.device import device
from lossgeometry.training.order import half_of
from lossgeometry.training.training_job import TrainingJob

PACKAGES = ("torch", "transformers", "trl", "peft", "accelerate", "datasets", "safetensors")


def train(
    task: TrainedAdapter,
    speed: dict[str, Any],
    code: dict[str, str],
    student: Path,
    initialisation: Path,
    prompts: Path,
    rollouts: Path | None,
    output: Path,
    results: Path,
    tokens: Path | None = None,
) -> None:
    """Train the run that `task` describes and write its adapter, training.csv and run.json into `output`.

    A killed call continues from its last checkpoint when it is made again with the same configuration, code and inputs.

    Parameters
    ----------
    speed
        Settings of training, and under `options` of the method, that change no result, and so keep no checkpoint from being
        continued.
    tokens
        The rollouts as token ids; see `training.tokens`.
    """
    options = {**task.options, **speed.get("options", {})}
    training = Training.from_told({**task.training, **{key: speed[key] for key in speed if key != "options"}})
    if training.processes > 1 and "RANK" not in os.environ:
        paths = (student, initialisation, prompts, rollouts, output, results, tokens)
        launch(
            [task.told(), speed, code, *(str(path) if path else None for path in paths)],
            training.processes,
        )
        return
    inputs = [student, initialisation, prompts, *(path for path in (rollouts, tokens) if path)]
    origin = provenance(task.told(), code, inputs, PACKAGES)
    method = method_module(task.method)
    # A checkpoint of a run without these snapshots may be past some of them.
    kept = {"snapshots": list(training.snapshots)} if training.snapshots else {}
    job = TrainingJob(
        run=task.run,
        learning_rate=task.learning_rate,
        order_seed=task.order_seed,
        training=training,
        prompt_suffix=task.prompt_suffix,
        student=student,
        initialisation=initialisation,
        prompts={row["id"]: row for row in read_lines(prompts) if task.half in ("", half_of(row["id"]))},
        rollouts=rollouts,
        output=output,
        checkpoints=checkpoint_root(results, "train", task.run),
        digest=digest_of({**origin, **kept}),
        tokens=tokens,
        rank=int(os.environ.get("RANK", "0")),
        reward=task.reward.model_dump(),
        verdicts=task.verdicts,
        composition=task.composition,
        half=task.half,
    )
    method.train(job, method.Options.from_told(options))
    if job.rank:
        return
    with atomic_file(output / "run.json") as path:
        record = {"run": job.run, "skipped": job.skipped, "counted": job.counted, "citation": method.CITATION, **origin}
        record["device"] = device(training.processes)
        path.write_text(json.dumps(record, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    with CheckpointFolder(job.checkpoints, job.digest) as folder:
        folder.clear()


def main() -> None:
    """Be one of the processes that `launch` starts."""
    task, speed, code, *paths = json.loads(sys.argv[1])
    try:
        arguments: list[Any] = [Path(path) if path else None for path in paths]
        train(TrainedAdapter.from_told(task), speed, code, *arguments)
    except (InputError, CannotWrite, SecondWriter) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
