"""The report page: its numbers, links, marks and looks."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from browser import CHROMIUM, browser

from lib.data.catalogue import describe
from lib.training.experiments import resolve, run_hash
from lib.metrics import METRICS
from lib.paths import REPO
from lib.provenance import code_hash
from lib.report import html, page_tables as tables
from lib.report.anchors import cell_anchor, made_anchor
from lib.report.entries import notebook_of
from lib.results.images import store_images
from lib.papers.ledger import read_ledger
from lib.results.numbers import Number, collect, record
from lib.report.thumbnails import embed
from lib.train import code_files
from lib.training.record import settings

CLAIMS = """id,paper,section,claim,verdict_paper,verdict_ours,by_seed,why,seeds,steps,dataset
best-psnr,2dgan,Table 4,C5 has the highest PSNR,fails,contradicted,0: contradicted,C3 has,0,80,faces
skips,2dgan,Table 4,"Skips help, <b>always</b>",holds,reproduced,"0: reproduced, 1: undecided",so,0 1,80,faces
faster,gn_cyclegan,4.2,It trains faster,not testable,not testable,,no time is given,,,
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The committed results of `smoke`, C5 as if trained by today's code, and some claims."""
    folder = tmp_path_factory.mktemp("results") / "smoke"
    shutil.copytree(REPO / "results" / "smoke", folder, ignore=shutil.ignore_patterns(
        "*.pt", "*.safetensors", ".*", "executed", "report", "stamps"))
    (folder / "claims.csv").write_text(CLAIMS)
    for name in ("2dgan_table4_tests", "gn_cyclegan_table3_tests"):
        (folder / "tables" / f"{name}.csv").write_text("metric,C5 minus,established\nAG,C1,no\n")
    path = folder / "runs" / "C5" / "seed0" / "run.json"
    config = resolve("C5", "smoke")
    today = {"config": settings(config), "config_hash": run_hash(config), "status": "complete",
             "code_hash": code_hash(code_files(config.experiment.recipe))}
    path.write_text(json.dumps(json.loads(path.read_text()) | today))
    other = folder / "runs" / "C1" / "seed0" / "run.json"
    other.write_text(json.dumps(json.loads(other.read_text()) | {"code_hash": "0" * 64}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IR_RESULTS", str(folder.parent))
        patch.delenv("IR_DATA", raising=False)  # data that are not here make nothing stale
        yield folder


@pytest.fixture(scope="module")
def page(results):
    return html.write_report("smoke")


@pytest.fixture(scope="module")
def soup(page):
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


@pytest.fixture(scope="module")
def numbers(results):
    return pd.read_csv(results / "numbers.csv", dtype=str, keep_default_na=False)


def cell_of(soup, line):
    return soup.find(id=cell_anchor(line.paper, f"{line.item}/{line.row}/{line.column}"))


def test_shows_each_number_as_numbers_csv_has_it(soup, numbers):
    for line in numbers.itertuples():
        cell = cell_of(soup, line)
        assert f"paper {line.reported}" in cell.stripped_strings
        assert next(cell.find(class_="ours").stripped_strings) == (line.reproduced or "–")
    assert len(soup.find_all("td", class_="number")) == len(numbers) == 217


def test_every_measured_number_leads_to_its_origin(soup, page, numbers):
    """One click to the run, its commit, fingerprint and machine; another to its record."""
    for line in numbers[numbers["reproduced"] != ""].itertuples():
        targets = [soup.find(id=link["href"][1:]) for link in cell_of(soup, line).find_all("a")]
        assert targets
        if line.item == "prose":
            assert all("number" in target["class"] for target in targets)
        elif not line.source:
            assert targets[0]["id"] == made_anchor(line.paper, line.item)
        else:
            records = [target.find("a", string="run.json")["href"] for target in targets]
            assert f"../{line.source}" in records
            for target, link in zip(targets, records, strict=True):
                run = json.loads((page.parent / link).read_text())
                assert all(text in target.get_text() for text in (
                    f"{run['experiment']}, seed {run['seed']}", run["code_commit"],
                    run["data_fingerprint"][:16], run["device"]))


def test_links_and_anchors_are_alive(soup, page):
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))
    for link in soup.find_all("a"):
        href = link["href"]
        if href.startswith("#"):
            assert href[1:] in ids, href
        else:
            assert (page.parent / href.split("#")[0]).is_file(), href


def test_needs_neither_network_nor_scripts(soup, page):
    text = page.read_text(encoding="utf-8")
    assert len(text.encode()) < html.MAX_BYTES
    assert not soup.find_all(["script", "link", "iframe"])
    assert not re.search(r"""(src|href)=["']?(https?:)?//|url\(|@import""", text)
    for image in soup.find_all("img"):  # drawings that are too large stay files beside the page
        source = image["src"]
        assert source.startswith("data:image/") or (page.parent / source).is_file(), source


def test_stale_runs_and_their_numbers_are_marked(soup, numbers):
    assert "up to date" in soup.find(id="run-C5-seed0").get_text()
    assert "code changed since commit" in soup.find(id="run-C1-seed0").get_text()
    for line in numbers[numbers["item"] == "table4"].itertuples():
        marked = "†" in cell_of(soup, line).find(class_="ours").get_text()
        assert marked or line.column != "C1"
        assert not (marked and line.column == "C5")


def test_a_percentage_is_stale_as_what_it_compares(soup, numbers):
    cells = soup.select("td.number")
    stale = {cell["id"] for cell in cells if "†" in cell.find(class_="ours").get_text()}
    prose = [line for line in numbers.itertuples() if line.item == "prose" and line.reproduced]
    assert prose
    for line in prose:
        compared = {cell_anchor(line.paper, cell) for cell in line.source.split(", ")}
        assert (cell_of(soup, line)["id"] in stale) == bool(compared & stale)


def test_several_seeds_have_a_link_each(numbers):
    line = numbers[numbers["item"] == "table4"].iloc[0].to_dict() | {"seeds": "0 1 2"}
    assert tables.origins_of(line) == [(f"seed {k}", f"run-C1-seed{k}") for k in range(3)]
    sound = {"run-C1-seed0": True, "run-C1-seed1": True, "run-C1-seed2": False}
    cell = tables.make_cell(line | {"why": ""}, [], {}, sound)
    assert cell.stale and cell.link == "run-C1-seed0" and len(cell.more) == 3
    cell = tables.make_cell(line | {"why": ""}, [], {}, sound, of_seeds=[7.119, 8, 6.5])
    assert cell.more[0] == ("seed 0: 7.1190", "run-C1-seed0")  # four decimals, as printed
    assert [text for text, _ in cell.more[1:]] == ["seed 1: 8.0000", "seed 2: 6.5000"]


def test_a_number_whose_run_is_gone_is_stale(numbers):
    line = numbers[numbers["item"] == "table4"].iloc[0].to_dict() | {"why": ""}
    cell = tables.make_cell(line, [], {}, {})
    assert cell.stale and not cell.link


def test_figures_ledger_and_claims_are_there(soup, results):
    shown = {link["href"] for link in soup.select("figure > a")}
    assert shown == {f"../figures/{path.name}" for path in (results / "figures").iterdir()}
    for path in (results / "figures").iterdir():
        assert html.caption(path.stem) != path.stem.replace("_", " "), "no caption"
    ledger = read_ledger(results)
    assert len(soup.select(".ledger > details")) == len(ledger)
    claims = soup.find(id="claim-skips")
    assert "Skips help, <b>always</b>" in claims.get_text()  # escaped
    assert [badge.get_text() for badge in claims.find_all(class_="badge")] == [
        "✓ holds", "✓ reproduced"]
    assert "seed 0, 1, 80 steps of training" in claims.get_text()
    assert "Of each seed alone: 0: reproduced, 1: undecided" in claims.get_text()
    assert "Of each seed" not in soup.find(id="claim-best-psnr").get_text()  # there is but one


def test_paired_tests_stand_under_their_table(soup):
    for anchor, name in (("2dgan-table4", "2dgan_table4_tests.csv"),
                         ("gn_cyclegan-table3", "gn_cyclegan_table3_tests.csv")):  # fmt: skip
        tests = soup.find("a", string=name).find_parent("details")
        assert tests.find_previous("h3")["id"] == anchor
        assert tests.find("th", string="established")
    assert not soup.find("summary", string="2dgan_table4_tests.csv")  # not among the extras


def test_ledger_links_to_lines_of_the_repository():
    folder = REPO / "results" / "smoke" / "report"
    for entry in read_ledger(folder):
        path, line = entry["link"].split("#L")
        text = (folder / path).resolve().read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert entry["code"].split("::")[1].split(".")[-1] in text


@pytest.mark.parametrize("line, expected", [
    ({"reproduced": "12.5"}, ("above", "▲ +2.50 (+25 %)")),
    ({"reproduced": "9.81"}, ("below", "▼ −0.19 (−1.9 %)")),
    ({"reproduced": "10.004"}, ("same", "≈ +0.00 (+0.0 %)")),
    ({"reproduced": "11", "ci_low": "9", "ci_high": "13"}, ("same", "≈ +1.00 (+10 %)")),
    ({"reproduced": "11", "ci_low": "10.5", "ci_high": "13"}, ("above", "▲ +1.00 (+10 %)")),
    ({"reproduced": "4", "item": "prose"}, ("below", "▼ −6.00 points")),
    ({"reproduced": ""}, ("missing", "")),
])  # fmt: skip
def test_difference(line, expected):
    given = {"item": "table4", "reported": "10.00", "ci_low": "", "ci_high": "", "sd": ""} | line
    assert tables.difference(given) == expected


def test_without_claims_the_page_says_so_and_is_the_same_each_time(results, page, soup):
    (results / "claims.csv").rename(results / "claims.away")
    try:
        first = html.write_report("smoke").read_bytes()
        assert b"claims were not judged" in first
        assert html.write_report("smoke").read_bytes() == first
    finally:
        (results / "claims.away").rename(results / "claims.csv")
        html.write_report("smoke")


def test_what_is_not_there_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    assert html.main(["smoke"]) == 2
    assert "run ./run_all.sh --profile smoke first" in capsys.readouterr().err
    assert html.main(["smok"]) == 2
    assert "unknown profile 'smok'" in capsys.readouterr().err
    assert not (tmp_path / "smok").exists()


def test_numbers_without_training_name_data_and_code(tmp_path, monkeypatch):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    monkeypatch.delenv("IR_DATA", raising=False)
    data = describe("enhancement", tmp_path)
    metrics = {metric: np.arange(3.0) for metric in METRICS}
    store_images("test", "2dgan", "table3", ["a", "b", "c"], {"OG": metrics}, data, ["lib.metrics"])
    record("test", "2dgan", "table3", [
        Number("Img1.AG", "OG", 1.0, n_images=1, dataset=data.name, why="image b")])
    collect("test")
    soup = BeautifulSoup(html.write_report("test").read_text(), "html.parser")
    origin = soup.find(id=soup.select_one("td.number .ours a")["href"][1:])
    assert data.fingerprint[:16] in origin.get_text() and "stale" not in origin.get_text()
    assert "12_2dgan_table3" in origin.get_text()
    assert origin.find("a", string="2dgan_table3_images.json")
    assert "found no problems" in " ".join(soup.get_text().split())


def test_notebooks_become_pages_that_fetch_nothing(results):
    (results / "executed").mkdir()
    shutil.copy(REPO / "notebooks" / "90_summary.ipynb", results / "executed")
    try:
        [written] = html.write_notebooks("smoke")
        assert html.write_notebooks("smoke") == []  # up to date
        running = json.loads((REPO / "notebooks" / "90_summary.ipynb").read_text())
        running["metadata"]["papermill"] = {"end_time": None}
        (results / "executed" / "02_audit.ipynb").write_text(json.dumps(running))
        assert html.write_notebooks("smoke") == []  # not one that has not ended
        text = written.read_text(encoding="utf-8")
        assert not re.search(r"""(src|href)=["']https?://|https?://cdn""", text)
        folder = results / "report"
        assert [n["name"] for n in html.list_notebooks(folder) if n["html"]] == ["90_summary"]
    finally:
        shutil.rmtree(results / "executed")
        shutil.rmtree(results / "report" / "notebooks")


def test_notebooks_of_tables():
    assert notebook_of("2dgan", "table4") == "13_2dgan_table4"
    assert notebook_of("gn_cyclegan", "table2") == "22_gn_table2"
    assert notebook_of("2dgan", "prose") == ""


def test_thumbnails_keep_to_their_budget(results, tmp_path):
    drawing = tmp_path / "line.svg"
    drawing.write_text('<svg><metadata>x</metadata><path d="M 1.234567 2.5\nL 3 4.999999"/></svg>')
    images = sorted((results / "figures").glob("*.png"))
    small, large = embed([drawing, *images[:3]], 60_000), embed(images[:3], 5_000_000)
    assert sum(map(len, small)) * 3 / 4 < 60_000 < sum(map(len, large))
    assert small[0].startswith("data:image/svg+xml;base64,")
    drawing.write_text(f'<svg><path d="{"L 1.5 2.5 " * 9000}"/></svg>')
    assert embed([drawing, images[0]], 100_000)[0] == ""  # the page links to the file


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_in_a_browser(page, tmp_path):
    """Nothing wider than the screen, text apart from its background, in light and dark."""
    with browser(tmp_path / "profile") as tab:
        for width in (390, 1280):
            for dark in (False, True):
                tab.open(page, width, dark=dark)
                assert tab.evaluate("document.documentElement.scrollWidth") <= width
                assert tab.evaluate("""[...document.querySelectorAll('th[scope=row], .card')]
                    .filter(e => e.scrollWidth > e.clientWidth + 1).length""") == 0
                back, text = (tab.evaluate(f"getComputedStyle(document.body).{name}")
                              for name in ("backgroundColor", "color"))
                assert contrast(back, text) > 7
                for side in ("above", "below", "same"):
                    style = f"getComputedStyle(document.querySelector('.side.{side}'))"
                    assert contrast(tab.evaluate(f"{style}.backgroundColor"),
                                    tab.evaluate(f"{style}.color")) > 4.5
                assert (luminance(back) < 0.1) == dark
                assert tab.evaluate("""Promise.all([...document.images].map(i => {
                    i.loading = 'eager'; return i.decode().then(() => i.naturalWidth > 0)}))
                    .then(all => all.every(Boolean))""")
                shot = tab.screenshot(tmp_path / f"{width}_{'dark' if dark else 'light'}.png")
                assert shot.stat().st_size > 20_000
        tab.open(page, 390)
        tab.evaluate("document.querySelector('td.number .ours a').click()")
        assert tab.evaluate("document.querySelector(':target').getBoundingClientRect().top") < 900


def luminance(colour: str) -> float:
    """Relative luminance of a CSS colour, rgb(r, g, b), as WCAG 2 defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
