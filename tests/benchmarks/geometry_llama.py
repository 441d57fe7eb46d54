"""One pair of adapters of rank 64 on every linear module of Llama-8B, beside what an expert would write for it.

    python tests/benchmarks/geometry_llama.py [--layers 32] [--folder FOLDER]

One run prints, each from files in a process and on a thread of its own, seconds of computing and on the clock: ours, with all
metrics and chance levels, straight from the adapters as the command compares two, and by way of delta files, whose size it
prints, as the workflow and the command compare more; the same singular values, cosines and angles from a QR decomposition
of each factor and the singular values of the core, and from Gram matrices of the stacked factors, both without chance levels;
and the floor that this machine sets, reading the files and multiplying the stacked factors once.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from lossgeometry.script import keep_freed_memory  # noqa: E402

SHAPES = {
    "self_attn.q": (4096, 4096),
    "self_attn.k": (1024, 4096),
    "self_attn.v": (1024, 4096),
    "self_attn.o": (4096, 4096),
    "mlp.gate": (14336, 4096),
    "mlp.up": (14336, 4096),
    "mlp.down": (4096, 14336),
}
RANK, K = 64, 10
TASKS = {
    "ours": "ours, all metrics with chance levels",
    "deltas": "ours, by way of delta files",
    "qr": "QR of each factor, singular values of the core",
    "gram": "Gram matrices of the stacked factors",
    "floor": "floor: reading, and one product of the stacked factors",
}


def write_adapters(folder: Path, layers: int) -> None:
    """Write two random float32 adapters, one module in memory at a time."""
    import numpy as np

    from lossgeometry.files.safetensors import write_tensors

    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": 2 * RANK}
    for seed, name in enumerate("ab"):
        rng = np.random.default_rng(seed)
        tensors = {}
        for layer in range(layers):
            for projection, (m, n) in SHAPES.items():
                module = f"base_model.model.model.layers.{layer}.{projection}_proj"
                tensors[f"{module}.lora_A.weight"] = rng.standard_normal((RANK, n), np.float32) / np.float32(n**0.5)
                tensors[f"{module}.lora_B.weight"] = rng.standard_normal((m, RANK), np.float32)
        write_tensors(folder / name / "adapter_model.safetensors", tensors, {})
        (folder / name / "adapter_config.json").write_text(json.dumps(config))


def ours(folder: Path) -> None:
    from lossgeometry.updates.peft import Adapter

    _compare(folder, *(Adapter(folder / name) for name in "ab"))


def deltas(folder: Path) -> None:
    from lossgeometry.updates.peft import Adapter
    from lossgeometry.updates.reduction import write_delta
    from lossgeometry.updates.stored import Delta

    for name in "ab":
        write_delta(Adapter(folder / name), folder / f"{name}.safetensors")
    _compare(folder, *(Delta(folder / f"{name}.safetensors") for name in "ab"))


def _compare(folder: Path, a, b) -> None:
    from lossgeometry.files.parquet import table_of, write_parquet
    from lossgeometry.geometry.pairs import compare_pair
    from lossgeometry.geometry.scopes import Row

    write_parquet(folder / "geometry.parquet", table_of(compare_pair(a, b, ("a", "b"), K).rows, Row))


def factors(folder: Path) -> Iterator[tuple]:
    """Yield B and A of both adapters, module by module, in float64."""
    import numpy as np

    from lossgeometry.files.safetensors import TensorFile

    files = [TensorFile(folder / name / "adapter_model.safetensors") for name in "ab"]
    for tensor in files[0].shapes:
        if tensor.endswith(".lora_A.weight"):
            names = (tensor.replace("lora_A", "lora_B"), tensor)
            yield tuple(file.read(name).astype(np.float64) for file in files for name in names)


def qr(folder: Path) -> None:
    import numpy as np

    def reduced(b, a):
        (qb, rb), (qa, ra) = np.linalg.qr(b), np.linalg.qr(a.T)
        u, s, vt = np.linalg.svd(rb @ ra.T)
        return qb @ u, s, qa @ vt.T

    for bx, ax, by, ay in factors(folder):
        (ux, sx, vx), (uy, sy, vy) = reduced(bx, ax), reduced(by, ay)
        left, right = ux.T @ uy, vx.T @ vy
        np.sum(sx[:, None] * left * right * sy) / np.sqrt(np.sum(sx**2) * np.sum(sy**2))
        for overlap in (left, right):
            np.arccos(np.minimum(1, np.linalg.svd(overlap[:K, :K], compute_uv=False)))


def gram(folder: Path) -> None:
    import numpy as np

    for bx, ax, by, ay in factors(folder):
        b, a = np.hstack([bx, by]), np.vstack([ax, ay])
        gb, ga = b.T @ b, a @ a.T
        x, y = slice(0, RANK), slice(RANK, None)
        reduced = []
        for part in (x, y):
            lb, la = np.linalg.cholesky(gb[part, part]), np.linalg.cholesky(ga[part, part])
            u, s, vt = np.linalg.svd(lb.T @ la)
            reduced.append((np.linalg.solve(lb.T, u), s, np.linalg.solve(la.T, vt.T)))
        (ux, sx, vx), (uy, sy, vy) = reduced
        np.sum(gb[x, y] * ga[x, y]) / np.sqrt(np.sum(sx**2) * np.sum(sy**2))
        for first, middle, second in ((ux, gb[x, y], uy), (vx, ga[x, y], vy)):
            overlap = first[:, :K].T @ middle @ second[:, :K]
            np.arccos(np.minimum(1, np.linalg.svd(overlap, compute_uv=False)))


def floor(folder: Path) -> None:
    import numpy as np

    for bx, ax, by, ay in factors(folder):
        b, a = np.hstack([bx, by]), np.vstack([ax, ay])
        b.T @ b, a @ a.T


def main(folder: Path, layers: int) -> None:
    # In a process of its own: a child's largest memory starts from its parent's.
    write = [sys.executable, __file__, "--task", "write", "--folder", str(folder), "--layers", str(layers)]
    subprocess.run(write, check=True)
    size = (folder / "a" / "adapter_model.safetensors").stat().st_size
    print(f"{layers} layers of {len(SHAPES)} modules, rank {RANK}: {size / 1e6:.0f} MB an adapter; one thread")
    for task, label in TASKS.items():
        start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, __file__, "--task", task, "--folder", str(folder)]
        memory = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        user, kernel = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
        seconds = f"{user + kernel:.1f} s of computing ({kernel:.1f} s of it the kernel's)"
        print(f"{label}: {seconds}, {wall:.1f} s on the clock, {memory} MB", flush=True)
    delta = (folder / "a.safetensors").stat().st_size
    print(f"delta files: {delta / 1e6:.0f} MB, {delta / size:.4f} x the adapter in float32")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--folder", type=Path, help="where to put 4 GB of adapters and deltas (default: temporary)")
    parser.add_argument("--task", choices=["write", *TASKS], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task == "write":
        write_adapters(options.folder, options.layers)
    elif options.task:
        keep_freed_memory()
        {"ours": ours, "deltas": deltas, "qr": qr, "gram": gram, "floor": floor}[options.task](options.folder)
        print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f}")
    else:
        with tempfile.TemporaryDirectory(dir=options.folder) as temporary:
            main(Path(temporary), options.layers)
