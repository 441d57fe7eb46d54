"""One audit: the inner products of all offline losses' gradients at one point, by fold of prompts and by verdict."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel

from lossgeometry.audit.changes import change_gram, preconditioned, turned_products
from lossgeometry.audit.coefficients import Coefficients, coefficients, is_paired
from lossgeometry.audit.gradients import GroupSums, add_gradients, row_log_probs
from lossgeometry.audit.rows import Rows, rows_of
from lossgeometry.files.jsonl import read_lines
from lossgeometry.files.safetensors import write_tensors
from lossgeometry.forward.adapted_model import load_base
from lossgeometry.methods import method_module
from lossgeometry.settings.tasks import AuditedLoss, AuditedLosses
from lossgeometry.settings.training import Training
from lossgeometry.training.examples import read_rollouts
from lossgeometry.training.training_job import TrainingJob

VERDICTS = ("wrong", "right")


@dataclass(frozen=True)
class _Asked:
    """What all losses ask of the rows."""

    of_rows: list[list[tuple[int, torch.Tensor]]]
    """(group, coefficients) of every distinct row. Groups are loss x fold x verdict, then the placebo of every loss."""
    rows: np.ndarray
    """(losses, 2): wrong and right rollouts that a loss takes."""
    units: np.ndarray
    """(losses,): rows or pairs that it is a sum over."""


def audit(
    task: AuditedLosses,
    student: Path,
    point: Path,
    prompts: Path,
    rollouts: Path,
    output: Path,
    tokens: Path | None = None,
) -> None:
    """Measure the gradients of the losses at an adapter and write their inner products.

    Output, a safetensors file in float64, for L losses and F folds. Over all modules: `gram`, (2 L F, 2 L F) over groups loss x
    fold x verdict in this order; `placebo`, (L, L), of the losses under shuffled verdicts. For every module: `<module>.gram`,
    (L F, L F) over loss x fold; `<module>.chance`, (L, L), the variance of a product by chance (see `turned_products`);
    `<module>.adam`, (L, L), of the gradients preconditioned as by Adam. `sizes`, (F,): prompts. `rows`, (L, 2): wrong and right
    rollouts that a loss takes. `units`, (L,): rows or pairs that it is a sum over. Metadata: `labels`, `paired`, `composed`.

    Parameters
    ----------
    point
        PEFT folder of the adapter: the initialisation, or any later point.
    tokens
        The rollouts as token ids, where the experiment has them.

    Raises
    ------
    InputError
        If a loss has no row, no gradient or no finite value at the point, or there are too few prompts for the folds.
    """
    job = replace(_job(task, student, point, prompts, rollouts), tokens=tokens)
    base, _ = load_base(student, task.precision)
    model = PeftModel.from_pretrained(base, point, is_trainable=True).eval()
    rows = rows_of(job, task.prompts, task.folds)
    losses = len(task.losses)
    sums = GroupSums(model, losses * (task.folds * len(VERDICTS) + 1))
    with model.disable_adapter():
        reference = rows.by_label(row_log_probs(model, rows.sequences, task.tokens_per_batch))
    # Where every B is zero, the model at the point is the base.
    moved = row_log_probs(model, rows.sequences, task.tokens_per_batch) if sums.a else []
    asked = _ask(task, job, rows, rows.by_label(moved) if sums.a else reference, reference)
    add_gradients(model, sums, rows.sequences, asked.of_rows, task.tokens_per_batch)
    # A step of a loss that takes few rows reaches over more prompts.
    batches = task.batch_size * rows.sizes.sum() / asked.units
    counts = {"sizes": rows.sizes, "rows": asked.rows, "units": asked.units}
    paired = [loss.label for loss in task.losses if is_paired(method_module(loss.method))]
    composed = [loss.composition.told() if loss.composition else None for loss in task.losses]
    labels = [loss.label for loss in task.losses]
    names = {key: json.dumps(value) for key, value in (("labels", labels), ("paired", paired), ("composed", composed))}
    write_tensors(output, _products(sums, losses, rows.sizes, batches) | counts, names)


def _job(task: AuditedLosses, student: Path, point: Path, prompts: Path, rollouts: Path) -> TrainingJob:
    """Return the inputs as methods take them; nothing is trained."""
    return TrainingJob(
        run="The audit",
        learning_rate=0.0,
        order_seed=task.order_seed,
        training=Training(batch_size=task.batch_size, max_length=task.max_length),
        prompt_suffix=task.prompt_suffix,
        student=student,
        initialisation=point,
        prompts={row["id"]: row for row in read_lines(prompts)},
        rollouts=rollouts,
        output=point,
        checkpoints=point,
        digest="",
    )


def _ask(task: AuditedLosses, job: TrainingJob, rows: Rows, log_probs, reference) -> _Asked:
    """Return what the losses ask of the rows.

    A control sees shuffled rewards; its groups go by the same, so that `right` is what it takes for right.
    """
    losses, folds = len(task.losses), len(rows.sizes)
    asked: list[list[tuple[int, torch.Tensor]]] = [[] for _ in rows.sequences]
    counts, units = np.zeros((losses, len(VERDICTS))), np.zeros(losses)
    for number, loss in enumerate(task.losses):
        found, rewards = _of_loss(loss, loss.verdicts, job, rows, log_probs, reference)
        units[number] = found.units
        for label, values in found.of_rows.items():
            verdict = int(rewards[label] > 0)
            group = (number * folds + rows.fold_of[label]) * len(VERDICTS) + verdict
            asked[rows.sequence_of[label]].append((group, values))
            counts[number, verdict] += 1
        shuffled, _ = _of_loss(loss, "shuffled", job, rows, log_probs, reference)
        for label, values in shuffled.of_rows.items():
            asked[rows.sequence_of[label]].append((losses * folds * len(VERDICTS) + number, values))
    return _Asked(asked, counts, units)


def _of_loss(
    loss: AuditedLoss, verdicts: str, job: TrainingJob, rows: Rows, log_probs, reference
) -> tuple[Coefficients, dict]:
    """Return what one loss asks, and the rewards that it sees."""
    named = replace(job, run=f"The audit of {loss.label}", verdicts=verdicts, skipped={}, counted={})
    frame = read_rollouts(replace(named, composition=loss.composition))
    frame = frame.loc[frame.index.intersection(rows.frame.index)]
    method = method_module(loss.method)
    options = method.Options.from_told(loss.options)
    return coefficients(method, options, named, frame, log_probs, reference), frame.reward.to_dict()


def _products(sums: GroupSums, losses: int, sizes: np.ndarray, batches: np.ndarray) -> dict[str, np.ndarray]:
    """Return the inner products of all modules together, and of every module."""
    classes = losses * len(sizes) * len(VERDICTS)
    everywhere, modules = np.zeros((classes + losses,) * 2), {}
    for module, (b, a, scale) in sums.factors.items():
        up, down = _array(b), _array(a)
        by_b, by_a = _array(sums.b[module]), _array(sums.a[module]) if sums.a else None
        everywhere += change_gram(up, down, by_b, by_a, scale)
        folds_b = _by_fold(by_b[:classes], losses, len(sizes))
        folds_a = None if by_a is None else _by_fold(by_a[:classes], losses, len(sizes))
        flat_a = None if folds_a is None else folds_a.reshape(-1, *folds_a.shape[2:])
        modules[f"{module}.gram"] = change_gram(up, down, folds_b.reshape(-1, *folds_b.shape[2:]), flat_a, scale)
        whole_a = None if folds_a is None else folds_a.sum(axis=1)
        # Over the number of outputs, the variance of a product when the outputs are turned at random.
        modules[f"{module}.chance"] = turned_products(up, down, folds_b.sum(axis=1), whole_a, scale) / len(up)
        steps_a = None if folds_a is None else _adam(folds_a, sizes, batches)
        modules[f"{module}.adam"] = change_gram(up, down, _adam(folds_b, sizes, batches), steps_a, scale)
    placebo = np.ascontiguousarray(everywhere[classes:, classes:])
    return {"gram": np.ascontiguousarray(everywhere[:classes, :classes]), "placebo": placebo, **modules}


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.double().cpu().numpy()


def _by_fold(groups: np.ndarray, losses: int, folds: int) -> np.ndarray:
    """Return the sums over verdicts, (losses, folds, *factor)."""
    return groups.reshape(losses, folds, len(VERDICTS), *groups.shape[1:]).sum(axis=2)


def _adam(folds: np.ndarray, sizes: np.ndarray, batches: np.ndarray) -> np.ndarray:
    """Return the preconditioned gradient of every loss, (losses, *factor)."""
    return np.stack([preconditioned(one, sizes, batch) for one, batch in zip(folds, batches, strict=True)])
