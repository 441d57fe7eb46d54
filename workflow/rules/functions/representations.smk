"""What the rules of the hidden states are given."""


def collection_cfg():
    """Return what the hidden states depend on."""
    representations = plain(CONFIG.representations)
    keys = ("tokens", "sequence_tokens", "prompts", "prompt_pooling", "precision", "tokens_per_batch")
    return {"prompt_suffix": CONFIG.prompt_suffix, **{key: representations[key] for key in keys}}
