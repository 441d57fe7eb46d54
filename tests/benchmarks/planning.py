"""What Snakemake takes to see that nothing is to be done, and to plan 30 methods with 3 seeds each.

Run as ``python tests/benchmarks/planning.py``. Times are of the processor, since a busy machine stretches the others;
each is given as a ratio to the baseline, an empty workflow planned in the same run.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "shared"), str(TESTS / "plan"), str(TESTS.parent / "workflow" / "scripts")]

METHODS, SEEDS, REPEATS = 30, 3, 3


def measure(folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Return the least processor and wall-clock seconds of a dry run of `all`, and what it said."""
    command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "rules", *arguments, "--", "all"]
    times = []
    for _ in range(REPEATS):
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        times.append((processor, time.monotonic() - start))
    return *min(times), done.stdout + done.stderr


def main() -> None:
    """Measure and print."""
    from planning import CONFIG, Project

    with tempfile.TemporaryDirectory() as scratch:
        empty = Path(scratch) / "empty"
        empty.mkdir()
        (empty / "Snakefile").write_text("rule all:\n    output: 'x'\n    shell: 'touch x'\n", encoding="utf-8")
        baseline, wall, _ = measure(empty)
        print(f"baseline, an empty workflow: {baseline:.2f} s of processor time, {wall:.2f} s on the clock")

        finished = Project.create(Path(scratch) / "finished")
        finished.finish()
        seconds, wall, said = measure(finished.root, "--configfile", CONFIG)
        assert "Nothing to be done" in said
        print(
            f"nothing to be done: {seconds:.2f} s ({seconds / baseline:.1f} x the baseline), {wall:.2f} s on the clock"
        )

        large = Project.create(Path(scratch) / "large")
        betas = [(index + 1) / 100 for index in range(METHODS)]
        large.set("methods", {f"dpo@beta{b:g}": {"learning_rate": 1e-4, "options": {"beta": b}} for b in betas})
        large.set("seeds", list(range(SEEDS)))
        seconds, wall, said = measure(large.root, "--configfile", CONFIG)
        (jobs,) = {line.split()[1] for line in said.splitlines() if line.startswith("total ")}
        print(f"{METHODS} methods x {SEEDS} seeds, every pair in every stage, {jobs} jobs:", end=" ")
        print(f"{seconds:.2f} s ({seconds / baseline:.1f} x baseline), {wall:.2f} s on the clock")


if __name__ == "__main__":
    main()
