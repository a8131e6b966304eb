"""Code of lib/ as a notebook shows it: the code that runs, so that text and code cannot drift."""

import inspect
import textwrap

from IPython.display import Code


class FixedWidth(Code):
    """Code in a font of one width: Jupyter's pages give HTML that of their text."""

    def _repr_html_(self) -> str:
        style = "font-family: monospace; font-size: 13px"
        return super()._repr_html_().replace("<pre>", f'<pre style="{style}">')


def source(*things) -> Code:
    """The source of functions or classes, one after the other, in colour."""
    parts = (textwrap.dedent(inspect.getsource(one)) for one in things)
    return FixedWidth("\n\n".join(parts), language="python")
