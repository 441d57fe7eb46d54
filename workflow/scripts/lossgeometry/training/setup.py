"""What all trainers share: the model with its initial adapter, and the arguments of TRL's configurations."""

import json
import math
from typing import Any

import torch
import trl.trainer.utils
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from lossgeometry.costs import micro_batch_tokens, shape_of, training_bytes
from lossgeometry.settings.training import Lora
from lossgeometry.training.kept_columns import KeptColumns
from lossgeometry.training.micro_batches import without_padding_mask
from lossgeometry.training.training_job import TrainingJob

SCHEDULERS = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}
"""Names of `training.scheduler`, as transformers calls them."""


def load_tokenizer(job: TrainingJob) -> PreTrainedTokenizerBase:
    """Return the student's tokenizer."""
    return AutoTokenizer.from_pretrained(job.student)


def load_trainable_model(job: TrainingJob) -> PeftModel:
    """Return the frozen student with the shared initial adapter, trainable, on top; the LoRA factors are float32."""
    logging.disable_progress_bar()
    # Without Triton TRL's head scores the prompts as well, for the sake of compilers that want constant shapes; here none does.
    trl.trainer.utils._use_triton = lambda device: True
    base = AutoModelForCausalLM.from_pretrained(job.student, dtype=getattr(torch, job.training.precision))
    return PeftModel.from_pretrained(base, job.initialisation, is_trainable=True)


def offline_model(job: TrainingJob) -> PeftModel:
    """Return the trainable model for rows that are padded on the right."""
    model = load_trainable_model(job)
    without_padding_mask(model.get_base_model())
    return model


def micro_batch(job: TrainingJob) -> tuple[int, int]:
    """Return the most rows and the most padded tokens of a micro-batch of offline data."""
    return job.training.micro_batch_size, job.training.tokens_per_micro_batch


def kept_reference(job: TrainingJob) -> KeptColumns:
    """Return where the reference's log-probabilities are kept until the run has ended."""
    return KeptColumns(job.checkpoints / job.digest / "reference", job.digest)


def common_arguments(job: TrainingJob) -> dict[str, Any]:
    """Return the arguments that every TRL configuration gets: the optimiser, its schedule, and silence.

    A batch is a process's share of the optimiser batch: `MicroBatchTrainer` divides it.
    """
    training = job.training
    return {
        "output_dir": str(job.checkpoints),
        "max_steps": training.steps,
        "per_device_train_batch_size": training.batch_size // training.processes,
        "gradient_accumulation_steps": 1,
        "learning_rate": job.learning_rate,
        **({"optim": "sgd"} if training.optimiser == "sgd" else {}),
        "adam_beta1": training.betas[0],
        "adam_beta2": training.betas[1],
        "lr_scheduler_type": SCHEDULERS[training.scheduler],
        "warmup_steps": math.ceil(training.warmup_ratio * job.schedule_steps),
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "seed": job.order_seed,
        "data_seed": job.order_seed,
        "bf16": training.precision == "bfloat16",
        "use_cpu": not torch.cuda.is_available(),
        "gradient_checkpointing": needs_checkpointing(job, micro_batch_tokens(training)),
        "ddp_find_unused_parameters": False,
        "save_strategy": "steps",
        "save_steps": training.checkpoint_every,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "report_to": "none",
        "dataloader_pin_memory": torch.cuda.is_available(),
    }


def accumulating_arguments(job: TrainingJob, memory_share: float) -> dict[str, Any]:
    """Return the same for a trainer that divides its batches itself, into rows of any length.

    Parameters
    ----------
    memory_share
        Share of the GPU that training may take.
    """
    training = job.training
    tokens = training.micro_batch_size * training.max_length
    return common_arguments(job) | {
        "per_device_train_batch_size": training.micro_batch_size,
        "gradient_accumulation_steps": training.batch_size // training.micro_batch_size,
        "gradient_checkpointing": needs_checkpointing(job, tokens, memory_share),
    }


def needs_checkpointing(job: TrainingJob, tokens: int, memory_share: float = 1.0) -> bool:
    """Return whether activations are computed again in the backward pass; see `training.gradient_checkpointing`."""
    if job.training.gradient_checkpointing != "auto":
        return job.training.gradient_checkpointing == "on"
    if not torch.cuda.is_available():
        return False
    shape = shape_of(json.loads((job.student / "config.json").read_text()))
    adapter = json.loads((job.initialisation / "adapter_config.json").read_text())
    lora = Lora(rank=adapter["r"], target_modules=adapter["target_modules"])
    needed = training_bytes(shape, lora, tokens, checkpointing=False)
    there = memory_share * torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    print(f"training needs {needed / 2**30:.0f} GiB by the formula, the GPU has {there / 2**30:.0f} GiB for it")
    return needed > there
