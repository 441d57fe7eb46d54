"""Entry point of the command `lossgeometry`: its subcommands, and how it ends."""

import argparse
import os
import sys
from collections.abc import Sequence

from lossgeometry.command import behaviour, compare, edit, path, show
from lossgeometry.errors import CannotWrite, ConfigError, DamagedInput, InputError
from lossgeometry.files.text import printable
from lossgeometry.script import THREAD_VARIABLES, keep_freed_memory

SUBCOMMANDS = {"compare": compare, "show": show, "path": path, "edit": edit, "behaviour": behaviour}
INTERRUPTED, PIPE_CLOSED = 130, 141
"""Exit codes as shells give them for the signals INT and PIPE."""


def main(argv: Sequence[str]) -> int:
    """Run one subcommand and return the exit code: 1 for an input that cannot be used, with one sentence on stderr."""
    options = _parser().parse_args(argv or ["--help"])
    # Small products, one after another: threads only get in each other's way. Whole weight matrices are large ones.
    threads = len(os.sched_getaffinity(0)) if getattr(options, "base", None) else 1
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, str(threads))
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        SUBCOMMANDS[options.subcommand].run(options)
        # Here, and not when the process ends: a reader who left, or a full disk, is noticed.
        sys.stdout.flush()
    except (InputError, DamagedInput, CannotWrite, ConfigError) as error:
        return _failed(str(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return PIPE_CLOSED
    except KeyboardInterrupt:
        print("interrupted; what was complete is kept", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        if error.filename is None:  # what could not be written must not be tried again when the process ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _failed(f"{error.filename or 'standard output'}: {error.strerror or error}")
    return 0


def _failed(sentence: str) -> int:
    print(printable(f"error: {sentence}"), file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    text = "Compare what adapters, or full fine-tunes, did to the weights of their base model."
    parser = argparse.ArgumentParser(prog="lossgeometry", description=text)
    subparsers = parser.add_subparsers(dest="subcommand", required=True)
    for name, module in SUBCOMMANDS.items():
        summary = (module.__doc__ or "").partition("\n")[0]
        subparser = subparsers.add_parser(
            name,
            help=summary[0].lower() + summary[1:].rstrip("."),
            description=summary,
            epilog=f"example:\n  {module.EXAMPLE}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.add_arguments(subparser)
    return parser


def run() -> None:
    """Run the command as a process of its own."""
    keep_freed_memory()
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    run()
