"""What all trainers share: the model with its initial adapter, and the arguments of TRL's configurations."""

import math
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from lossgeometry.training.job import TrainingJob


def load_tokenizer(job: TrainingJob) -> PreTrainedTokenizerBase:
    """Return the student's tokenizer."""
    return AutoTokenizer.from_pretrained(job.student)


def load_trainable_model(job: TrainingJob) -> PeftModel:
    """Return the frozen student with the shared initial adapter, trainable, on top; the LoRA factors are float32."""
    logging.disable_progress_bar()
    base = AutoModelForCausalLM.from_pretrained(job.student, dtype=getattr(torch, job.training.precision))
    return PeftModel.from_pretrained(base, job.initialisation, is_trainable=True)


def common_arguments(job: TrainingJob) -> dict[str, Any]:
    """Return the arguments that every TRL configuration gets: the optimiser, its schedule, and silence."""
    training = job.training
    return {
        "output_dir": str(job.checkpoints),
        "max_steps": training.steps,
        "per_device_train_batch_size": training.micro_batch_size,
        "gradient_accumulation_steps": training.batch_size // training.micro_batch_size,
        "learning_rate": job.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": math.ceil(training.warmup_ratio * job.schedule_steps),
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "seed": job.order_seed,
        "data_seed": job.order_seed,
        "bf16": training.precision == "bfloat16",
        "use_cpu": not torch.cuda.is_available(),
        "gradient_checkpointing": False,
        "save_strategy": "steps",
        "save_steps": training.checkpoint_every,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "report_to": "none",
        "dataloader_pin_memory": torch.cuda.is_available(),
    }
