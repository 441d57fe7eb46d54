"""Requests as token ids and generated ids as completions: what every engine that holds the model itself does alike."""

from collections.abc import Sequence
from pathlib import Path

from transformers import AutoConfig, AutoTokenizer, GenerationConfig

from lossgeometry.errors import InputError
from lossgeometry.generation.requests import Completion, Request
from lossgeometry.generation.templating import prompt_token_ids


class Tokenization:
    """The tokenizer of a model folder, the suffix of its prompts, and what ends its completions.

    Parameters
    ----------
    model_folder
        Hugging Face model folder.
    prompt_suffix
        Appended to every problem.
    """

    def __init__(self, model_folder: Path, prompt_suffix: str):
        config = AutoConfig.from_pretrained(model_folder).get_text_config()
        self.tokenizer = AutoTokenizer.from_pretrained(model_folder)
        self.prompt_suffix = prompt_suffix
        self.context = config.max_position_embeddings
        """Longest sequence, in tokens, that the model was made for."""
        self.end_ids = _end_ids(self.tokenizer, config, model_folder)
        """Tokens that end a completion, in ascending order."""
        self.pad_id = self.end_ids[0] if self.tokenizer.pad_token_id is None else self.tokenizer.pad_token_id

    def prompts(self, requests: Sequence[Request]) -> list[list[int]]:
        """Return the prompt of each request as token ids."""
        problems = dict.fromkeys(request.problem for request in requests)  # each has several completions
        known = {problem: prompt_token_ids(self.tokenizer, problem, self.prompt_suffix) for problem in problems}
        return [known[request.problem] for request in requests]

    def check(self, requests: Sequence[Request], max_new_tokens: int) -> None:
        """Refuse requests whose prompt and token budget do not fit into the context together, before any is generated.

        Raises
        ------
        InputError
            Naming the longest prompt.
        """
        problems = {request.problem: request.problem_id for request in requests}
        lengths = {
            problem_id: len(prompt_token_ids(self.tokenizer, problem, self.prompt_suffix))
            for problem, problem_id in problems.items()
        }
        longest = max(lengths, key=lengths.__getitem__, default=None)
        if longest is not None and lengths[longest] + max_new_tokens > self.context:
            raise InputError(
                f"the prompt of problem {longest} has {lengths[longest]} tokens, which with max_new_tokens {max_new_tokens} "
                f"exceeds the {self.context} tokens that the model can take; lower max_new_tokens or remove the problem"
            )

    def until_end(self, token_ids: Sequence[int]) -> list[int]:
        """Return generated ids without what follows the first end token."""
        length = next((index for index, token in enumerate(token_ids) if token in self.end_ids), len(token_ids))
        return list(token_ids[: length + 1])

    def completion(self, request: Request, token_ids: Sequence[int]) -> Completion:
        """Return the completion that generated ids are, without what follows the first end token."""
        length = next((index for index, token in enumerate(token_ids) if token in self.end_ids), None)
        text = self.tokenizer.decode(token_ids[:length], clean_up_tokenization_spaces=False)
        return Completion(
            request.problem_id,
            request.sample,
            request.decoding,
            request.seed,
            text,
            "length" if length is None else "stop",
            len(token_ids) if length is None else length + 1,
        )


def _end_ids(tokenizer, config, model_folder: Path) -> list[int]:
    """Return the end tokens that the tokenizer, the model and its generation settings name; they need not agree."""
    named = [tokenizer.eos_token_id, config.eos_token_id]
    if (model_folder / "generation_config.json").exists():
        named.append(GenerationConfig.from_pretrained(model_folder).eos_token_id)
    ids = {token for one in named for token in (one if isinstance(one, list) else [one]) if token is not None}
    if not ids:
        raise InputError(f"the model {model_folder} names no end token; set eos_token in its tokenizer_config.json")
    return sorted(ids)
