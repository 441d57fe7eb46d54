"""The summary's times are those of jobs that are part of the experiment."""

from lossgeometry.report.summary import _time

HEAD = "s\tmax_rss\tcpu_time\n"


def test_jobs_of_a_removed_method_are_left_out(tmp_path):
    jobs = (
        "train_adapter/sft.lr0.001.s1",
        "train_adapter/dft.lr0.001.s1",
        "compare_pair/sft.lr0.001.s1--dft.lr0.001.s1",
    )
    for name in (*jobs, "generate_answers/base/easy", "generate_answers/sft.lr0.001.s1/easy", "grade_rollouts"):
        path = tmp_path / "benchmarks" / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{HEAD}60\t5\t60\n")
    said = _time(tmp_path, {"sft.lr0.001.s1"})
    assert said.startswith("## Time\n\n4 minutes of computing")
    assert "| train_adapter | 1 |" in said and "compare_pair" not in said


def test_what_a_fork_took_counts_by_its_own_word(tmp_path):
    for name, text in (
        ("benchmarks/train.tsv", f"{HEAD}60\t5\t1\n"),
        ("logs/train.log", "step 1\nCPU seconds: 42.0\nPeak memory: 700 MB\n"),
    ):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    assert "| train | 1 | 60 | 42 | 700 |" in _time(tmp_path, set())
