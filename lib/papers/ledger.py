"""The ledger of deviations with their places in the code."""

import ast

import yaml

from lib.paths import REPO


def read_ledger() -> list[dict]:
    """The ledger of deviations; each entry with the `line` of the definition it is about."""
    text = (REPO / "data" / "deviations.yaml").read_text(encoding="utf-8")
    return [entry | {"line": _line(*entry["code"].split("::"))} for entry in yaml.safe_load(text)]


def _line(file: str, name: str) -> int:
    scope = ast.parse((REPO / file).read_text(encoding="utf-8"))
    for part in name.split("."):
        scope = next(node for node in scope.body if getattr(node, "name", None) == part)
    return scope.lineno
