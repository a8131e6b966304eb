"""Code of lib/ as a notebook shows it: the code that runs, so that text and code cannot drift."""

import inspect
import textwrap

from IPython.display import Code


def source(*things) -> Code:
    """The source of functions or classes, one after the other, in colour."""
    parts = (textwrap.dedent(inspect.getsource(one)) for one in things)
    return Code("\n\n".join(parts), language="python")
