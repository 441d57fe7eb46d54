"""Time and peak memory of the pairwise geometry on adapters shaped like those of Qwen3-4B, beside what it replaces.

    python tests/benchmarks/geometry.py [--layers 36] [--adapters 12] [--sample 1] [--folder FOLDER]

One run prints: our time for 2 adapters and 1 pair, and for all adapters and pairs, in one process and as the workflow
runs them; dense matrices with full and with randomised singular value decompositions in torch, on the four modules of
`sample` layers, scaled up; and the floor that this machine sets: bytes over its read rate, operations over its rate
of matrix products. Everything runs on one thread.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

SHAPES = {"q": (4096, 2560), "k": (1024, 2560), "v": (1024, 2560), "o": (2560, 4096)}
RANK, K = 32, 10


def write_adapters(folder: Path, layers: int, count: int) -> list[Path]:
    """Write random float32 adapters; they share nothing."""
    import numpy as np

    from lossgeometry.files.safetensors import write_tensors

    config = {"peft_type": "LORA", "r": RANK, "lora_alpha": 2 * RANK}
    folders = [folder / f"a{index:02d}" for index in range(count)]
    for index, path in enumerate(folders):
        rng = np.random.default_rng(index)
        tensors = {}
        for layer in range(layers):
            for projection, (m, n) in SHAPES.items():
                module = f"base_model.model.model.layers.{layer}.self_attn.{projection}_proj"
                tensors[f"{module}.lora_A.weight"] = rng.standard_normal((RANK, n), np.float32) / n**0.5
                tensors[f"{module}.lora_B.weight"] = rng.standard_normal((m, RANK), np.float32)
        write_tensors(path / "adapter_model.safetensors", tensors, {})
        (path / "adapter_config.json").write_text(json.dumps(config))
    return folders


def measure_ours(folders: list[Path], out: Path) -> dict[str, float]:
    """Reduce the adapters and compare all pairs in this process; return computing seconds by step."""
    from lossgeometry.files.parquet import table_of, write_parquet
    from lossgeometry.geometry.pairs import MapRow, compare_pair
    from lossgeometry.geometry.scopes import Row
    from lossgeometry.updates.peft import Adapter
    from lossgeometry.updates.reduction import write_delta
    from lossgeometry.updates.stored import Delta

    clocks = [time.process_time()]
    for folder in folders:
        write_delta(Adapter(folder), out / f"{folder.name}.safetensors")
    clocks.append(time.process_time())
    for a, b in combinations([folder.name for folder in folders], 2):
        pair = compare_pair(Delta(out / f"{a}.safetensors"), Delta(out / f"{b}.safetensors"), (a, b), K)
        write_parquet(out / f"{a}--{b}.parquet", table_of(pair.rows, Row))
        write_parquet(out / f"{a}--{b}.maps.parquet", table_of(pair.maps, MapRow))
    clocks.append(time.process_time())
    start, reduced, end = clocks
    return {"adapters": reduced - start, "pairs": end - reduced, "computing": end - start}


class Held:
    """The updates of an adapter, held in memory with the interface of a delta file."""

    def __init__(self, factors: dict):
        from lossgeometry.updates.svd import compact_svd

        self.modules = list(factors)
        self._svds = {module: compact_svd(*factor) for module, factor in factors.items()}
        self.svd, self.shape = self._svds.__getitem__, lambda module: self._svds[module].shape
        self.rank = lambda module: self._svds[module].rank


def measure_in_memory(folders: list[Path]) -> dict[str, float]:
    """Measure one pair from factors in memory to rows in memory, which is what the dense paths are timed on."""
    from lossgeometry.geometry.pairs import compare_pair
    from lossgeometry.updates.peft import Adapter

    adapters = [Adapter(folder) for folder in folders]
    factors = [{module: adapter.factors(module) for module in adapter.modules} for adapter in adapters]
    start = time.process_time()
    held = [Held(factor) for factor in factors]
    reduced = time.process_time()
    compare_pair(*held, ("a", "b"), K)
    return {"adapters": reduced - start, "pairs": time.process_time() - reduced}


def measure_dense(folders: list[Path], out: Path, randomised: bool, sample: int) -> dict[str, float]:
    """Measure one pair on dense float32 matrices, as public code does it; return computing seconds."""
    import torch
    from safetensors.torch import load_file

    torch.set_num_threads(1)
    tensors = [load_file(folder / "adapter_model.safetensors") for folder in folders[:2]]
    start = time.process_time()
    for layer in range(sample):
        for projection in SHAPES:
            module = f"base_model.model.model.layers.{layer}.self_attn.{projection}_proj"
            x, y = (2 * t[f"{module}.lora_B.weight"] @ t[f"{module}.lora_A.weight"] for t in tensors)
            if randomised:
                svds = [torch.svd_lowrank(z, q=RANK + 8, niter=2) for z in (x, y)]
                (u, s, v), (p, t, q) = svds
            else:
                (u, s, vh), (p, t, qh) = (torch.linalg.svd(z, full_matrices=False) for z in (x, y))
                v, q = vh.T, qh.T
            torch.sum(x * y) / (x.norm() * y.norm())
            (y - torch.sum(x * y) / torch.sum(x * x) * x).norm() / y.norm()
            for left, right in ((u, p), (v, q)):
                torch.linalg.svdvals(left[:, :K].T @ right[:, :K]).clamp(max=1).arccos()
                (left[:, 0] @ right[:, 0]).abs()
            for z in (s, t):
                share = z / z.sum()
                torch.exp(-torch.sum(share * torch.log(share.clamp(min=1e-30))))
    return {"computing": time.process_time() - start}


def measure_floor(folders: list[Path], layers: int) -> dict[str, float]:
    """Return what one pair must cost on this machine: reading the files, and the products of the stacked factors."""
    import numpy as np

    files = [folder / "adapter_model.safetensors" for folder in folders[:2]]
    start = time.perf_counter()
    size = sum(len(file.read_bytes()) for file in files)
    reading = time.perf_counter() - start
    x = np.random.default_rng(0).standard_normal((4096, 2 * RANK))
    x.T @ x
    start = time.perf_counter()
    for _ in range(50):
        x.T @ x
    rate = 50 * 2 * x.shape[0] * x.shape[1] ** 2 / (time.perf_counter() - start)
    operations = 2 * (2 * RANK) ** 2 * layers * sum(m + n for m, n in SHAPES.values())
    return {"reading": reading, "rate": rate, "products": operations / rate, "bytes": size}


def in_own_process(task: str, options: argparse.Namespace, folders: list[Path], out: Path) -> dict[str, float]:
    """Run one task in a fresh interpreter; return its figures with wall time and peak memory (MB)."""
    out.mkdir(exist_ok=True)
    arguments = ["--task", task, "--folder", str(out), "--layers", str(options.layers), "--sample", str(options.sample)]
    start = time.perf_counter(), computing_of_children()
    done = subprocess.run(
        [sys.executable, __file__, *arguments, *map(str, folders)], check=True, capture_output=True, text=True
    )
    spent = {"wall": time.perf_counter() - start[0], "process": computing_of_children() - start[1]}
    return {**json.loads(done.stdout), **spent}


def computing_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_task(options: argparse.Namespace) -> None:
    folders = [Path(folder) for folder in options.adapter_folders]
    if options.task == "ours":
        figures = measure_ours(folders, options.folder)
    elif options.task == "memory":
        figures = measure_in_memory(folders)
    elif options.task == "floor":
        figures = measure_floor(folders, options.layers)
    else:
        figures = measure_dense(folders, options.folder, options.task == "randomised", options.sample)
    figures["memory"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(figures))


def run_workflow(folders: list[Path], work: Path) -> dict[str, float]:
    """Run the deltas and pairs through Snakemake; return wall and computing seconds, also of planning alone."""
    work.mkdir()
    config = {"experiment": "bench", "adapters": {folder.name: str(folder) for folder in folders}}
    config |= {"geometry": {"k": K}, "evaluation": {"benchmarks": {}}}
    (work / "config.json").write_text(json.dumps(config))
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--configfile", "config.json"]
    figures = {}
    for name, extra in (("planning", ["-n"]), ("", [])):
        start = time.perf_counter(), computing_of_children()
        arguments = [*command, "--cores", str(os.cpu_count()), *extra, "pairs"]
        subprocess.run(arguments, cwd=work, check=True, capture_output=True)
        figures[name or "wall"] = time.perf_counter() - start[0]
        figures[f"{name}computing"] = computing_of_children() - start[1]
    return figures


def main(options: argparse.Namespace, folder: Path) -> None:
    folders = write_adapters(folder / "adapters", options.layers, options.adapters)
    pairs = options.adapters * (options.adapters - 1) // 2
    floor = in_own_process("floor", options, folders, folder / "floor")
    least = floor["reading"] + floor["products"]
    print(f"{options.layers} layers of q, k, v, o, rank {RANK}, k = {K}; one thread per process; seconds of computing")
    print(
        f"floor: {floor['bytes'] / 1e6:.0f} MB read in {floor['reading']:.3f} s; products at "
        f"{floor['rate'] / 1e9:.0f} GFLOP/s in {floor['products']:.3f} s: {least:.2f} s"
    )
    held = in_own_process("memory", options, folders[:2], folder / "memory")
    ours = held["adapters"] + held["pairs"]
    print(
        f"ours, 2 adapters and 1 pair, all metrics, in memory: {ours:.2f} s (decompositions {held['adapters']:.2f}, "
        f"pair {held['pairs']:.2f})"
    )
    two = in_own_process("ours", options, folders[:2], folder / "two")
    print(
        f"the same from files to files, with digests: {two['computing']:.2f} s (decompositions {two['adapters']:.2f}, "
        f"pair {two['pairs']:.2f}), {two['computing'] / least:.1f} x the floor; {two['process']:.2f} s with the "
        f"interpreter's start; peak {two['memory']:.0f} MB"
    )
    for task, label in (("randomised", "randomised SVD"), ("dense", "full SVD")):
        other = in_own_process(task, options, folders, folder / task)
        seconds = other["computing"] * options.layers / options.sample
        print(
            f"dense torch float32, {label}: {seconds:.0f} s (from {options.sample} of {options.layers} layers); peak "
            f"{other['memory']:.0f} MB; in memory, ours is {seconds / ours:.0f} x faster"
        )
    one_go = in_own_process("ours", options, folders, folder / "all")
    print(
        f"ours, {options.adapters} adapters and {pairs} pairs in one process: {one_go['process']:.1f} s "
        f"(decompositions {one_go['adapters']:.1f}, pairs {one_go['pairs']:.1f}); {one_go['wall']:.1f} s on the clock; "
        f"peak {one_go['memory']:.0f} MB"
    )
    shutil.rmtree(folder / "all")
    flow = run_workflow(folders, folder / "work")
    jobs = 2 * options.adapters - 1  # a decomposition each, and a row of pairs for all but the first
    extra = flow["computing"] - flow["planningcomputing"] - one_go["adapters"] - one_go["pairs"]
    print(
        f"the same as {jobs} jobs of the workflow: {flow['computing']:.1f} s, "
        f"{flow['computing'] / one_go['process']:.2f} x the one process; {flow['wall']:.1f} s on the clock of "
        f"{os.cpu_count()} cores, {flow['wall'] / one_go['wall']:.2f} x; planning {flow['planningcomputing']:.1f} s, "
        f"start-up of jobs and scheduling {extra:.1f} s ({extra / jobs:.2f} s a job)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=36)
    parser.add_argument("--adapters", type=int, default=12)
    parser.add_argument("--sample", type=int, default=1, help="layers that the dense paths measure")
    parser.add_argument("--folder", type=Path, help="where to put 3 GB of adapters and deltas (default: temporary)")
    parser.add_argument("--task", help=argparse.SUPPRESS)
    parser.add_argument("adapter_folders", nargs="*", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task:
        run_task(arguments)
    else:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as temporary:
            main(arguments, Path(temporary))
