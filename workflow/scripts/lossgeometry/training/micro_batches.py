"""An optimiser batch in micro-batches of rows of like length."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from accelerate.utils import gather_object
from datasets import Dataset
from transformers import PreTrainedModel

from lossgeometry.training.examples import IGNORED
from lossgeometry.training.kept_columns import KeptColumns
from lossgeometry.training.trainer import ResumableTrainer


def by_length(lengths: Sequence[int], rows: int, tokens: int) -> list[list[int]]:
    """Return the places of the rows of each micro-batch: at most `rows` of them, and at most `tokens` with padding.

    The longest rows come first, so that what does not fit the memory fails at once. A row beyond `tokens` is alone. Inside
    a micro-batch, rows keep their order.

    Parameters
    ----------
    tokens
        0 sets no limit.
    """
    batches: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        current = batches[-1] if batches else None
        if current and len(current) < rows and not 0 < tokens < lengths[current[0]] * (len(current) + 1):
            current.append(place)
        else:
            batches.append([place])
    return [sorted(batch) for batch in batches]


def in_equal_parts(lengths: Sequence[int], parts: int) -> list[list[int]]:
    """Return `parts` micro-batches of rows of like length, whose row counts depend on nothing but the number of rows.

    Processes that exchange something for every row need the same counts on all of them.
    """
    order = sorted(range(len(lengths)), key=lambda place: -lengths[place])
    bounds = [len(order) * part // parts for part in range(parts + 1)]
    return [sorted(order[low:high]) for low, high in zip(bounds, bounds[1:], strict=False)]


def fewest_equal_parts(lengths: Sequence[int], rows: int, tokens: int) -> int:
    """Return the smallest number of equal parts in which no micro-batch breaks a limit that a single row would keep."""
    for parts in range(1, len(lengths)):
        split = in_equal_parts(lengths, parts)
        if all(
            len(part) <= rows and not 0 < tokens < max(lengths[place] for place in part) * len(part) for part in split
        ):
            return parts
    return len(lengths)


def without_padding_mask(model: PreTrainedModel) -> PreTrainedModel:
    """Return the model, which ignores attention masks from now on: for rows that are padded on the right only.

    A causal token sees nothing to its right, so the mask changes no token that counts, while without it attention takes the
    flash kernel, which knows no padding.
    """

    def drop_mask(module: torch.nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return args, kwargs | {"attention_mask": None}

    model.base_model.register_forward_pre_hook(drop_mask, with_kwargs=True)
    return model


class MicroBatchTrainer(ResumableTrainer):
    """To be mixed in before a TRL trainer of offline data: each process is given its share of the optimiser batch whole,
    and divides it here.

    `micro_batch` are the most rows and the most padded tokens of a micro-batch (0: no limit). A subclass whose loss is a
    mean over rows needs nothing else; one whose loss is divided by `num_items_in_batch` sets `mean_over_rows` to False.
    """

    mean_over_rows: bool = True
    sides: int = 1
    """Rows of the model's input per row of the batch: 2 where the chosen ones are followed by the rejected ones."""

    def __init__(self, *args, micro_batch: tuple[int, int], reference: KeptColumns | None = None, **kwargs):
        # Before TRL's, which may already ask for the reference's log-probabilities.
        self.micro_batch_rows, self.micro_batch_tokens = micro_batch
        self.reference = reference
        super().__init__(*args, **kwargs)

    def split(self, inputs: dict[str, torch.Tensor], name: str = "") -> list[dict[str, torch.Tensor]]:
        """Return the micro-batches of a batch, going by the lengths of `<name>input_ids`, without columns of padding."""
        lengths = inputs[f"{name}attention_mask"].sum(dim=1).view(self.sides, -1).amax(dim=0).tolist()
        rows, tokens = self.micro_batch_rows, self.micro_batch_tokens // self.sides
        if self.accelerator.num_processes == 1 or not self.mean_over_rows:
            places = by_length(lengths, rows, tokens)
        else:
            needed = torch.tensor([fewest_equal_parts(lengths, rows, tokens)], device=self.accelerator.device)
            places = in_equal_parts(lengths, int(self.accelerator.gather(needed).max()))
        return [self._select(inputs, part) for part in places]

    def _select(self, inputs: dict[str, torch.Tensor], places: list[int]) -> dict[str, torch.Tensor]:
        count = len(inputs["input_ids"]) // self.sides
        once = torch.tensor(places, device=inputs["input_ids"].device)
        often = torch.cat([once + side * count for side in range(self.sides)])
        part = {key: value[often if len(value) == self.sides * count else once] for key, value in inputs.items()}
        for prefix in ("", "KL_"):
            if f"{prefix}attention_mask" in part:
                width = int(part[f"{prefix}attention_mask"].sum(dim=1).max())
                for key in ("input_ids", "attention_mask", "completion_mask", *(() if prefix else ("labels",))):
                    if prefix + key in part:
                        part[prefix + key] = part[prefix + key][:, :width]
        return part

    def metric_weight(self, key: str, part: dict[str, torch.Tensor]) -> int:
        """Return how often a micro-batch's value counts in the step's mean of a TRL metric."""
        return len(part["input_ids"]) // self.sides

    def with_reference(self, dataset: Dataset, columns: Sequence[str]) -> Dataset:
        """Return the rows with the base's log-probabilities, which TRL computes, each process on its share of the rows.

        They are kept beside the checkpoints: a run that continues has them.
        """
        kept = self.reference.read(columns, len(dataset)) if self.reference else None
        if kept is None:
            kept = self._reference_columns(dataset, columns)
            if self.reference and self.accelerator.is_main_process:
                self.reference.write(kept)
        for name, values in kept.items():
            dataset = dataset.add_column(name, values)
        return dataset

    def _reference_columns(self, dataset: Dataset, columns: Sequence[str]) -> dict[str, list[float]]:
        lengths = [sum(len(value) for key, value in row.items() if key.endswith("_ids")) for row in dataset]
        places = by_length(lengths, self.micro_batch_rows, self.micro_batch_tokens)
        found: list[tuple] = []
        for part in places[self.accelerator.process_index :: self.accelerator.num_processes]:
            batch = self._prepare_inputs(self.data_collator([dataset[place] for place in part]))
            values = self.compute_ref_log_probs(self.model, batch)
            found += zip(part, *(column.tolist() for column in values), strict=True)
        found = sorted(gather_object(found))
        return {column: [row[number] for row in found] for number, column in enumerate(columns, start=1)}

    def training_step(self, model, inputs, num_items_in_batch=None) -> torch.Tensor:
        """Return the loss of the process's share of the optimiser batch, with its gradient added up over micro-batches."""
        model.train()
        inputs = self._prepare_inputs(inputs)
        parts = self.split(inputs)
        total = torch.zeros((), device=self.accelerator.device)
        for number, part in enumerate(parts, start=1):
            completion = part["completion_mask"] if "completion_mask" in part else part["labels"] != IGNORED
            self.measure(part["input_ids"], part["attention_mask"], completion)
            last = number == len(parts)
            # Processes average their gradients once per step, with the last micro-batch.
            logged = {key: len(values) for key, values in self._metrics["train"].items()}
            with nullcontext() if last else self.accelerator.no_sync(model):
                with self.compute_loss_context_manager():
                    loss = self.compute_loss(model, dict(part), num_items_in_batch=num_items_in_batch)
                # TRL's log gives every micro-batch one vote, whatever its size.
                for key, values in self._metrics["train"].items():
                    values.extend(values[logged.get(key, 0) :] * (self.metric_weight(key, part) - 1))
                if self.mean_over_rows:
                    loss = loss * (len(part["input_ids"]) / len(inputs["input_ids"]))
                self.accelerator.backward(loss)
            total += loss.detach()
        return total
