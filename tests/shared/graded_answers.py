"""Graded answers of a run to one benchmark, as a file."""

import json


def write_answers(folder, run, correct):
    """Write one sampled answer a problem below a folder of evaluations."""
    path = folder / run / "easy.jsonl"
    path.parent.mkdir(parents=True)
    common = {"sample": 0, "decoding": "sampled", "finish_reason": "stop", "n_tokens": 3, "extracted": "1"}
    rows = [
        {"problem_id": f"p{index}", **common, "correct": bool(right), "verdict": "correct" if right else "wrong"}
        for index, right in enumerate(correct)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
