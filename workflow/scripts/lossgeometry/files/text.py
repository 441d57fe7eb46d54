"""Text from models and strangers."""


def well_formed(text: str) -> str:
    """Return the text with each lone surrogate replaced by U+FFFD: neither UTF-8 nor a tokenizer can hold one."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
