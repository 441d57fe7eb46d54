"""What every rule's script does first: give the job its cores and its log, and turn bad inputs into one sentence."""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from resource import RUSAGE_CHILDREN, RUSAGE_SELF, getrusage

from lossgeometry.errors import CannotWrite, ChangedCode, DamagedInput, InputError, SecondWriter
from lossgeometry.files.damage import require_whole
from lossgeometry.gpus import taken
from lossgeometry.planned import require_planned_code
from lossgeometry.preloading import run_in_fork
from lossgeometry.records import record_outputs

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Parameters of glibc's mallopt."""
LARGE_BLOCK = 1 << 26
"""Bytes from which on a block that is freed goes back to the system."""


@contextmanager
def job(snakemake, network: bool = False, with_model: bool = False) -> Iterator[None]:
    """Run the body with the job's threads, GPUs and log; import numerical libraries inside it, after the threads are pinned.

    Only a job with `network` may ask the hub for anything: models and data were fetched before, at their revisions. A job
    `with_model` imports torch and transformers. Jobs of one thread may be forks of a process that has done their imports.
    Standard output and error go to the rule's log file, from this process and from its children. Errors that carry a sentence
    for the user end the job with exit status 1 and that sentence alone; every other exception keeps its traceback.
    """
    if snakemake.threads == 1 and not network:
        run_in_fork("models" if with_model else "tables")
    keep_freed_memory()
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(snakemake.threads)
    if not network:
        os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    # Progress bars of the libraries fill a log with control characters; jobs that take long print lines of their own.
    os.environ.setdefault("TQDM_DISABLE", "1")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    log = os.open(snakemake.log[0], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    os.dup2(log, sys.stdout.fileno())
    os.dup2(log, sys.stderr.fileno())
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # typeshed allows for any stand-in
    try:
        require_planned_code(snakemake.params.code)
        require_whole(snakemake.input)
        with taken(snakemake.resources.get("gpu", 0)):
            yield
        # Of children too, and whole: Snakemake takes samples, which miss short jobs, and those of forks.
        print(f"CPU seconds: {sum(os.times()[:4]):.1f}")
        print(f"Peak memory: {max(map(_peak_megabytes, (RUSAGE_SELF, RUSAGE_CHILDREN))):.0f} MB")
        record_outputs(snakemake.log[0], snakemake.output, snakemake.params.code)
    except (ChangedCode, InputError, DamagedInput, CannotWrite, SecondWriter) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def _peak_megabytes(whose: int) -> float:
    return getrusage(whose).ru_maxrss / 1024


def keep_freed_memory() -> None:
    """Let the process keep freed memory for what it allocates next, where its C library is glibc.

    Getting the memory of every intermediate result from the system anew, page by page, is a tenth to a third of the time that
    small models take.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)
        mallopt(M_TRIM_THRESHOLD, (1 << 31) - 1)
