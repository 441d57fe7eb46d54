"""Speed, memory and numerics of the GPU stages on a model of random weights, against TRL's trainer with its defaults.

    PYTHONPATH=workflow/scripts python tests/gpu/measure.py                      Qwen3-4B's architecture, no network
    PYTHONPATH=workflow/scripts python tests/gpu/measure.py --size small         the same in a minute on a CPU

Prints JSON lines, each with what was measured and what it is to be compared with in the same run:

- `training`: tokens/s, MFU and peak memory of every offline method, and of TRL's SFTTrainer with its defaults for batches and
  checkpointing, on the same rows, base and adapter, with the losses of both;
- `numerics`: the update of four bfloat16 steps beside that of four float32 steps, as the workflow keeps it and with factors in
  bfloat16;
- `forward`: tokens/s of the connectivity stage's losses and of the representation stage's hidden states.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
import trl
from datasets import Dataset
from peft import get_peft_model_state_dict
from trl import SFTConfig, SFTTrainer
from world import LORA, SIZES, make_job, make_world

from lossgeometry.costs import lora_parameters, shape_of, step_flops, training_bytes
from lossgeometry.devices import peak_flops
from lossgeometry.forward.adapted_model import attached, load_base
from lossgeometry.forward.losses import sequence_losses
from lossgeometry.forward.sequences import TokenSequence
from lossgeometry.methods import method_module
from lossgeometry.representations.extraction import extract
from lossgeometry.training import preference, token_loss
from lossgeometry.training.examples import in_training_order, labelled_rows, read_rollouts
from lossgeometry.training.setup import load_trainable_model
from lossgeometry.training.trainer import train_resumably
from lossgeometry.training.training_job import TrainingJob
from lossgeometry.updates.peft import Adapter

METHODS = ("sft", "dft", "rift", "offline_grpo", "dpo")
CUDA = torch.cuda.is_available()


def make_trainer(job: TrainingJob, name: str, tokenizer):
    """Return the workflow's trainer of a method, and the lengths of its sequences in training order."""
    module = method_module(name)
    options = module.Options()
    if name == "dpo":
        pairs = preference.training_pairs(job, options.pairs)
        trainer = preference.make_preference_trainer(job, pairs, tokenizer, {"loss_type": "sigmoid", "beta": 0.1})
        rows = trainer.train_dataset
        return trainer, [
            len(row["prompt_ids"]) + len(row[side]) for row in rows for side in ("chosen_ids", "rejected_ids")
        ]
    rows = labelled_rows(module.select(read_rollouts(job), options, job), job)
    ordered = in_training_order(rows, job)
    trainer = token_loss.make_trainer(job, options, ordered, tokenizer, module.token_loss, False)
    return trainer, [len(ids) for ids in ordered["input_ids"]]


def trl_defaults(job: TrainingJob, tokenizer) -> SFTTrainer:
    """Return TRL's trainer as a newcomer sets it up: its batches of 8 rows, checkpointing and collator, the rows uncut."""
    rows = labelled_rows(read_rollouts(job).assign(weight=1.0), job)
    ordered: Dataset = in_training_order(rows, job).select_columns(["input_ids", "labels"])
    arguments = SFTConfig(
        output_dir=str(job.checkpoints),
        max_steps=job.training.steps,
        gradient_accumulation_steps=max(1, job.training.batch_size // SFTConfig.per_device_train_batch_size),
        learning_rate=job.learning_rate,
        lr_scheduler_type="cosine",
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        bf16=True,
        use_cpu=not CUDA,
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    trainer = SFTTrainer(
        model=load_trainable_model(job), args=arguments, train_dataset=ordered, processing_class=tokenizer
    )
    trainer._get_train_sampler = lambda dataset=None: torch.utils.data.SequentialSampler(ordered)
    return trainer


def timed(run, lengths: list[int], job: TrainingJob) -> dict[str, Any]:
    """Run a training and return its speed over all steps but the first, and its peak memory."""
    moments: list[float] = []

    class Clock(transformers.TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs) -> None:
            if CUDA:
                torch.cuda.synchronize()
            moments.append(time.perf_counter())

    if CUDA:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    log = run(Clock())
    per_step = len(lengths) // job.training.steps
    counted = lengths[per_step:]
    seconds = moments[-1] - moments[0]
    shape = shape_of(json.loads((job.student / "config.json").read_text()))
    rate = step_flops(shape, LORA, counted) / seconds
    return {
        "tokens_per_second": sum(counted) / seconds,
        "mfu": rate / peak_flops(torch.cuda.get_device_name()) if CUDA else None,
        "peak_gib": torch.cuda.max_memory_allocated() / 2**30 if CUDA else None,
        "losses": [round(entry["loss"], 4) for entry in log],
    }


def measure_training(folder: Path, world: dict[str, Path], arguments) -> Iterator[dict[str, Any]]:
    """Yield the measurements of TRL's defaults and of every method."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(world["student"])
    settings = {
        "steps": arguments.steps,
        "batch_size": arguments.batch,
        "micro_batch_size": arguments.batch,
        "tokens_per_micro_batch": arguments.tokens,
        "max_length": arguments.length,
        "precision": "bfloat16",
        "checkpoint_every": 10_000,
    }
    job = make_job(folder, world, "trl", **settings)
    trainer = trl_defaults(job, tokenizer)
    lengths = [len(ids) for ids in trainer.train_dataset["input_ids"]]

    def run_theirs(clock, trainer=trainer):
        trainer.add_callback(clock)
        trainer.train()
        return [entry for entry in trainer.state.log_history if "loss" in entry]

    baseline = timed(run_theirs, lengths, job)
    yield {"training": "TRL's SFTTrainer, defaults", **baseline}
    del trainer
    for name in METHODS:
        job = make_job(folder, world, name, **settings)
        ours, lengths = make_trainer(job, name, tokenizer)

        def run_ours(clock, ours=ours, job=job):
            ours.add_callback(clock)
            return train_resumably(ours, job)

        found = timed(run_ours, lengths, job)
        found["ratio_to_trl"] = found["tokens_per_second"] / baseline["tokens_per_second"]
        if name == "sft":
            pairs = zip(found["losses"], baseline["losses"], strict=True)
            found["largest_loss_difference"] = max(abs(a - b) for a, b in pairs)
        shape = shape_of(json.loads((job.student / "config.json").read_text()))
        needed = training_bytes(shape, LORA, arguments.tokens, ours.args.gradient_checkpointing)
        yield {
            "training": name,
            **found,
            "formula_gib": needed / 2**30,
            "checkpointing": ours.args.gradient_checkpointing,
        }
        del ours


def measure_numerics(folder: Path, world: dict[str, Path], arguments) -> dict[str, Any]:
    """Return the cosine to four float32 steps of four steps in bfloat16, with float32 factors and with bfloat16 ones."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(world["student"])
    updates = {}
    for label, precision, factors in (
        ("float32", "float32", torch.float32),
        ("bfloat16, float32 factors", "bfloat16", torch.float32),
        ("bfloat16, bfloat16 factors", "bfloat16", torch.bfloat16),
    ):
        settings = {
            "steps": 4,
            "batch_size": 4,
            "micro_batch_size": 4,
            "warmup_ratio": 0.0,
            "max_length": arguments.length,
        }
        job = make_job(folder, world, label.replace(", ", "-").replace(" ", "-"), precision=precision, **settings)
        trainer, _ = make_trainer(job, "sft", tokenizer)
        for parameter in trainer.model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(factors)
        before = {name: value.float().clone() for name, value in get_peft_model_state_dict(trainer.model).items()}
        train_resumably(trainer, job)
        after = get_peft_model_state_dict(trainer.model)
        updates[label] = torch.cat([(after[name].float() - before[name]).flatten().cpu() for name in sorted(before)])
        del trainer
    exact = updates["float32"]
    cosines = {label: torch.cosine_similarity(update, exact, dim=0).item() for label, update in updates.items()}
    return {"numerics": "cosine of four steps to float32's", **cosines}


def measure_forward(folder: Path, world: dict[str, Path], arguments) -> Iterator[dict[str, Any]]:
    """Yield the speed of the connectivity and representation stages, on rows of which two thirds are completion."""
    model, _ = load_base(world["student"], "bfloat16")
    adapters = [Adapter(world["initialisation"])] * 2
    drawn = torch.randint(0, 400, (2 * max(1, arguments.tokens // arguments.length), arguments.length)).tolist()
    given = arguments.length // 3
    rows = [TokenSequence(str(index), tuple(ids[:given]), tuple(ids[given:])) for index, ids in enumerate(drawn)]
    path = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    with attached(model, adapters) as span:
        for what, passes, call in (
            ("losses along a path", len(path), lambda: sequence_losses(model, span, path, rows, arguments.tokens)),
            (
                "hidden states, to a file",
                1,
                lambda: extract(model, rows, [], folder / "states", "bfloat16", "last", arguments.tokens),
            ),
        ):
            span.set_weights(torch.ones(1, 2, device=model.device))
            call()
            start = time.perf_counter()
            call()
            seconds = time.perf_counter() - start
            yield {"forward": what, "tokens_per_second": passes * len(rows) * arguments.length / seconds}


def main() -> None:
    """Read the command line and print the measurements."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="qwen3-4b")
    parser.add_argument("--length", type=int, help="longest row in tokens (2048; small: 192)")
    parser.add_argument("--batch", type=int, help="rows per optimiser step (32; small: 8)")
    parser.add_argument("--tokens", type=int, help="padded tokens per micro-batch (16384; small: 768)")
    parser.add_argument("--steps", type=int, help="optimiser steps (6; small: 2)")
    arguments = parser.parse_args()
    defaults = (192, 8, 768, 2) if arguments.size == "small" else (2048, 32, 16384, 6)
    for name, value in zip(("length", "batch", "tokens", "steps"), defaults, strict=True):
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    device = torch.cuda.get_device_name() if CUDA else platform.processor() or "CPU"
    versions = {"torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__}
    print(json.dumps({"device": device, **versions, **vars(arguments)}), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder), arguments.size, arguments.length, 2 * arguments.batch)
        shape = shape_of(json.loads((world["student"] / "config.json").read_text()))
        print(json.dumps({"parameters": shape.parameters, "trained": lora_parameters(shape, LORA)}), flush=True)
        for found in measure_training(Path(folder), world, arguments):
            print(json.dumps(found), flush=True)
        print(json.dumps(measure_numerics(Path(folder), world, arguments)), flush=True)
        for found in measure_forward(Path(folder), world, arguments):
            print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
