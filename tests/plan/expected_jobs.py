"""The runs and pairs of the configuration that is planned, and what each kind of change is to re-run."""

from collections.abc import Iterable

from planning import METHODS, SEEDS, Plan

RATES = {"sft": "0.001", "dft": "0.001", "dpo": "0.0001", "rft": "0.001"}
BENCHMARKS = ("easy", "hard")


def run(method: str, seed: str = "42") -> str:
    return f"{method}.lr{RATES[method]}.s{seed}"


RUNS = [run(method, seed) for method in METHODS for seed in SEEDS]
# Within each seed every two methods, and within each method its two seeds.
PAIRS = [
    (run("sft", "42"), run("sft", "43")),
    (run("sft", "42"), run("dft", "42")),
    (run("sft", "42"), run("dpo", "42")),
    (run("sft", "43"), run("dft", "43")),
    (run("sft", "43"), run("dpo", "43")),
    (run("dft", "42"), run("dft", "43")),
    (run("dft", "42"), run("dpo", "42")),
    (run("dft", "43"), run("dpo", "43")),
    (run("dpo", "42"), run("dpo", "43")),
]
TABLES = (
    "compare_sweeps",
    "tabulate_accuracy",
    "tabulate_connectivity",
    "tabulate_geometry",
    "tabulate_representations",
    "tabulate_runs",
    "tabulate_sensitivity",
)
REPORT = ("tabulate_claims", "tabulate_findings", "write_summary", "write_bundle", "write_explorer", "draw_figures")


def runs_of(method: str) -> list[str]:
    return [run(method, seed) for seed in SEEDS]


def jobs(**lists: Iterable[str]) -> Plan:
    return {rule: sorted(names) for rule, names in lists.items() if names}


def single(*rules: str) -> Plan:
    return {rule: [""] for rule in rules}


def on_benchmarks(runs: Iterable[str], benchmarks: Iterable[str] = BENCHMARKS) -> list[str]:
    return [f"{name} {benchmark}" for name in runs for benchmark in benchmarks]


def rows_of(runs: Iterable[str], pairs: Iterable[tuple[str, str]] = PAIRS) -> list[str]:
    """The rows that hold a pair of these runs: a row holds the pairs of one run with the runs before it."""
    return sorted({b for a, b in pairs if {a, b} & set(runs)})


def after_training(runs: list[str], pairs: Iterable[tuple[str, str]] = PAIRS) -> Plan:
    """What follows from new adapters of these runs."""
    pairs = list(pairs)
    return jobs(
        reduce_adapter=runs,
        generate_answers=on_benchmarks(runs),
        grade_answers=on_benchmarks(runs),
        compare_pairs=rows_of(runs, pairs),
        measure_endpoints=runs,
        interpolate_pairs=rows_of(runs, pairs),
        extract_representations=runs,
        compare_representations=rows_of(runs, pairs),
    ) | single(*TABLES, *REPORT)


def trained(runs: list[str], pairs: Iterable[tuple[str, str]] = PAIRS) -> Plan:
    return jobs(train_adapter=runs) | after_training(runs, pairs)


NOTHING: Plan = {}
CHANGED_CONFIG = single("write_config", *REPORT)
SHOWN = {
    rule: names
    for rule, names in CHANGED_CONFIG.items()
    if rule not in ("tabulate_claims", "tabulate_findings", "write_summary")
}
"""A key that only the recorded configuration shows."""
GRADED = single("grade_rollouts", "grade_heldout", "tokenize_rollouts")
SAMPLED = GRADED | single("generate_heldout") | jobs(generate_rollouts=["1-of-2", "2-of-2"])
# What depends on the teacher's rollouts without an adapter in between.
REFERENCE = jobs(measure_endpoints=["base", *RUNS], extract_representations=["base", *RUNS])
