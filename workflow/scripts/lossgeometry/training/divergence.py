"""How far a policy is from the base, while it is trained."""

from collections.abc import Iterable

import torch
from peft import PeftModel

from lossgeometry.forward.head import logits_after

LOGITS_AT_ONCE = 1 << 22
"""Most logits (tokens x vocabulary) made at a time; a few arrays of float64 of this size are held."""

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Token ids, attention mask and completion mask of teacher-forced sequences, (rows, length) each."""


def is_due(step: int, last: int) -> bool:
    """Return whether the divergence is measured after a step: after 4, 16, 64 and so on, and after the last.

    A measurement takes most of a step's arithmetic, and so few of them are a small part of a run of any length.
    """
    return step == last or (step > 1 and step == 4 ** (step.bit_length() // 2))


@torch.no_grad()
def divergence_from_base(model: PeftModel, batches: Iterable[Batch]) -> tuple[float, int]:
    """Return the sum over completion tokens of KL(policy || base) in nats, over the whole vocabulary, and their number.

    The policy is the model with its adapter, the base the model without; sums over the vocabulary are in float64.
    """
    base = model.get_base_model()
    training = model.training
    model.eval()  # dropout would draw random numbers that training has to find
    chunk = max(1, LOGITS_AT_ONCE // base.get_output_embeddings().weight.shape[0])
    total, tokens = 0.0, 0
    for ids, attended, completion in batches:
        before = completion[:, 1:].bool()  # the state before a token is what predicts it

        def states(ids=ids, attended=attended, before=before) -> torch.Tensor:
            hidden = base.get_decoder()(input_ids=ids, attention_mask=attended, use_cache=False).last_hidden_state
            return hidden[:, :-1][before]

        policy = states()
        with model.disable_adapter():
            reference = states()
        for here, there in zip(policy.split(chunk), reference.split(chunk), strict=True):
            log_p = _log_distribution(base, here)
            with model.disable_adapter():
                log_q = _log_distribution(base, there)
            total += float((log_p.exp() * (log_p - log_q)).masked_fill(log_p.isneginf(), 0.0).sum())
        tokens += len(policy)
    model.train(training)
    return total, tokens


def _log_distribution(base: torch.nn.Module, states: torch.Tensor) -> torch.Tensor:
    return logits_after(base, states[:, None])[:, 0].double().log_softmax(dim=-1)
