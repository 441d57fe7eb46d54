"""A tiny student that is pre-trained here and two adapters of it; run with the environment that install.sh makes."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def student(tmp_path_factory) -> Path:
    """A model that knows what it wants to say after some 150 steps, though not yet how to calculate."""
    from lossgeometry.settings.models import TinyModel
    from lossgeometry.students.pretraining import pretrain

    folder = tmp_path_factory.mktemp("models") / "student"
    pretrain(TinyModel(steps=150, ordering_fraction=0.0), folder)
    return folder


@pytest.fixture(scope="session")
def adapters(student, tmp_path_factory) -> dict[str, Path]:
    """Random updates of the student by name: large enough to change what it says, of ranks that vLLM has and has not."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folders = {}
    for name, rank, targets in (("one", 8, ["q_proj", "k_proj", "v_proj", "o_proj"]), ("two", 3, ["v_proj", "o_proj"])):
        torch.manual_seed(rank)
        model = AutoModelForCausalLM.from_pretrained(student)
        model = get_peft_model(model, LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=targets))
        for parameter in model.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.04)
        folders[name] = tmp_path_factory.mktemp("adapters") / name
        model.save_pretrained(folders[name])
    return folders
