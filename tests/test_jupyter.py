"""A lesson and the playground in JupyterLab, in headless Chromium: all cells run, sliders work."""

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from urllib.request import urlopen

import pytest
from browser import CHROMIUM, browser

from lib.paths import NOTEBOOKS, REPO
from made_runs import cells_of

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium"),
    pytest.mark.skipif(not os.environ.get("IR_JUPYTER"), reason="takes minutes: set IR_JUPYTER=1"),
]
WIDTH, HEIGHT = 1000, 1400
CELLS = """[...document.querySelectorAll('.jp-Notebook .jp-CodeCell')].map(cell => ({
    prompt: cell.querySelector('.jp-InputPrompt').textContent,
    failed: !!cell.querySelector('[data-mime-type="application/vnd.jupyter.error"], .jp-mod-error'),
}))"""


@contextmanager
def jupyterlab(folder):
    """JupyterLab on copies of the notebooks in `folder`; yields its address. It sees no settings of
    the user's, and ends with the test."""
    notebooks, home = folder / "notebooks", folder / "home"
    shutil.copytree(NOTEBOOKS, notebooks, ignore=shutil.ignore_patterns(".*"))
    told = folder / "jupyter.txt"
    variables = os.environ | {
        "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config"), "PYTHONPATH": str(REPO),
        "JUPYTER_DATA_DIR": str(home / "data"), "JUPYTER_RUNTIME_DIR": str(home / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"), "IR_PROFILE": "test",
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"),
        "IR_RESULTS": str(folder / "results"),
    }
    with open(told, "w") as output:
        server = subprocess.Popen(
            [sys.executable, "-P", "-m", "jupyterlab", "--no-browser", "--port=0", "--allow-root",
             "--IdentityProvider.token=", "--ServerApp.password=", "--ip=127.0.0.1",
             f"--ServerApp.root_dir={notebooks}", "--LabApp.news_url="],
            env=variables, stdout=output, stderr=output)
    try:
        for _ in range(1200):
            found = list((home / "runtime").glob("jpserver-*.json"))
            with suppress(OSError, ValueError):  # its file is there before it listens
                address = json.loads(found[0].read_text())["url"] if found else ""
                if address and urlopen(f"{address}api", timeout=60).status == 200:
                    break
            assert server.poll() is None, told.read_text()
            time.sleep(0.1)
        else:
            raise TimeoutError(told.read_text())
        yield address
    finally:
        server.terminate()
        server.wait(timeout=60)


def wait(page, expression, seconds, what):
    """Until a JavaScript expression is true; returns its value."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := page.evaluate(expression):
            return found
        time.sleep(0.5)
    page.screenshot(page.shots / "timeout.png")
    raise TimeoutError(f"{what}; see {page.shots / 'timeout.png'}")


def run_all(page, address, name, seconds):
    """Open a notebook and run all its cells. Fails where one does."""
    page.call("Emulation.setDeviceMetricsOverride", width=WIDTH, height=HEIGHT,
              deviceScaleFactor=1, mobile=False)
    page.call("Page.navigate", url=f"{address}lab/tree/{name}.ipynb?reset")
    wait(page, "!!document.querySelector('.jp-Notebook .jp-CodeCell')", 90, f"{name} did not open")
    title = "document.querySelector('.jp-Notebook .jp-Cell').getBoundingClientRect()"
    click(page, *page.evaluate(f"[{title}.x + {title}.width / 2, {title}.y + 20]"))
    # of a notebook that has the focus; before, "Run All Cells" would ask which kernel to take
    ready = "document.querySelector('#jp-main-statusbar').textContent.includes('| Idle')"
    wait(page, ready, 90, "no kernel")
    menu(page, "Run", "Run All Cells")
    done = f"""({CELLS}).length == {len(cells_of(name))} && {ready}
        && ({CELLS}).every(cell => /^$|\\[\\d+\\]/.test(cell.prompt))"""  # folded away: none
    broken = f"({CELLS}).some(cell => cell.failed)"
    wait(page, f"({done}) || ({broken})", seconds, f"{name} did not end")
    assert not page.evaluate(broken), f"a cell of {name} fails"


def menu(page, name, item):
    """Choose an item of a menu, with the mouse."""
    for kind, text in (("lm-MenuBar-itemLabel", name), ("lm-Menu-itemLabel", item)):
        place = wait(page, f"""(() => {{ const it = [...document.querySelectorAll('.{kind}')]
            .find(e => e.textContent == '{text}'); if (!it) return null;
            const box = it.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2]; }})()""", 30, f"no menu {text}")
        click(page, *place)


def click(page, x, y):
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    for kind in ("mousePressed", "mouseReleased"):
        page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jupyter")
    with jupyterlab(folder) as address:
        yield folder, address


@pytest.fixture
def page(lab, tmp_path):
    """A new browser for each test: a page with changes asks before it is left."""
    with browser(tmp_path / "chromium") as page:
        page.connection.settimeout(120)
        page.shots = lab[0]
        yield page


def test_a_lesson_runs_and_shows_its_pictures(lab, page):
    _, address = lab
    run_all(page, address, "01_lesson_2dgan", 170)
    assert page.evaluate("document.querySelectorAll('.jp-OutputArea img').length") > 0
    assert page.evaluate("document.querySelectorAll('.jp-MarkdownOutput mjx-container').length") > 0
    page.screenshot(page.shots / "lesson.png")


def test_moving_a_slider_of_the_playground_changes_its_picture(lab, page):
    _, address = lab
    run_all(page, address, "04_playground", 170)
    panel = "document.querySelector('.jp-OutputArea .widget-vbox')"
    wait(page, f"!!{panel}?.querySelector('img')", 60, "no picture")
    page.evaluate(f"{panel}.scrollIntoView()")
    before = page.evaluate(f"{panel}.querySelector('img').src")
    x, y = page.evaluate(f"""(() => {{
        const bar = {panel}.querySelector('.noUi-base').getBoundingClientRect();
        return [bar.x + bar.width * 0.9, bar.y + bar.height / 2]; }})()""")
    click(page, x, y)
    wait(page, f"{panel}.querySelector('img').src != '{before}'", 60, "the picture stayed the same")
    page.screenshot(page.shots / "playground.png")
