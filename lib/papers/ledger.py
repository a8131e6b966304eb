"""The ledger of deviations with links into the code."""

import ast
import os
from pathlib import Path

import yaml

from lib.paths import REPO


def read_ledger(folder: Path) -> list[dict]:
    """The ledger of deviations; each entry with a link from `folder` to the line it is about."""
    text = (REPO / "data" / "deviations.yaml").read_text(encoding="utf-8")
    return [entry | {"link": _code_link(entry["code"], folder)} for entry in yaml.safe_load(text)]


def _code_link(code: str, folder: Path) -> str:
    """file::name as a relative link to the line; empty for a `folder` outside the repository."""
    file, _, name = code.partition("::")
    if not folder.is_relative_to(REPO):
        return ""
    scope = ast.parse((REPO / file).read_text(encoding="utf-8"))
    for part in name.split("."):
        scope = next(node for node in scope.body if getattr(node, "name", None) == part)
    return f"{os.path.relpath(REPO / file, folder)}#L{scope.lineno}"
