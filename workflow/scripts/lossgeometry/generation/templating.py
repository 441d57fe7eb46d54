"""How a problem becomes the tokens of a prompt: the one place, for rollouts, training, evaluation and analysis alike.

Problems and completions are foreign text: a special token that is written out in one is characters like any others. No
prompt depends on the clock: templates that print a date print a fixed one.
"""

import re
from datetime import datetime

DATE = datetime(2024, 7, 26)
"""The date in prompts: the one that Llama 3's template falls back on where it is given neither a date nor a clock."""
FIRST_STAND_IN = 0xF0000
"""Code points from here on are private: no tokenizer gives them a meaning."""


def prompt_messages(problem: str, suffix: str) -> list[dict[str, str]]:
    """Return the chat of one problem: a user's turn, with the instruction appended after a newline where there is one."""
    return [{"role": "user", "content": f"{problem}\n{suffix}" if suffix else problem}]


def prompt_text(tokenizer, problem: str, suffix: str) -> str:
    """Return the prompt as text, up to and including the opening of the assistant's turn."""
    return tokenizer.apply_chat_template(
        prompt_messages(problem, suffix),
        add_generation_prompt=True,
        tokenize=False,
        date_string=DATE.strftime("%d %b %Y"),  # what Llama's templates look for before they ask the clock
        strftime_now=DATE.strftime,  # the clock itself, as transformers hands it to templates
    )


def prompt_token_ids(tokenizer, problem: str, suffix: str) -> list[int]:
    """Return the prompt's token ids. The template writes its own special tokens, so none are added here."""
    special = _special_tokens(tokenizer)
    foreign = [token for token in special if token in f"{problem}\n{suffix}"]
    if not foreign:
        return tokenizer(prompt_text(tokenizer, problem, suffix), add_special_tokens=False)["input_ids"]
    # The template is rendered around stand-ins, so that what it writes can be told from what the problem says.
    stand_ins = {token: chr(FIRST_STAND_IN + number) for number, token in enumerate(foreign)}
    text = prompt_text(tokenizer, _replaced(problem, stand_ins), _replaced(suffix, stand_ins))
    own = {stand_in: token for token, stand_in in stand_ins.items()}
    token_ids = []
    for piece in re.split(f"({'|'.join(map(re.escape, special))})", text):
        if piece in special:
            token_ids.append(special[piece])
        elif piece:
            token_ids += _foreign_token_ids(tokenizer, _replaced(piece, own))
    return token_ids


def completion_token_ids(tokenizer, completion: str, finished: bool) -> list[int]:
    """Return a completion's token ids, with the end token if the completion was finished rather than cut by its budget."""
    token_ids = _foreign_token_ids(tokenizer, completion)
    return token_ids + [tokenizer.eos_token_id] if finished else token_ids


def _foreign_token_ids(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]


def _special_tokens(tokenizer) -> dict[str, int]:
    """Return {text: id} of the tokenizer's special tokens, the longest first, so that none hides in another."""
    special = {str(token): number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    return dict(sorted(special.items(), key=lambda item: -len(item[0])))


def _replaced(text: str, names: dict[str, str]) -> str:
    for name, other in names.items():
        text = text.replace(name, other)
    return text
