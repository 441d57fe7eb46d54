"""No statement about the claims can be refuted by the tables it is made from: each is derived again, by other means."""

from itertools import combinations

import numpy as np
import pytest
from claim_tables import ACCURACIES, PAPER, REFERENCE, RUNS, SEEDS, answers, judged, paper_tables, run_id
from scipy import stats

from lossgeometry.claims import section as claims_section
from lossgeometry.claims.evidence import Evidence
from lossgeometry.claims.tabulation import judge_claims

ENTRIES = {(entry["claim"], entry["part"]): entry for entry in REFERENCE["claims"]}
ON_POLICY, OTHERS = ("online_grpo", "online_dapo"), ("sft", "rft", "dft", "rift", "offline_grpo")
MARGIN = 0.02


class Numbers:
    """The numbers of one seed, looked up row by row."""

    def __init__(self, tables, seed):
        self.tables, self.seed = tables, seed
        self.cell = {}
        for row in tables["geometry"].to_dict("records"):
            if row["scope"] == "global":
                self.cell[frozenset((row["run_a"], row["run_b"])), row["metric"], row["side"]] = row

    def of(self, a, b, metric, side="none"):
        return self.cell[frozenset((run_id(a, self.seed), run_id(b, self.seed))), metric, side]

    def cosine(self, a, b):
        return self.of(a, b, "cosine")["value"]

    def single(self, label, other, metric):
        row = self.of(label, other, f"{metric}_a")
        end = "a" if row["run_a"] == run_id(label, self.seed) else "b"
        return self.of(label, other, f"{metric}_{end}")["value"]

    def online(self):
        rows = [row for row in self.cell.values() if row["metric"] == "cosine" and f"s{self.seed}" in row["run_a"]]
        ends = [(row["run_a"].partition(".")[0], row["run_b"].partition(".")[0], row["value"]) for row in rows]
        return max(abs(value) for a, b, value in ends if (a in ON_POLICY) != (b in ON_POLICY))

    def depth(self):
        layers = self.tables["layers"]
        rows = layers[(layers.run_a == run_id("sft", self.seed)) & (layers.metric == "orthogonal_fraction")]
        by_layer = list(rows.sort_values("layer").value)
        third = len(by_layer) // 3
        return sum(by_layer[-third:]) / third - sum(by_layer[third : 2 * third]) / third

    def collapse(self):
        cka, ratios = self.tables["cka"], []
        for label in ("offline_grpo", "dft"):
            rows = cka[(cka.run_a == run_id(label, self.seed)) & (cka.estimator == "debiased")]
            curve = list(rows.sort_values("layer").value)
            ratios.append(curve[-1] / float(np.median(curve[: len(curve) // 2])))
        return max(ratios)


def divergence(n):
    rows = n.tables["behaviour"].set_index(["text", "part", "measure", "run"]).value
    dpo, sft = (rows["base", "all", "kl_base_run", run_id(label, n.seed)] for label in ("dpo", "sft"))
    return dpo / sft


QUANTITIES = {
    ("viii", "kl"): divergence,
    ("i", "colinear"): lambda n: min(n.cosine(a, b) for a, b in combinations(("sft", "rft", "rift"), 2)),
    ("ii", "distance"): lambda n: (
        min(n.cosine("sft", x) for x in ("rft", "rift", "offline_grpo")) - n.cosine("sft", "dft")
    ),
    ("iii", "orthogonal"): lambda n: n.of("sft", "offline_grpo", "orthogonal_fraction")["value"],
    ("iii", "depth"): Numbers.depth,
    ("iv", "orthogonal"): lambda n: abs(n.cosine("sft", "dpo")),
    ("iv", "representations"): Numbers.collapse,
    ("v", "offline"): Numbers.online,
    ("v", "each other"): lambda n: abs(n.cosine(*ON_POLICY)),
    ("viii", "norm"): lambda n: n.single("dpo", "sft", "norm") / n.single("sft", "dpo", "norm"),
    ("viii", "rank"): lambda n: n.single("dpo", "sft", "effective_rank") / n.single("sft", "dpo", "effective_rank"),
}
"""What each claim measures in a seed, from the words of its `quantity`."""


def verdict_of(values, entry):
    if "at_least" in entry:
        same, differs = min(values) >= entry["at_least"], max(values) < entry["contradicts"]
    else:
        same, differs = max(values) <= entry["at_most"], min(values) > entry["contradicts"]
    return "same here" if same else "differs here" if differs else "cannot tell"


def made_up(number):
    """Tables of random numbers around the limits, and the answers behind the accuracies."""
    generator, tables = np.random.default_rng(number), paper_tables()
    geometry = tables["geometry"]
    noise = generator.uniform(-1, 1, len(geometry))
    strength = generator.choice([0.0, 0.05, 0.5], len(geometry) // 7 + 1).repeat(7)[: len(geometry)]
    metric = geometry.metric.str.startswith(("norm", "effective")) & (geometry.scope == "global")
    shared = geometry.metric + geometry.run_a + geometry.run_b
    factors = {name: generator.choice([1.0, 1.0, 0.5, 3.0]) for name in sorted(set(shared))}
    geometry["value"] = np.where(
        metric, geometry.value * shared.map(factors), np.clip(geometry.value + noise * strength, -1, 1)
    )
    tables["layers"]["value"] += generator.uniform(-0.2, 0.2, len(tables["layers"]))
    tables["behaviour"]["value"] *= generator.choice([0.5, 1.0, 8.0], len(tables["behaviour"]))
    tables["cka"]["value"] += generator.choice([0.0, 0.3]) * generator.uniform(0, 1, len(tables["cka"]))
    moved = {label: value + generator.choice([0.0, 0.01, 0.04]) for label, value in ACCURACIES.items()}
    if number % 2:
        moved |= {run_id("rift"): 0.82}  # in one seed only
    graded = answers(moved)
    tables["differences"] = judged(graded)
    return tables, graded


def interval(graded, a, b):
    """Limits of the mean paired difference of sampled answers to gsm8k, in large samples."""
    first, second = (graded[run, "gsm8k", "sampled"].correct.mean(axis=1) for run in (a, b))
    values = second - first
    half = stats.norm.isf(0.025) * values.std(ddof=1) / np.sqrt(len(values))
    return values.mean() - half, values.mean() + half


SLACK = 5e-4
"""The two problems more of the small-sample interval, on 1,319 problems."""


def equal(graded, a, b):
    low, high = interval(graded, a, b)
    return low >= -MARGIN - SLACK and high <= MARGIN + SLACK


def apart(graded, a, b):
    """The sign of a difference whose interval excludes 0; else 0."""
    low, high = interval(graded, a, b)
    up, down = bool(low > -SLACK), bool(high < SLACK)
    return int(up) - int(down)


@pytest.fixture(scope="module", params=range(4))
def experiment(request):
    tables, graded = made_up(request.param) if request.param else (paper_tables(), answers())
    return tables, graded, judge_claims(REFERENCE, PAPER, Evidence(tables, RUNS))


def test_every_verdict_on_a_number_is_what_its_tables_say(experiment):
    tables, _, table = experiment
    own = table[table.learning_rates == "own"].set_index(["claim", "part"])
    seeds = [Numbers(tables, seed) for seed in SEEDS]
    for part, measure in QUANTITIES.items():
        values = [measure(one) for one in seeds]
        expected = verdict_of(values, ENTRIES[part])
        row = own.loc[part]
        if part == ("iii", "orthogonal"):
            cosines = [one.of("sft", "offline_grpo", "cosine") for one in seeds]
            above = [cell["value"] > cell["null_mean"] + 1.96 * cell["null_sd"] for cell in cosines]
            if not all(above):
                assert row.verdict != "same here"
                continue
        assert row.verdict == expected, part
        for value in values:
            assert f"{abs(value):.3f}" in row.ours, part
        assert (row.reason == "") == (row.verdict != "cannot tell")
        assert float(row.smallest_difference) == pytest.approx(max(values) - min(values), rel=0.01, abs=1e-12)


def test_every_verdict_on_accuracies_is_what_the_answers_say(experiment):
    _, graded, table = experiment
    own = table[table.learning_rates == "own"].set_index(["claim", "part"]).verdict
    family = list(combinations(("sft", "rft", "rift"), 2))

    def everywhere(holds, pairs):
        return [all(holds(run_id(a, seed), run_id(b, seed)) for seed in SEEDS) for a, b in pairs]

    def same_sign(a, b):
        return len({apart(graded, run_id(a, seed), run_id(b, seed)) for seed in SEEDS} - {0}) == 1

    if own["i", "accuracy"] == "same here":
        assert all(everywhere(lambda a, b: equal(graded, a, b), family))
    if own["i", "accuracy"] == "differs here":
        assert any(same_sign(a, b) for a, b in family)
    against = [(label, "dpo") for label in OTHERS]
    if own["iv", "accuracy"] == "same here":
        assert all(everywhere(lambda a, b: apart(graded, a, b) == 1, against))
    if own["iv", "accuracy"] == "differs here":
        assert any(everywhere(lambda a, b: apart(graded, a, b) == -1 or equal(graded, a, b), against))
    kept = [equal(graded, "base", run_id(label, seed)) for label in ON_POLICY for seed in SEEDS]
    if own["v", "accuracy"] == "same here":
        assert all(kept)
    if own["v", "accuracy"] == "differs here":
        assert not all(kept)


def test_the_section_counts_what_the_tables_hold(experiment):
    _, _, table = experiment
    section = claims_section.section({"claims": table}, {"student": PAPER, "paper_student": PAPER})
    for verdict in ("same here", "differs here", "cannot tell"):
        assert section.count(f"**{verdict}**") == (table.verdict == verdict).sum()
