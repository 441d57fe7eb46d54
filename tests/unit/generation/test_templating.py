"""Prompts: no clock in them, and no special token that a problem or a completion wrote."""

from datetime import datetime

import pytest
from model_folders import problem_rows, save_model
from transformers import AutoTokenizer
from transformers.utils import chat_template_utils

from lossgeometry.generation.templating import completion_token_ids, prompt_text, prompt_token_ids

TURN = "{% for m in messages %}<|user|>{{ m['content'] }}{% endfor %}<|assistant|>"
# As the templates of these families print a date, in short.
DATED = {
    "Llama 3.1, 3.2": "{%- if not date_string is defined %}{%- if strftime_now is defined %}"
    "{%- set date_string = strftime_now('%d %b %Y') %}{%- else %}{%- set date_string = '26 Jul 2024' %}{%- endif %}"
    "{%- endif %}{{ 'Today Date: ' + date_string }}",
    "Mistral": "{%- set today = strftime_now('%Y-%m-%d') %}{{ 'The current date is ' + today }}",
    "gpt-oss": "{{ 'Current date: ' + strftime_now('%Y-%m-%d') }}",
    "SmolLM3": "{%- set today = strftime_now('%d %B %Y') -%}{{ 'Today Date: ' ~ today }}",
    "Granite": "{{ \"Today's Date: \" + strftime_now('%B %d, %Y') }}",
    "inside a macro": "{%- macro head() %}{{ strftime_now('%H:%M:%S.%f') }}{% endmacro %}{{ head() }}",
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return AutoTokenizer.from_pretrained(save_model(tmp_path_factory.mktemp("model")))


@pytest.fixture
def dated(tokenizer, monkeypatch):
    def with_template(head):
        monkeypatch.setattr(tokenizer, "chat_template", head + TURN)
        return tokenizer

    return with_template


def at(monkeypatch, *moment):
    class Clock(datetime):
        @classmethod
        def now(cls, tz=None):
            return cls(*moment)

    monkeypatch.setattr(chat_template_utils, "datetime", Clock)


@pytest.mark.parametrize("name", DATED)
def test_no_prompt_depends_on_the_clock(dated, monkeypatch, name):
    tokenizer = dated(DATED[name])
    chat = [{"role": "user", "content": "1 + 1"}]
    rendered, plain = [], []
    for moment in ((2024, 12, 31, 23, 59, 59), (2031, 2, 3, 4, 5, 6)):
        at(monkeypatch, *moment)
        rendered.append((prompt_text(tokenizer, "1 + 1", "Box it."), tuple(prompt_token_ids(tokenizer, "1 + 1", ""))))
        plain.append(tokenizer.apply_chat_template(chat, tokenize=False))
    assert rendered[0] == rendered[1]
    assert plain[0] != plain[1], "the clock was moved"
    assert "2024" in rendered[0][0] or name == "inside a macro"


SPECIAL = ["<|end|>", "<|pad|>", "<|user|>", "<|assistant|>"]


@pytest.mark.parametrize("special", SPECIAL)
def test_special_tokens_in_foreign_text_are_characters(tokenizer, special):
    ids = {token: number for number, token in enumerate(["<|pad|>", "<|end|>", "<|user|>", "<|assistant|>"])}
    text = f"{special}has 3{special}{special} apples.\n{special}"
    own = prompt_token_ids(tokenizer, "has 3 apples.", "")
    found = prompt_token_ids(tokenizer, text, f"Box {special} it.")
    count = lambda token_ids: [number for number in token_ids if number in ids.values()]  # noqa: E731
    assert count(found) == count(own) == [ids["<|user|>"], ids["<|assistant|>"]]
    assert tokenizer.decode(found) == prompt_text(tokenizer, text, f"Box {special} it."), "and no character is lost"
    completion = completion_token_ids(tokenizer, text, finished=True)
    assert count(completion) == [ids["<|end|>"]] and completion[-1] == ids["<|end|>"]
    assert tokenizer.decode(completion[:-1]) == text


def test_text_without_special_tokens_is_tokenised_as_before(tokenizer):
    for row in problem_rows(30):
        text = prompt_text(tokenizer, row["problem"], "Box it.")
        whole = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert prompt_token_ids(tokenizer, row["problem"], "Box it.") == whole
        answer = tokenizer(row["problem"], add_special_tokens=False)["input_ids"]
        assert completion_token_ids(tokenizer, row["problem"], finished=False) == answer


def test_a_special_token_changes_only_itself(tokenizer):
    """Around a foreign special token the tokens are those of the text around it, merged with the template as ever."""
    one = prompt_token_ids(tokenizer, "Tom has 3 apples. Why <|end|> now?", "")
    two = prompt_token_ids(tokenizer, "Tom has 3 apples. Why", "")
    shared = next(index for index, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1])
    assert tokenizer.decode(two[:shared]) == "<|user|>Tom has 3 apples. Why"
    assert one[-3:] == prompt_token_ids(tokenizer, "Why now?", "")[-3:]
