"""How fast, how dear and how good: command lines that measure on this machine."""

import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence

from lib.networks.weights import PretrainedUnavailable


def in_one_line(main: Callable[..., int]) -> Callable[..., int]:
    """A command's `main` that tells of what is wrong in one line and then returns 2."""

    def answering(arguments: Sequence[str] | None = None) -> int:
        try:
            return main(arguments)
        except (ValueError, OSError, PretrainedUnavailable) as problem:
            print(f"error: {problem}", file=sys.stderr)
            return 2

    return answering


def positive(text: str) -> int:
    """An argument that is a number of something."""
    if not (text.isdecimal() and 0 < int(text) < 100_000):
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)
