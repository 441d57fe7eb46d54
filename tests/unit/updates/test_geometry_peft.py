"""The updates read from adapter folders are those that PEFT itself would add to the weights."""

import numpy as np
import pytest

from lossgeometry.updates.peft import Adapter


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"use_rslora": True},
        {"rank_pattern": {"fc1": 2}, "alpha_pattern": {r"1\.fc2": 3}},
        {"rank_pattern": {"^layers.0.fc2": 3}, "use_rslora": True},
        {"init_lora_weights": False, "lora_alpha": 5},
    ],
    ids=lambda settings: "-".join(settings) or "plain",
)
def test_updates_are_pefts(tmp_path, settings):
    torch = pytest.importorskip("torch")
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)

    class Block(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2 = torch.nn.Linear(6, 9), torch.nn.Linear(9, 6)

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = torch.nn.ModuleList([Block(), Block()])

    config = peft.LoraConfig(**{"r": 4, "lora_alpha": 8, "target_modules": ["fc1", "fc2"], **settings})
    model = peft.get_peft_model(Model(), config)
    for parameter in model.parameters():
        parameter.data.normal_()
    model.save_pretrained(tmp_path)
    adapter = Adapter(tmp_path)
    layers = {
        name.removeprefix("base_model.model."): layer
        for name, layer in model.named_modules()
        if isinstance(layer, peft.tuners.lora.LoraLayer)
    }
    assert adapter.modules == sorted(layers)
    for module, layer in layers.items():
        b, a, scale = adapter.factors(module)
        expected = layer.get_delta_weight("default").detach().numpy()
        np.testing.assert_allclose(scale * b @ a, expected, rtol=1e-5, atol=1e-5)
