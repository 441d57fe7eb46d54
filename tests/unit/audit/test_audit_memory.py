"""The memory of an audit: its formula counts what is really held, and says when a GPU is too small."""

import json

import pytest
import torch
from peft import PeftModel
from test_audit_configuration import BASE
from training_tools import build_world
from transformers import AutoModelForCausalLM

from lossgeometry.audit.gradients import GroupSums
from lossgeometry.audit.losses import audited
from lossgeometry.audit.stage import STAGE
from lossgeometry.costs import GIB, Shape, shape_of
from lossgeometry.experiment.loading import load_config
from lossgeometry.gpus import Gpu
from lossgeometry.planning.audit_memory import audit_bytes, check_audit, gradient_bytes
from lossgeometry.planning.estimates import Work
from lossgeometry.planning.preflight import MISSING, READY, UNKNOWN

PAPER = Shape(36, 2560, 9728, 4096, 1024, 151936, True, True)


def config_with(**audit):
    values = BASE | {"lora": {"rank": 4, "alpha": 8}, "audit": BASE["audit"] | audit}
    return load_config(values)


@pytest.mark.parametrize("points", [["initialisation"], ["initialisation", "sft.lr0.001.s42"]])
def test_the_formula_counts_the_gradient_sums(tmp_path, points):
    world = build_world(tmp_path)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(world.student), world.initialisation)
    if len(points) > 1:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.add_(float("lora_B" in name))
    config = config_with(points=points)
    sums = GroupSums(model, len(audited(config)) * (2 * config.audit.folds + 1))
    held = sum(part.nbytes for side in (sums.a, sums.b) for part in side.values())
    shape = shape_of(json.loads((world.student / "config.json").read_text(encoding="utf-8")))
    assert gradient_bytes(config, shape) == held


def test_a_gpu_that_is_too_small_is_told_with_its_cure():
    config = config_with(precision="bfloat16")
    needed = audit_bytes(config, PAPER)
    assert 8 * GIB < needed < 80 * GIB
    found = [[*check_audit(config, PAPER, gpus)][0] for gpus in ([], [Gpu("big", 80 * GIB)], [Gpu("small", 4 * GIB)])]
    assert [finding.state for finding in found] == [UNKNOWN, READY, MISSING]
    assert "lower audit.folds or audit.tokens_per_batch" in found[2].text
    assert not [*check_audit(config_with(), PAPER, [])], "float32 runs on a CPU"


def test_its_time_and_disk_are_in_the_budget():
    config = config_with(precision="bfloat16")
    (cost,) = STAGE.costs(config, Work(PAPER, lambda name: 256))
    assert cost.jobs == 1 and 0 < cost.gpu_hours < 1 and STAGE.on_gpu(config) and not STAGE.on_gpu(config_with())
    assert cost.disk_bytes == 8 * (36 * 4 * 32**2 + 64**2)
