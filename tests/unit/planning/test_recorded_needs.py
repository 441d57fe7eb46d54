"""What a cluster is asked for covers what the jobs took."""

import yaml

from lossgeometry.planning.recorded_needs import Needs, as_resources, recorded_needs

HEAD = "s\th:m:s\tmax_rss\tcpu_time\n"


def test_the_largest_job_of_a_rule_counts_and_killed_ones_do_not(tmp_path):
    for name, text in {
        "train/a.tsv": HEAD + "60\t0:01:00\t1000\t50\n",
        "train/deep/b.tsv": HEAD + "120\t0:02:00\t400\t50\n",
        "train/killed.tsv": HEAD,
        "grade.tsv": HEAD + "0.1\t0:00:00\t-\t0\n",
    }.items():
        (tmp_path / "benchmarks" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "benchmarks" / name).write_text(text)
    assert recorded_needs(tmp_path) == {"train": Needs(2, 1000.0, 2.0), "grade": Needs(1, 0.0, 0.1 / 60)}


def test_a_profile_takes_the_lines_and_every_attempt_asks_for_more():
    needs = {"train": Needs(2, 1001.0, 90.0), "short": Needs(1, 0.0, 0.0), "days": Needs(1, 10.0, 4000.0)}
    asked = yaml.safe_load(as_resources(needs))["set-resources"]
    values = {
        rule: [[eval(of_rule[name], {"attempt": attempt}) for attempt in (1, 2)] for name in ("mem_mb", "runtime")]
        for rule, of_rule in asked.items()
    }
    assert values["train"] == [[1600, 3200], [180, 360]]
    assert values["short"] == [[500, 1000], [10, 20]]
    assert values["days"][1] == [1440, 1440]
