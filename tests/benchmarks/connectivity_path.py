"""Time and exactness of losses along a path, against what PEFT and dense weights offer.

    PYTHONPATH=workflow/scripts:tests/shared python tests/benchmarks/connectivity_path.py [--sequences 100] [--points 9]

A random model of the default experiment's shape, two adapters of different ranks. The baselines measure one point after
the other in batches of the usual 32 sequences: two active PEFT adapters with their scalings set, and W0 + dW(t) formed
anew for every point. The reference is the same with everything in float64. Single thread.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel
from small_models import dense_update, save_adapter, small_model

from lossgeometry.forward.adapted_model import attached
from lossgeometry.forward.losses import padded, sequence_losses
from lossgeometry.forward.sequences import TokenSequence
from lossgeometry.updates.peft import Adapter

SHAPE = {
    "layers": 4,
    "hidden_size": 96,
    "intermediate_size": 256,
    "num_attention_heads": 3,
    "head_dim": 32,
    "vocabulary": 512,
}


def batched_losses(model, sequences: list[TokenSequence]) -> np.ndarray:
    """Losses of one set of weights with the model's own logits, 32 sequences at a time."""
    losses = []
    for start in range(0, len(sequences), 32):
        batch = sequences[start : start + 32]
        with torch.no_grad():
            logits = model(input_ids=padded([sequence.tokens for sequence in batch], torch.device("cpu"))).logits
        for row, sequence in enumerate(batch):
            first, last = len(sequence.prompt), len(sequence.tokens)
            target = torch.tensor(sequence.completion)
            losses.append(torch.nn.functional.cross_entropy(logits[row, first - 1 : last - 1], target).item())
    return np.array(losses)


def with_peft(folders: list[Path], points: np.ndarray, sequences: list[TokenSequence]) -> np.ndarray:
    """Both adapters active, their scalings set for every point."""
    model = PeftModel.from_pretrained(small_model(**SHAPE), folders[0], adapter_name="a")
    model.load_adapter(folders[1], adapter_name="b")
    model.base_model.set_adapter(["a", "b"])
    layers = [module for module in model.modules() if hasattr(module, "lora_A") and "a" in module.scaling]
    own = [dict(layer.scaling) for layer in layers]
    losses = []
    for t in points:
        for layer, scaling in zip(layers, own, strict=True):
            layer.scaling = {"a": (1 - t) * scaling["a"], "b": t * scaling["b"]}
        losses.append(batched_losses(model, sequences))
    return np.array(losses)


def with_dense(
    adapters: list[Adapter], points: np.ndarray, sequences: list[TokenSequence], dtype: torch.dtype
) -> np.ndarray:
    """W0 + dW(t), formed for every point."""
    updates, losses = [dense_update(adapter) for adapter in adapters], []
    for t in points:
        model = small_model(**SHAPE).to(dtype)
        with torch.no_grad():
            for weight, update in zip((1 - t, t), updates, strict=True):
                for name, delta in update.items():
                    model.get_submodule(name).weight += torch.from_numpy(weight * delta).to(dtype)
        losses.append(batched_losses(model, sequences))
    return np.array(losses)


def with_hooks(adapters: list[Adapter], points: np.ndarray, sequences: list[TokenSequence]) -> np.ndarray:
    """What the workflow does."""
    model = small_model(**SHAPE)
    with attached(model, adapters) as span:
        return sequence_losses(model, span, np.stack([1 - points, points], axis=1), sequences, tokens_per_batch=1024)


def timed(name: str, reference: np.ndarray, function, *arguments) -> float:
    """Print time and error of one way, and return its seconds."""
    start = time.process_time()
    losses = function(*arguments)
    seconds = time.process_time() - start
    print(f"{name:28s} {seconds:6.2f} s, largest error of a sequence's loss {np.abs(losses - reference).max():.1e}")
    return seconds


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sequences", type=int, default=100)
    parser.add_argument("--points", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    draw = np.random.default_rng(0)
    sequences = [
        TokenSequence(str(n), tuple(draw.integers(2, 512, prompt)), tuple(draw.integers(2, 512, completion)))
        for n, (prompt, completion) in enumerate(draw.integers(25, 50, (options.sequences, 2)))
    ]
    points = np.arange(1, options.points + 1) / (options.points + 1)
    with tempfile.TemporaryDirectory() as folder:
        folders = [
            save_adapter(Path(folder) / name, seed, rank, model=small_model(**SHAPE))
            for name, seed, rank in (("a", 1, 8), ("b", 2, 4))
        ]
        adapters = [Adapter(path) for path in folders]
        reference = with_dense(adapters, points, sequences, torch.float64)
        peft = timed("PEFT, one point at a time", reference, with_peft, folders, points, sequences)
        dense = timed("dense W0 + dW(t), float32", reference, with_dense, adapters, points, sequences, torch.float32)
        ours = timed("stacked factors", reference, with_hooks, adapters, points, sequences)
    print(f"ratio: {peft / ours:.1f}x less time than PEFT, {dense / ours:.1f}x less than dense weights")


if __name__ == "__main__":
    main()
