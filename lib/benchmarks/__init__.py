"""How fast, how dear and how good: command lines that measure on this machine."""

import sys
from collections.abc import Callable, Sequence

from lib.networks.weights import PretrainedUnavailable
from lib.printing import whole

positive = whole(1, 99_999)  # an argument that is a number of something


def in_one_line(main: Callable[..., int]) -> Callable[..., int]:
    """A command's `main` that tells of what is wrong in one line and then returns 2."""

    def answering(arguments: Sequence[str] | None = None) -> int:
        try:
            return main(arguments)
        except (ValueError, OSError, PretrainedUnavailable) as problem:
            print(f"error: {problem}", file=sys.stderr)
            return 2

    return answering
