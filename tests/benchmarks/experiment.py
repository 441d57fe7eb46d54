"""Where the time of a finished experiment went: CPU seconds by rule, and the critical path.

    python tests/benchmarks/experiment.py results/tiny [--before OTHER/results/tiny]
    python tests/benchmarks/experiment.py results/tiny --engines [transformers vllm]

The first reads what the run left behind: the CPU seconds that each job wrote at the end of its log (where an older run has none,
Snakemake's samples of them, which miss the end of a job), and start, end and inputs of every job in `.snakemake/metadata`.
The critical path is the chain of jobs, each an input of the next, that takes longest: with any number of cores the experiment
takes no less. CPU seconds mean something on a busy machine too, so what idle cores would take is reckoned from them. The second
answers the same requests with each engine and with transformers' `generate`.
"""

import argparse
import base64
import csv
import heapq
import json
import re
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

REQUESTS = 1024


@dataclass(frozen=True)
class Job:
    """One job of a finished run."""

    rule: str
    inputs: frozenset[str]
    seconds: float
    """From start to end."""
    cpu: float


def jobs_of(results: Path) -> dict[str, Job]:
    """Return {output: job} of an experiment; the outputs of one job have one job."""
    workflow = results.resolve().parent.parent
    folder = str(results.resolve().relative_to(workflow)) + "/"
    jobs, known = {}, {}
    for path in (workflow / ".snakemake" / "metadata").rglob("*"):
        if path.is_dir():
            continue
        # A long name is spread over folders, each but the last with an @ before it.
        name = "".join(part.removeprefix("@") for part in path.relative_to(workflow / ".snakemake/metadata").parts)
        output = base64.b64decode(name).decode()
        record = json.loads(path.read_text())
        if not output.startswith(folder) or not record.get("log"):
            continue
        log = record["log"][0]
        if log not in known:
            seconds = record["endtime"] - record["starttime"]
            known[log] = Job(record["rule"], frozenset(record["input"]), seconds, cpu_seconds(workflow, log, seconds))
        jobs[output] = known[log]
    return jobs


def cpu_seconds(workflow: Path, log: str, seconds: float) -> float:
    """Return the CPU seconds of a job: its own word, else Snakemake's mean load over the time that it took."""
    said = re.findall(r"^CPU seconds: ([\d.]+)$", (workflow / log).read_text(errors="replace"), re.MULTILINE)
    if said:
        return float(said[-1])
    samples = workflow / log.replace("/logs/", "/benchmarks/").replace(".log", ".tsv")
    if not samples.exists():
        return seconds
    with open(samples, newline="") as file:
        row = next(csv.DictReader(file, delimiter="\t"))
    return float(row["s"]) * float(row["mean_load"]) / 100 or float(row["s"])


def critical_path(jobs: dict[str, Job]) -> list[Job]:
    """Return the chain of jobs that takes longest, first to last."""
    longest: dict[Job, tuple[float, list[Job]]] = {}

    def until(job: Job) -> tuple[float, list[Job]]:
        if job not in longest:
            before = max(
                (until(jobs[name]) for name in job.inputs if name in jobs), key=lambda one: one[0], default=(0, [])
            )
            longest[job] = (before[0] + job.seconds, [*before[1], job])
        return longest[job]

    return max((until(job) for job in jobs.values()), key=lambda one: one[0])[1]


def idle_seconds(jobs: dict[str, Job], cores: int) -> float:
    """Return what the run takes on idle cores if each job takes its CPU seconds and the longest that is ready starts first."""
    waiting = {job: {jobs[name] for name in job.inputs if name in jobs} for job in set(jobs.values())}
    running: list[tuple[float, int, Job]] = []
    clock = 0.0
    while waiting or running:
        ready = sorted((job for job, before in waiting.items() if not before), key=lambda job: -job.cpu)
        for job in ready[: cores - len(running)]:
            heapq.heappush(running, (clock + job.cpu, id(job), job))
            del waiting[job]
        clock, _, done = heapq.heappop(running)
        for before in waiting.values():
            before.discard(done)
    return clock


def by_rule(jobs: dict[str, Job]) -> dict[str, tuple[int, float]]:
    """Return {rule: (jobs, CPU seconds)}."""
    found: dict[str, tuple[int, float]] = defaultdict(lambda: (0, 0.0))
    for job in set(jobs.values()):
        count, total = found[job.rule]
        found[job.rule] = (count + 1, total + job.cpu)
    return dict(found)


def print_table(results: Path, before: Path | None) -> None:
    """Print CPU seconds by rule, of this run and of another one, and the critical path."""
    jobs = jobs_of(results)
    now, then = by_rule(jobs), by_rule(jobs_of(before)) if before else {}
    print(f"{'rule':28}{'jobs':>6}{'CPU s':>9}" + (f"{'before':>15}" if before else ""))
    for rule in sorted(now | then, key=lambda rule: -now.get(rule, (0, 0.0))[1]):
        count, cpu = now.get(rule, (0, 0.0))
        other = f"{then[rule][0]:>6}{then[rule][1]:>9.1f}" if rule in then else ""
        print(f"{rule:28}{count:>6}{cpu:>9.1f}{other}")
    totals = [
        (sum(count for count, _ in found.values()), sum(cpu for _, cpu in found.values())) for found in (now, then)
    ]
    print(
        f"{'all':28}{totals[0][0]:>6}{totals[0][1]:>9.1f}"
        + (f"{totals[1][0]:>6}{totals[1][1]:>9.1f}" if before else "")
    )
    print(f"\non two idle cores: {idle_seconds(jobs, 2):.0f} s and what Snakemake adds")
    path = critical_path(jobs)
    print(f"critical path: {sum(job.seconds for job in path):.0f} s")
    for job in path:
        print(f"  {job.rule:26}{job.seconds:>9.1f} s")


def measure_engines(results: Path, names: list[str]) -> None:
    """Print tokens per CPU second of each engine on the same requests, and how many completions equal those of `generate`."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "workflow" / "scripts"))
    import lossgeometry.generation.engines.transformers as own
    from lossgeometry.files.jsonl import read_lines
    from lossgeometry.generation.engines import make_engine
    from lossgeometry.generation.requests import evaluation_requests
    from lossgeometry.settings.rollouts import Engine, Sampling

    prompts, adapter = min(results.glob("prompts/*.jsonl")), min(results.glob("adapters/*/adapter_config.json")).parent
    requests = evaluation_requests(list(read_lines(prompts)), greedy=True, samples=4, seed=0)[:REQUESTS]
    sampling, reference = Sampling(max_new_tokens=128), []
    decodes = own.can_decode
    for name in ["generate", *names]:
        own.can_decode = (lambda model: False) if name == "generate" else decodes
        kind = "transformers" if name == "generate" else name
        engine = make_engine(Engine(name=kind, batch_size=512), results / "models/student", adapter, "", 128)
        start, clock = time.process_time(), time.perf_counter()
        made = [one for batch in engine.generate(requests, sampling) for one in batch]
        cpu, seconds = time.process_time() - start, time.perf_counter() - clock
        reference = reference or made
        same = sum(one.completion == other.completion for one, other in zip(made, reference, strict=True))
        tokens = sum(one.n_tokens for one in made)
        print(f"{name:14}{tokens / cpu:>9.0f} tokens/CPU s{seconds:>8.1f} s{same:>7} of {len(made)} as generate's")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("results", type=Path, help="folder of a finished experiment")
    parser.add_argument("--before", type=Path, help="folder of another run, to compare with")
    parser.add_argument("--engines", nargs="+", choices=["transformers", "vllm"], help="measure these engines instead")
    arguments = parser.parse_args()
    if arguments.engines:
        measure_engines(arguments.results, arguments.engines)
    else:
        print_table(arguments.results, arguments.before)
