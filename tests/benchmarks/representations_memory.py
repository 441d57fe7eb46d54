"""Peak memory and CPU time of the representation stage as tokens, pairs and dimensions grow.

    PYTHONPATH=workflow/scripts:tests/shared python tests/benchmarks/representations_memory.py [--width 2560] [--threads
    1]

Each line is a process of its own, whose peak resident memory is above that of its imports. Extraction runs a random
model over more and more tokens; comparison reads layers of the given width (2,560 is that of Qwen3-4B) and 4,096
tokens, or twice as many, for one pair or several, one after the other. The baseline of comparison holds the whole Gram
matrices of a layer, as public code does, without intervals.
"""

import argparse
import multiprocessing
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

TOKENS_PER_SEQUENCE = 128


def measured(name: str, function: Callable, *arguments) -> float:
    """Run a function in a fresh process, print its peak memory above the start and its seconds, and return the
    seconds."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_report, args=(sender, function, arguments))
    process.start()
    sender.close()
    memory, seconds = receiver.recv()
    process.join()
    print(f"{name:52s} {memory:8.0f} MB {seconds:8.2f} s", flush=True)
    return seconds


def _report(sender, function: Callable, arguments: tuple) -> None:
    run = function(*arguments)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    run()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sender.send(((after - before) / 1024, time.process_time() - start))


def extraction(folder: str, tokens: int) -> Callable[[], None]:
    """Prepare the extraction of that many tokens from a model of width 256 and 6 layers."""
    import torch
    from small_models import small_model

    from lossgeometry.forward.sequences import TokenSequence
    from lossgeometry.representations.extraction import extract

    torch.set_num_threads(1)
    model = small_model(layers=6, hidden_size=256, intermediate_size=512, num_attention_heads=4, head_dim=64)
    ids = tuple(range(1, 61))
    sequences = [TokenSequence(str(n), ids, ids + ids[:8]) for n in range(tokens // TOKENS_PER_SEQUENCE)]
    extract(model, sequences[:2], sequences[:2], Path(folder, "warm"), "float32", "last", 1024)
    return lambda: extract(model, sequences, sequences[:2], Path(folder, f"x{tokens}"), "float32", "last", 1024)


def write_states(path: Path, tokens: int, width: int, seed: int) -> None:
    """Write states of one layer, as extraction does."""
    from lossgeometry.representations.storage import RowWriter

    draw = np.random.default_rng(seed)
    lengths = [TOKENS_PER_SEQUENCE] * (tokens // TOKENS_PER_SEQUENCE)
    shapes = {"solutions.0": ("BF16", (tokens, width)), "prompts.0": ("BF16", (100, width))}
    with RowWriter(path, shapes, {"layers": "1", "lengths": str(lengths), "tokens": "x"}) as writer:
        for start in range(0, tokens, 512):
            writer.write("solutions.0", start, draw.normal(size=(512, width)))
        writer.write("prompts.0", 0, draw.normal(size=(100, width)))


def comparison(folder: str, tokens: int, pairs: int) -> Callable[[], None]:
    """Prepare the comparison of one layer for some pairs, with all estimators and 400 half-samples."""
    from lossgeometry.representations.comparison import RANGES, compare, open_states

    paths = [Path(folder, f"{model}.{tokens}") for model in "0ab"]

    def run() -> None:
        for _ in range(pairs):
            base, a, b = map(open_states, paths)
            compare(base, a, b, [0], list(RANGES), draws=400, seed=0)

    return run


def whole_grams(folder: str, tokens: int) -> Callable[[], None]:
    """Prepare debiased CKA of one layer from whole Gram matrices, plain and standardised."""
    from lossgeometry.representations.comparison import open_states

    def run() -> None:
        raw = [
            open_states(Path(folder, f"{model}.{tokens}")).tensors["solutions.0"][:].astype(np.float64)
            for model in "ab"
        ]
        for scale in (1.0, None):
            x, y = ((h - h.mean(0)) / (scale or h.std(0)) for h in raw)
            k, m = x @ x.T, y @ y.T
            np.fill_diagonal(k, 0)
            np.fill_diagonal(m, 0)
            for first, second in ((k, m), (k, k), (m, m)):
                n = len(first)
                float(
                    (first * second).sum()
                    + first.sum() * second.sum() / ((n - 1) * (n - 2))
                    - 2 / (n - 2) * first.sum(0) @ second.sum(0)
                )

    return run


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=2560)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(options.threads)  # for the processes that follow
    with tempfile.TemporaryDirectory() as folder:
        for tokens in (4096, 16384, 65536):
            measured(f"extraction, {tokens} tokens, 6 layers of 256", extraction, folder, tokens)
        for tokens in (4096, 8192):
            for seed, model in enumerate("0ab"):
                write_states(Path(folder, f"{model}.{tokens}"), tokens, options.width, seed)
        baseline = measured(f"whole Gram matrices, a layer of {options.width}", whole_grams, folder, 4096)
        ours = measured(f"comparison, a layer of {options.width}, 1 pair", comparison, folder, 4096, 1)
        measured(f"comparison, a layer of {options.width}, 3 pairs", comparison, folder, 4096, 3)
        measured(f"comparison, a layer of {options.width}, 8192 tokens", comparison, folder, 8192, 1)
    print(f"ratio: {baseline / ours:.2f}x the speed of whole Gram matrices, with 400 half-samples of every estimator")


if __name__ == "__main__":
    main()
