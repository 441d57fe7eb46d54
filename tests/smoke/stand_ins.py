"""Stand-ins for what the full-size configurations fetch: a random model, data with the columns of the real sets, an endpoint."""

import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoModelForCausalLM, GenerationConfig, PretrainedConfig, PreTrainedTokenizerFast

from lossgeometry.problems.generated import Problem, draw_problems, write_solution

ROWS = 50
END, START, TEXT_END = "<|im_end|>", "<|im_start|>", "<|endoftext|>"
# As Qwen3-Instruct-2507 does it: turns between markers, no system turn unless one is given, no thinking block.
CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


def save_student(folder: Path, kind: type[PretrainedConfig]) -> None:
    """Save a model of 3.6 million random parameters in bfloat16, grouped-query attention and two end tokens included."""
    texts = [problem.text + "\n" + solution(problem) for problem in problems(400)]
    tokenizer = Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(r"\p{N}| ?[^\s\p{N}]+|\s+"), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=1200, special_tokens=[TEXT_END, START, END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=TEXT_END, eos_token=END)
    fast.chat_template = CHAT_TEMPLATE
    ends = [fast.eos_token_id, fast.pad_token_id]
    torch.manual_seed(0)
    config = kind(
        vocab_size=1280,  # more rows than tokens, as in the real one
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=32,
        tie_word_embeddings=True,
        initializer_range=0.1,
        max_position_embeddings=32768,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
        dtype="bfloat16",
    )
    model = AutoModelForCausalLM.from_config(config).to(torch.bfloat16)
    model.generation_config = GenerationConfig(
        eos_token_id=ends, pad_token_id=fast.pad_token_id, do_sample=True, top_k=20
    )
    model.save_pretrained(folder)
    fast.save_pretrained(folder)


def problems(count: int, seed: int = 5) -> list[Problem]:
    """Return word problems of the tiny experiment."""
    return list(islice(draw_problems(seed, "reachable", "pretraining"), count))


def solution(problem: Problem) -> str:
    """Return a worked solution that ends in a box."""
    return write_solution(problem, "careful", random.Random(problem.key), 0.0)


def write_data(folder: Path) -> dict[str, str]:
    """Write 50 rows each with the columns and the known defects of DeepScaleR, GSM8K, AIME 2026 and ARC; return their paths."""
    rows: dict[str, list[dict[str, Any]]] = {"train": [], "gsm8k": [], "aime26": [], "arc": []}
    for number, problem in enumerate(problems(ROWS, seed=8)):
        choices = {"text": [str(problem.answer), str(problem.answer + 1)], "label": ["1", "2"]}
        rows["arc"].append({"id": f"Q{number}", "question": problem.text, "choices": choices, "answerKey": "1"})
    for number, problem in enumerate(problems(3 * ROWS)):
        answer, place = str(problem.answer), number // 3
        if number % 3 == 0:
            answer = "" if place == 3 else answer
            rows["train"].append({"problem": problem.text, "answer": answer, "solution": solution(problem)})
        elif number % 3 == 1:
            worked = (
                f"{solution(problem)}\n#### 1,{answer:0>3}" if place == 4 else f"{solution(problem)}\n#### {answer}"
            )
            rows["gsm8k"].append({"question": problem.text, "answer": worked})
        else:
            rows["aime26"].append({"problem_idx": place + 1, "answer": f"{answer:0>3}", "problem": problem.text})
    paths = {}
    for name, table in rows.items():
        paths[name] = str(folder / f"{name}.jsonl")
        Path(paths[name]).write_text("".join(json.dumps(row) + "\n" for row in table), encoding="utf-8")
    return paths


@contextmanager
def endpoint(model: str) -> Iterator[str]:
    """Serve the part of OpenAI's interface that the workflow uses; yield its address. Answers depend on the seed alone."""
    solutions = [solution(problem) for problem in problems(200, seed=6)]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            self._send({"object": "list", "data": [{"id": model, "object": "model"}]})

        def do_POST(self) -> None:  # noqa: N802
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            text = solutions[asked.get("seed", 0) % len(solutions)]
            message = {"role": "assistant", "content": text}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": len(text.split()), "total_tokens": len(text.split()) + 1}
            answer = {"id": "1", "object": "chat.completion", "created": 0, "model": model}
            self._send(answer | {"choices": [choice], "usage": usage})

        def _send(self, answer: dict[str, Any]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        thread.join()
