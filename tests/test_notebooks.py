"""The notebooks as files: parameters, opening, closing, no stored outputs but the checked ones."""

import importlib.util
import json
import re
import runpy
from importlib.metadata import version

import pytest

from lib.paths import NOTEBOOKS, profile_to_show

ALL = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture(params=ALL, ids=lambda path: path.stem)
def cells(request):
    return json.loads(request.param.read_text(encoding="utf-8"))["cells"]


def source(cell):
    return "".join(cell["source"])


def test_opens_with_a_title_and_compares_with_the_paper(cells):
    assert cells[0]["cell_type"] == "markdown" and source(cells[0]).startswith("# ")
    headings = [source(cell) for cell in cells if cell["cell_type"] == "markdown"]
    assert any("## Paper against ours" in text for text in headings)


def test_has_one_parameters_cell_for_papermill(cells):
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    assert len(tagged) == 1
    assert all(f"{name} = " in source(tagged[0]) for name in ("profile", "data", "device"))


def test_stores_outputs_only_where_nbval_compares_them(cells):
    for cell in cells:
        if cell["cell_type"] == "code":
            checked = "NBVAL_CHECK_OUTPUT" in source(cell)
            assert bool(cell["outputs"]) == checked, source(cell)
            assert bool(cell["execution_count"]) == checked, source(cell)  # else nbval refuses it


def test_is_thin(cells):
    """No classes, and cells that fit on a screen: what is longer belongs into lib/."""
    for cell in cells:
        if cell["cell_type"] == "code":
            assert not re.search(r"^\s*class \w+", source(cell), re.MULTILINE)
            assert len(source(cell).splitlines()) <= 25


def test_first_code_cell_is_colabs_and_does_nothing_here(cells, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "google.colab" in source(cells[1]) and source(cells[1]) == source(
        json.loads(ALL[0].read_text(encoding="utf-8"))["cells"][1])
    exec(source(cells[1]), {"get_ipython": None})
    assert not list(tmp_path.iterdir())


def test_colab_gets_what_lib_imports_and_it_lacks(monkeypatch):
    script = runpy.run_path(str(NOTEBOOKS / "colab.py"))
    assert script["missing"]() == []
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec",
                        lambda name: find(name) if name not in ("flyr", "pooch") else None)
    assert [line.split("==")[0] for line in script["missing"]()] == ["flyr", "pooch"]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert f"numpy=={version('numpy')}" in script["missing"]()  # of two pins that of this Python


def test_a_notebook_shows_what_is_there(tmp_path, monkeypatch):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    monkeypatch.delenv("IR_PROFILE", raising=False)
    assert profile_to_show() == "smoke"
    (tmp_path / "published/laptop/runs").mkdir(parents=True)
    assert profile_to_show() == "laptop"
    (tmp_path / "smoke/runs").mkdir(parents=True)
    assert profile_to_show() == "smoke"
    monkeypatch.setenv("IR_PROFILE", "test")
    assert profile_to_show() == "test"
