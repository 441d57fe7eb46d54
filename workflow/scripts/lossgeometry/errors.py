"""Errors that carry one sentence for the user; everything else keeps its traceback."""


class InputError(Exception):
    """An input that the job cannot use; the message is one sentence that says what is wrong and what to do."""


class DamagedInput(Exception):
    """An input that is not whole; the message is one sentence that names the file and the cure."""


class CannotWrite(RuntimeError):
    """The results folder cannot be written; the message is one sentence that names the cure."""


class SecondWriter(RuntimeError):
    """Another process holds the lock, or took it over; the message is one sentence."""


class ConfigError(ValueError):
    """A configuration that cannot run; the message is one sentence that names the key and the cure."""


class ChangedCode(Exception):
    """Code that is no longer what it was when a job was planned; the message is one sentence that names it and the cure."""
