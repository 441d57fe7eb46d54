"""What ends a run though the endpoint answers: too many requests without an answer, and reasoning that nobody asked for."""

from lossgeometry.generation.endpoint.answers import Answer


def too_many_left_out(lost: int, total: int, limit: float, example: str) -> str:
    """Return the sentence for a run that too many requests of stay without an answer."""
    return (
        f"{lost} of {total} requests have no usable answer, such as {example}; change rollouts.sampling or the prompts, or "
        f"raise rollouts.engine.max_refused ({limit:g}); the answers so far are kept"
    )


def unwanted_reasoning(answer: Answer, setting: str) -> str:
    """Return the sentence for reasoning that contradicts `engine.reasoning`; empty where it does not."""
    if setting == "refuse" and (answer.reasoning or answer.reasoning_tokens):
        return (
            "the endpoint returned reasoning beside its answer; say what becomes of it in rollouts.engine.reasoning (keep or "
            "drop; the answers so far are kept), or turn it off in rollouts.engine.body, as the endpoint documents it"
        )
    if setting == "keep" and answer.reasoning_tokens and not answer.reasoning:
        return (
            f"the endpoint bills reasoning ({answer.reasoning_tokens} tokens) and does not show it; set "
            "rollouts.engine.reasoning to drop, or choose a teacher that shows it"
        )
    return ""


def whole_completion(answer: Answer, setting: str, template: str) -> str:
    """Return the text that is trained on: the answer, with its reasoning by the template where that is kept.

    A completion that was cut in its reasoning ends with the reasoning.
    """
    if setting != "keep" or not answer.reasoning:
        return answer.content
    before, _, rest = template.partition("{reasoning}")
    between, _, after = rest.partition("{answer}")
    if answer.finish_reason == "length" and not answer.content:
        return before + answer.reasoning
    return before + answer.reasoning + between + answer.content + after
