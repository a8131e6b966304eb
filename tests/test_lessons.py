"""The lessons: their exercises' solutions run and are right, and all that they link to is there."""

import re

import numpy as np
import pytest

from lib.paths import NOTEBOOKS, REPO
from made_runs import cells_of

LESSONS = ("01_lesson_2dgan", "03_lesson_gn_cyclegan")
SOLUTION = re.compile(r"<details><summary>Solution</summary>.*?```python\n(.*?)```.*?</details>",
                      re.DOTALL)


def solutions(name):
    """Number of the exercise -> the code of its solution."""
    texts = ["".join(cell["source"]) for cell in cells_of(name, "markdown")]
    found = {}
    for text in texts:
        if number := re.match(r"\*\*(\d)\.\*\*", text):
            [found[int(number[1])]] = SOLUTION.findall(text)
    return found


@pytest.fixture(scope="module", params=LESSONS)
def lesson(request, tmp_path_factory):
    """A lesson's name and all that its cells have defined, after a training of two steps."""
    named = {"__name__": "lesson"}
    # embedded images: a lesson must not need a data set
    chosen = {"steps": 2, "data": str(tmp_path_factory.mktemp("nothing"))}
    for cell in cells_of(request.param):
        exec("".join(cell["source"]), named)
        if "parameters" in cell["metadata"].get("tags", []):
            named |= chosen
    return request.param, named


def contrast(it):
    assert it["found"][0.8, 0.9] > it["found"][0.35, 0.6] > it["found"][0.1, 0.2]


def psnr_by_hand(it):
    assert it["by_hand"] == pytest.approx(it["psnr"](it["dull"], it["photograph"]))


def down_block(it):
    assert it["by_hand"] == it["counted"] == 131_328


def tone(it):
    """The affine map of the smallest squared error, found by another way."""
    x, y = (np.ravel(it[name]).astype(float) for name in ("dull", "photograph"))
    left = np.square(np.polyval(np.polyfit(x, y, 1), x) - y).mean()
    assert it["tone_share"] == pytest.approx(1 - left / np.square(x - y).mean())
    assert it["tone_share"] > 0.5


def no_penalty(it):
    assert it["penalty"].item() == pytest.approx(0, abs=1e-6)


def pulls(it):
    assert it["pull"]["mse"] > 3 * it["pull"]["adversarial"] > 0


def bounded(it):
    assert it["plain_slope"] > 10 * it["bounded_slope"]
    assert it["bounded_slope"] <= 1 and it["largest_score"] <= 1


def no_cycle_loss(it):
    assert it["cycle_loss"].item() == 0


def squares(it):
    one, other = it["scores"]["eq2"]
    assert one == pytest.approx(-other) and one != 0
    assert it["scores"]["eq3"] == pytest.approx([one**2] * 2)


def field(it):
    assert it["field"] == it["seen"] == 70


def patch_or_mean(it):
    assert 40 < it["by_mean"] / it["by_patch"] < 100  # 196 if |f| did not stand below the line


CHECKS = {
    "01_lesson_2dgan": [contrast, psnr_by_hand, down_block, tone, no_penalty, pulls],
    "03_lesson_gn_cyclegan": [bounded, no_cycle_loss, squares, field, patch_or_mean],
}


def test_the_solutions_run_and_are_right(lesson):
    name, named = lesson
    found = solutions(name)
    assert list(found) == list(range(1, len(CHECKS[name]) + 1))
    for code, check in zip(found.values(), CHECKS[name], strict=True):
        after = dict(named)  # each by itself, as a reader may skip any
        exec(code, after)
        check(after)


def test_a_lesson_trains(lesson):
    """Each curve has a value a step, and what is shown as before and after differs."""
    name, named = lesson
    assert {len(values) for values in named["curve"].values.values()} == {2}
    if name == "01_lesson_2dgan":
        assert not np.array_equal(named["before"], named["after"])
    else:
        assert not named["there"].equal(named["there_before"])


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_the_top_of_a_notebook_tells_its_time_and_links_to_what_it_is_about(path):
    text = "".join(cells_of(path.stem, "markdown")[0]["source"])
    told = re.search(r"\*\*Time\*\*: about \d+ minutes to read.*\b(run|ran)\b", text, re.DOTALL)
    assert told, text
    assert re.search(r"\]\(\w+_lesson_\w+\.ipynb\)", text), text
    if path.stem not in LESSONS:  # these link to it above every equation
        assert re.search(r"\]\(\.\./lib/[\w/.]+\)", text), text


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.*")), ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".ipynb":  # in code, [0](x) is no link
        text = "\n".join("".join(cell["source"]) for cell in cells_of(path.stem, "markdown"))
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in link:
            file, _, anchor = link.partition("#")
            found = (path.parent / file).resolve() if file else path
            assert found.exists() and found.is_relative_to(REPO), link
            if anchor:
                headings = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.MULTILINE)
                assert anchor in [heading.lower().replace(" ", "-") for heading in headings], link
