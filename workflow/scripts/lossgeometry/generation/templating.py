"""How a problem becomes the tokens of a prompt: the one place, for rollouts, training, evaluation and analysis alike."""


def prompt_messages(problem: str, suffix: str) -> list[dict[str, str]]:
    """Return the chat of one problem: a user's turn, with the instruction appended after a newline where there is one."""
    return [{"role": "user", "content": f"{problem}\n{suffix}" if suffix else problem}]


def prompt_text(tokenizer, problem: str, suffix: str) -> str:
    """Return the prompt as text, up to and including the opening of the assistant's turn."""
    return tokenizer.apply_chat_template(prompt_messages(problem, suffix), add_generation_prompt=True, tokenize=False)


def prompt_token_ids(tokenizer, problem: str, suffix: str) -> list[int]:
    """Return the prompt's token ids. The template writes its own special tokens, so none are added here."""
    return tokenizer(prompt_text(tokenizer, problem, suffix), add_special_tokens=False)["input_ids"]


def completion_token_ids(tokenizer, completion: str, finished: bool) -> list[int]:
    """Return a completion's token ids, with the end token if the completion was finished rather than cut by its budget."""
    token_ids = tokenizer(completion, add_special_tokens=False)["input_ids"]
    return token_ids + [tokenizer.eos_token_id] if finished else token_ids
