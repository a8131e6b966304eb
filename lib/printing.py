"""Times, lists and lines as they are printed; numbers as they are typed."""

import sys
from argparse import ArgumentTypeError
from collections.abc import Callable, Sequence
from contextlib import suppress


def clock(seconds: float | None) -> str:
    """Seconds as 0:04, 12:30 or 2:05:00; "unknown" for None."""
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def first_few(told: Sequence[str], between: str = ", ") -> str:
    """At most three of what there is to tell, and how many more there are."""
    return between.join(told[:3]) + (f" and {len(told) - 3} more" if len(told) > 3 else "")


def whole(least: int, most: int) -> Callable[[str], int]:
    """The `type` of an argument of a command that is a whole number within bounds."""

    def number(text: str) -> int:
        with suppress(ValueError):
            if least <= int(text) <= most:
                return int(text)
        raise ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")

    return number


def say(line: str) -> None:
    """Print a line in one piece: `print` writes its end apart where output is not buffered
    (PYTHONUNBUFFERED), and the lines of two jobs meet. What of a file's name the terminal cannot
    show is escaped, as on stderr."""
    code = sys.stdout.encoding or "utf-8"
    sys.stdout.write(f"{line}\n".encode(code, "backslashreplace").decode(code))
    sys.stdout.flush()
