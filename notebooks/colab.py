"""Install what lib/ imports and Google Colab lacks, as pinned, leaving Colab's own packages alone.

Called by the first cell of each notebook, there only.
"""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

REPO = Path(__file__).resolve().parent.parent


def missing() -> list[str]:
    """Lines of requirements.txt for the packages that lib/ imports and that are not here."""
    wanted = set()
    for path in (REPO / "lib").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                wanted |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                wanted.add(node.module.split(".")[0])
    lines = (REPO / "requirements.txt").read_text(encoding="utf-8").splitlines()
    texts = filter(None, (line.split("#")[0].strip() for line in lines))
    needed = [one for one in map(Requirement, texts) if not one.marker or one.marker.evaluate()]
    pins = {one.name.replace("-", "_"): f"{one.name}{one.specifier}" for one in needed}
    return sorted(pin for name, pin in pins.items()
                  if name in wanted and importlib.util.find_spec(name) is None)  # fmt: skip


if __name__ == "__main__":
    if packages := missing():
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", *packages], check=True)
