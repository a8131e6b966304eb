"""The house as a whole: imports run downward, and what is named in words is there."""

import re
import subprocess
import sys

import pytest

from lib.paths import REPO


def test_imports_run_downward():
    """The layers are listed in pyproject.toml; a new room has to find its place there."""
    from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

    assert lint_imports(str(REPO / "pyproject.toml"), no_cache=True) == EXIT_STATUS_SUCCESS


def test_an_upward_import_is_caught(tmp_path):
    """The check above can fail: one import in the wrong direction breaks it."""
    import shutil

    shutil.copytree(REPO / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPO / "pyproject.toml", tmp_path)
    with open(tmp_path / "lib" / "metrics" / "psnr.py", "a") as stream:
        stream.write("\nfrom lib.training import engine\n")
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports; "
               "raise SystemExit(lint_imports('pyproject.toml', no_cache=True))"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True,
                           env={"PYTHONPATH": str(tmp_path), "PATH": ""})
    assert found.returncode != 0 and "lib.metrics.psnr -> lib.training" in found.stdout


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "data/README.md"])
def test_places_that_are_named_are_there(name):
    text = (REPO / name).read_text(encoding="utf-8")
    places = re.findall(r"`((?:lib|tests|data|notebooks)/[\w./]+)`", text)
    places += [m.replace(".", "/") for m in re.findall(r"python -m (lib[\w.]+)", text)]
    assert places
    examples = {"NAME.py", "NAME.csv", "PAPER.csv"}
    for place in places:
        if place.rpartition("/")[2] not in examples:
            found = REPO / place
            assert found.exists() or found.with_suffix(".py").exists(), f"{name} names {place}"
