"""The report page: its numbers, links, marks and looks."""

import json
import re
import shutil

import pandas as pd
import pytest
from browser import CHROMIUM, browser
from bs4 import BeautifulSoup
from PIL import Image

from lib.files import sha256
from lib.papers.ledger import read_ledger
from lib.paths import REPO
from lib.report import evidence, html, page_tables, wording
from lib.report.argument import comparison
from lib.report.wording import cell_anchor
from lib.results import complexity, numbers
from lib.results.claims import BELOW, COLUMNS, load
from lib.results.compare import as_text, differences, method_means, store_table
from lib.results.runs import find_runs, number, table_numbers
from lib.results.tables import NOTEBOOKS, TABLES, notebook_of
from lib.running.job import Job
from lib.training.run import run
from made_runs import cells_of, quiet

HOSTILE = """<script>alert("x")</script> & <img src=x onerror='y'>"""
CLAIMS = pd.DataFrame([
    {"id": "best", "paper": "2dgan", "section": "Table 3", "claim": "Ours has the highest PSNR",
     "verdict_paper": "fails", "verdict_ours": "contradicted", "by_seed": "0: contradicted",
     "why": "1 of 2 fail: table3/Img1.PSNR/Ours 1 is not above table3/Img1.PSNR/HE 2 "
            "[difference -1.5 to -0.5] (one seed: true of these networks, training again may "
            "differ)",
     "seeds": "0", "steps": "20", "dataset": "faces"},
    {"id": "skips", "paper": "2dgan", "section": "Table 4", "claim": f"Skips help, {HOSTILE}",
     "verdict_paper": "holds", "verdict_ours": "not seen", "trained": "0.2 of 101 epochs",
     "by_seed": "0: seen, 1: undecided", "why": HOSTILE, "seeds": "0 1", "steps": "80",
     "dataset": HOSTILE, "to_reference": "seen", "extension": HOSTILE},
    {"id": "fitted", "paper": "2dgan", "section": "Table 2", "claim": "It has 12 M parameters",
     "verdict_paper": "holds", "verdict_ours": "seen", "why": "", "circular": "chosen to fit"},
    {"id": "faster", "paper": "gn_cyclegan", "section": "4.2", "claim": "It trains faster",
     "verdict_paper": "not testable", "verdict_ours": "not testable", "why": "no time is given"},
], columns=COLUMNS)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Results of the profile `test` on the embedded data: real runs, some of each kind of number.

    2D-GAN's Table 3 has four of its columns, one of them trained twice, one of a stale run. A run
    that no number rests on is stale as well, the record of another holds hostile text.
    """
    folder = tmp_path_factory.mktemp("results") / "test"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IR_RESULTS", str(folder.parent))
        patch.setenv("IR_DATA", str(tmp_path_factory.mktemp("no data")))
        for name, seed in (
            ("Input", 0), ("HE", 0), ("CLAHE", 0), ("TIECNN", 0), ("TIECNN", 1),
            ("visible-FLIR", 0), ("unet_128-FLIR", 0), ("resnet_9blocks-FLIR", 0),
            ("CBAM_CycleGAN-FLIR", 0), ("GN_CycleGAN-FLIR", 0),
        ):
            run(name, "test", seed, report=quiet)
        make_tables(folder)
        change(folder, "HE", lambda known: known["trained_by"].update(code="0" * 16))
        change(folder, "visible-FLIR", lambda known: known["evaluated_by"].update(code="0" * 16))
        change(folder, "Input", lambda known: known.update(device=HOSTILE, code_commit=HOSTILE))
        yield folder


def make_tables(folder):
    """Numbers, tests, a further table, claims and figures, as the notebooks make them."""
    table = TABLES["2dgan", "table3"]
    runs = find_runs("test", ["Input", "HE", "CLAHE"], [0]) | find_runs("test", ["TIECNN"], [0, 1])
    measured = [number(printed, cell, runs[cell.experiment])
                for printed, cell in table.cells.items() if cell.experiment in runs]
    numbers.record("test", "2dgan", "table3", measured)
    time = numbers.Number("Generator", complexity.TIMES, 4.0, dataset=HOSTILE, why=HOSTILE)
    numbers.record("test", "2dgan", "table2", [*complexity.counted_numbers(), time])
    table = TABLES["gn_cyclegan", "table3"]
    runs = find_runs("test", table.experiments, [0])
    numbers.record("test", "gn_cyclegan", "table3", table_numbers(table, runs))
    numbers.collect("test")
    others = {name: of_seeds for name, of_seeds in runs.items() if name != "GN_CycleGAN-FLIR"}
    found = as_text(differences(runs["GN_CycleGAN-FLIR"], others, ["PSNR"]))
    store_table(found, "test", "gn_cyclegan_table3_tests")
    store_table(found.rename(columns={"p": HOSTILE}), "test", "2dgan_table3_tests_prose")
    means = method_means({HOSTILE: runs["unet_128-FLIR"]}, ["PSNR"]).assign(why="long" * 50)
    store_table(means, "test", "2dgan_table3_all_test_images")
    CLAIMS.to_csv(folder / "claims.csv", index=False)
    (folder / "figures").mkdir()
    for name in ("2dgan_fig10", "2dgan_fig9", "gn_of_our_own"):
        Image.new("L", (640, 200), 90).save(folder / "figures" / f"{name}.png")
    (folder / "figures" / "gn_fig6.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 4"><path d="M 0 0 L 9 4"/></svg>')


def change(results, experiment, alter):
    """Alter the record of a run."""
    path = results / "runs" / experiment / "seed0" / "run.json"
    known = json.loads(path.read_text())
    alter(known)
    path.write_text(json.dumps(known))


@pytest.fixture
def copied(results, tmp_path, monkeypatch):
    """The same results, to be damaged."""
    shutil.copytree(results, tmp_path / "test")
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    return tmp_path / "test"


@pytest.fixture(scope="module")
def page(results):
    return html.write_report("test")


@pytest.fixture
def full_page(copied):
    """The longest page there can be: every number is there, of three seeds, every claim judged, and
    the figures that are shown are large. None of it means anything."""
    frame = pd.read_csv(copied / "numbers.csv", dtype=str, keep_default_na=False)
    made = {"reproduced": frame["reported"], "ci_low": frame["reported"] + "1",
            "ci_high": frame["reported"] + "9", "seeds": "0 1 2", "n_images": "200",
            "dataset": "RoadScene (FLIR)"}
    for name, values in made.items():
        frame[name] = frame[name].where(frame["item"] == "prose", values)
    frame.to_csv(copied / "numbers.csv", index=False, lineterminator="\n")
    judged = {"verdict_paper": "not testable", "verdict_ours": BELOW, "why": "x", "extension": "x"}
    claims = pd.DataFrame([claim | judged for claim in load()]).reindex(columns=COLUMNS)
    claims.to_csv(copied / "claims.csv", index=False, lineterminator="\n")
    for name in html.SHOWN_FIRST:
        Image.new("L", (2160, 2160), 90).save(copied / "figures" / f"{name}.png")
    return html.write_report("test")


@pytest.fixture(scope="module")
def soup(page):
    return read(page)


@pytest.fixture(scope="module")
def lines(results):
    frame = pd.read_csv(results / "numbers.csv", dtype=str, keep_default_na=False)
    return list(frame.itertuples())


def read(page):
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def cell_of(soup, line):
    return soup.find(id=cell_anchor(line.paper, f"{line.item}/{line.row}/{line.column}"))


def is_marked(cell):
    return "†" in cell.find(class_="ours").get_text()


def words(tag):
    return " ".join(tag.get_text().split())


def test_shows_each_number_as_numbers_csv_has_it(soup, lines):
    for line in lines:
        cell = cell_of(soup, line)
        assert f"paper {line.reported}" in cell.stripped_strings
        assert next(cell.find(class_="ours").stripped_strings) == (line.reproduced or "–")
        if line.ci_low:
            assert page_tables.spread(line._asdict()) in cell.stripped_strings
    assert len(soup.find_all("td", class_="number")) == len(lines) == 217
    assert 60 < sum(bool(line.reproduced) for line in lines) < 217  # some of each


def test_every_measured_number_leads_to_its_origin(soup, page, lines):
    """One click to the run, its identities, commit and machine; another to its record."""
    for line in lines:
        if not line.reproduced:
            continue
        targets = [soup.find(id=link["href"][1:]) for link in cell_of(soup, line).find_all("a")]
        assert targets
        if line.item == "prose":
            assert all("number" in target["class"] for target in targets)
        elif line.item == "table2":  # counted
            assert [target["id"] for target in targets] == ["notebook-17_2dgan_table2"]
        else:
            records = [target.find("a", string="run.json")["href"] for target in targets]
            assert f"../{line.source}" == records[0]
            assert len(records) == max(len(line.seeds.split()), 1)
            for target, link in zip(targets, records, strict=True):
                known = json.loads((page.parent / link).read_text())
                for text in (f"{known['experiment']}, seed {known['seed']}", known["device"],
                             known["code_commit"], *known["trained_by"].values(),
                             *known["evaluated_by"].values()):
                    assert text in target.get_text()
                [data] = [link for link in target.find_all("a") if "#data-" in link["href"]]
                of_data = soup.find(id=data["href"][1:]).get_text()
                assert known["data_fingerprint"] in of_data and known["dataset"] in of_data


def test_each_of_several_seeds_is_there_with_what_it_gave(soup, results):
    cell = soup.find(id=cell_anchor("2dgan", "table3/Img2.PSNR/TIECNN"))
    shown = [link.get_text() for link in cell.find_all("a")]
    for seed, text in enumerate(shown):
        folder = results / "runs" / "TIECNN" / f"seed{seed}"
        image = json.loads((folder / "run.json").read_text())["examples"][1]
        value = pd.read_csv(folder / "test_images.csv", index_col="image").loc[image, "PSNR"]
        assert text == f"seed {seed}: {value:.4f}"  # as many digits as the paper prints
    assert len(shown) == 2
    assert "sd " in cell.get_text()
    assert cell.find("summary").get_text() == "2 seeds"
    assert "seed 0, 1" in soup.find(id="2dgan-table3").find("p").get_text()


def test_links_and_anchors_are_alive(soup, page):
    check_links(soup, page)


def check_links(soup, page):
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))
    links = [link["href"] for link in soup.find_all("a")]
    assert len(links) > 300
    for href in links + [image["src"] for image in soup.find_all("img")]:
        if href.startswith("#"):
            assert href[1:] in ids, href
        else:
            assert (page.parent / href).is_file(), href


def test_a_copy_of_the_results_is_whole(page, results, tmp_path):
    copy = tmp_path / "results" / "published" / "test"
    shutil.copytree(results, copy, ignore=shutil.ignore_patterns("*.safetensors", ".*"))
    page = copy / "report" / "index.html"
    check_links(read(page), page)
    assert str(results) not in page.read_text()


def test_needs_no_network_and_one_small_script(soup, page):
    text = page.read_text(encoding="utf-8")
    [script] = soup.find_all("script")
    assert not script.attrs and len(script.get_text()) < 1000
    assert not soup.find_all(["link", "iframe", "base"])
    assert not re.search(r"""(src|href)=["']?(https?:)?//|url\(|@import|data:""", text)
    assert not [tag for tag in soup.find_all(True) if any(a.startswith("on") for a in tag.attrs)]


def test_hostile_text_stays_text(soup):
    for place in ("claim-skips", "run-Input-seed0", "2dgan-table2"):
        assert HOSTILE in soup.find(id=place).parent.get_text(), place
    assert len([th for th in soup.find_all("th") if HOSTILE in th.get_text()]) == 2
    assert soup.find("td", string="long" * 50)  # nothing is cut off
    assert all(image["src"].startswith("../figures/") for image in soup.find_all("img"))


def test_stale_runs_and_their_numbers_are_marked(soup, lines):
    assert "up to date" in soup.find(id="run-CLAHE-seed0").get_text()
    stale = soup.find(id="run-HE-seed0").get_text()
    assert "† stale" in stale and "† training code changed" in stale
    marked = {(line.item, line.column) for line in lines if is_marked(cell_of(soup, line))}
    assert marked == {("table3", "HE")}
    assert "† 12 numbers are stale" in words(soup.find(class_="also"))  # four metrics, three images


def test_runs_of_further_tables_are_looked_at_too(soup):
    stale = soup.find(id="run-visible-FLIR-seed0").get_text()
    assert "† stale" in stale and "† evaluation code changed" in stale


def test_what_rests_on_a_lost_or_damaged_run_is_stale(copied, lines):
    """A percentage as what it compares."""
    shutil.rmtree(copied / "runs" / "CLAHE")
    change(copied, "unet_128-FLIR", lambda known: known.pop("metrics"))
    with open(copied / "runs" / "TIECNN" / "seed1" / "test_images.csv", "a") as stream:
        stream.write("x,1,1,1,1\n")
    page = html.write_report("test")
    soup = read(page)
    check_links(soup, page)
    assert str(copied) not in page.read_text()
    gone = [cell_of(soup, line) for line in lines if line.column in ("CLAHE", "TIECNN")]
    lost = [cell_of(soup, line) for line in lines if line.row == "Baseline(CycleGAN)"]
    compared = [cell_of(soup, line) for line in lines
                if line.item == "prose" and "Baseline(CycleGAN)" in line.source]
    assert len(gone) == 24 and len(lost) == 2 and len(compared) == 2
    assert all(map(is_marked, [*gone, *lost, *compared]))
    assert not is_marked(soup.find(id=cell_anchor("gn_cyclegan", "table3/Ours (GN_CycleGAN)/PSNR")))
    assert "damaged" in soup.find(id="run-unet_128-FLIR-seed0").get_text()
    assert "test_images.csv is damaged" in soup.find(id="run-TIECNN-seed1").get_text()


def test_a_record_of_no_more_than_it_has_to_hold_is_shown(copied):
    for name in ("steps_total", "wall_time_s", "peak_memory_mb"):
        change(copied, "TIECNN", lambda known: known.pop(name))
    (copied / "stamps").mkdir()
    for name, text in (("list", "[]"), ("number", '{"seconds": 3}')):
        (copied / "stamps" / f"{name}.0.json").write_text(text)
    soup = read(html.write_report("test"))
    shown = soup.find(id="run-TIECNN-seed0").get_text()
    assert all(told in shown for told in ("of ? steps", "? s, ? MB"))


def test_a_number_that_a_run_no_longer_has_is_told(copied):
    """As where a metric was renamed since: the page is made all the same."""
    path = copied / "runs" / "CLAHE" / "seed0" / "test_images.csv"
    pd.read_csv(path, index_col="image").drop(columns="AG").to_csv(path)
    change(copied, "CLAHE", lambda known: known["files"].update({path.name: sha256(path)}))
    told = read(html.write_report("test")).get_text()
    assert "2dgan/table3/Img1.AG/CLAHE: CLAHE has no AG of Img1 in its runs" in told


def test_a_number_that_was_altered_is_told(copied):
    path = copied / "numbers.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    which = (frame["item"] == "table3") & (frame["row"] == "Img1.AG") & (frame["column"] == "CLAHE")
    frame.loc[which, "reproduced"] = "99"
    frame.to_csv(path, index=False, lineterminator="\n")
    told = read(html.write_report("test"))
    assert "found 1 problem," in words(told.find(id="verified").find_next("p"))
    assert "2dgan/table3/Img1.AG/CLAHE: reproduced is stored as 99" in told.get_text()


def test_claims_argue_in_a_readers_words(soup):
    claim = soup.find(id="claim-best")
    assert ("Table 3, image 1, PSNR: 2D-GAN 1 dB, HE 2 dB: not above (difference −1.5 to −0.5 dB)"
            in words(claim))
    assert "1 of 2 comparisons says otherwise" in words(claim)
    assert "One seed: true of these networks" in words(claim)
    assert [link["href"] for link in claim.find_all("a")] == [
        "#n-2dgan-table3-Img1-PSNR-Ours", "#n-2dgan-table3-Img1-PSNR-HE"]
    assert "Measured on faces, seeds 0, trained 20 steps" in words(claim)
    assert "Of each seed" not in words(claim)  # there is but one
    claim = soup.find(id="claim-skips")
    assert [badge.get_text() for badge in claim.find_all(class_="badge")] == [
        "○ not seen", "✓ holds"]
    assert "seeds 0 1, trained 80 steps: 0.2 of 101 epochs" in words(claim)
    assert "Of each seed alone: 0: seen, 1: undecided" in words(claim)
    assert "nearer to the reference's in place of higher: seen" in words(claim)
    assert f"Our reading, not said by the paper: {HOSTILE}" in words(claim)
    claim = soup.find(id="claim-fitted")
    assert "≈ fitted" in words(claim) and "Not counted." in words(claim)
    assert "to agree would say nothing: chosen to fit" in words(claim)


def test_the_page_begins_with_what_was_found(soup):
    """By paper: claims by their verdicts, what was trained for how long on what, the numbers."""
    enhancement, translation = soup.select(".papers > .card")
    counted = [words(line) for line in enhancement.select(".counted li")]
    assert counted == ["1 ○ not seen", "1 ✗ contradicted"]
    assert "Not counted: 1 more, fitted to the printed number, of which 1 agrees." in words(enhancement)
    assert re.search(r"\(Table 3\): 6 test images; trained .* of 101 epochs with 1/16 of the "
                     "channels; seeds a network: 2", words(enhancement))
    assert "of 200 epochs" in words(translation) and "1 – not testable" in words(translation)
    assert "10 of 37 printed numbers" in words(translation)
    assert all(word in words(soup) for word in (
        "C1 to C5 are", "CBAM is", "CUT is", "TIECNN and FUnIE-GAN are", "The image pool keeps",
        "LPIPS: how far", "Kernel distance: the same", "where this kit had to choose"))


@pytest.mark.parametrize("text, expected", [
    ("16 is not above table3/PSNR/GF 17.5",
     "Table 3, all test images, PSNR: GF 17.5 dB: not below 16 dB"),
    ("table4/PSNR/C5 27.73 is not equal to table6/PSNR/L5 28.65",
     "Table 4, PSNR: C5 27.73 dB; Table 6, PSNR: L5 28.65 dB: not equal"),
    ("table2/Generator/Parameters (M) 12.3 is within 0.24 of 12.18",
     "Table 2, Parameters (M): Generator 12.3: within 0.24 of 12.18"),
    ("table4/IE/C2 7.2 may be within 0.17 of table4/IE/C1 7.1 [difference -0.2 to +0.3]",
     "Table 4, IE: C2 7.2, C1 7.1: not settled whether within 0.17 of each other "
     "(difference −0.2 to +0.3)"),
    ("C5/saturation 1e-05 is above C3/saturation 0.02 by more than 7",
     "saturation: C5 1e-05, C3 0.02: above by more than 7"),
    ("table5/PSNR/Pixel attention 28.73 is within 0.5 of table4/PSNR/C5 28.65",
     "Table 5, PSNR: Pixel attention 28.73 dB; Table 4, PSNR: C5 28.65 dB: "
     "within 0.5 dB of each other"),
    # of a constant the side and the sign of the difference change, the margin stays
    ("16 may be above table3/PSNR/GF 13.5 by more than 2 [difference +1.5 to +3.5]",
     "Table 3, all test images, PSNR: GF 13.5 dB: not settled whether below 16 dB by more than 2 dB "
     "(difference −3.5 to −1.5 dB)"),
    ("GN_CycleGAN-FLIR/cycle_a end 1 is above unet_128-FLIR/cycle_a end 2",
     "cycle loss A, end: GN_CycleGAN 1, CycleGAN+unet_128 2: above"),
    ("table4/AG/C5 is missing (<b>)", "Table 4, AG, C5 is missing (<b>)"),
    ("no time is given", "no time is given"),
])
def test_comparisons_in_words(text, expected):
    found = BeautifulSoup(comparison(text, "2dgan"), "html.parser")
    assert found.get_text() == expected and not found.find("b")


def test_a_cell_in_words():
    assert wording.in_words("table3/Img1.PSNR/Ours", "2dgan") == "Table 3, image 1, PSNR, 2D-GAN"
    assert wording.in_words("prose/C5 over C3/AG", "2dgan") == "prose, AG, C5 over C3"
    assert wording.in_words("table2/CUT/OSU.SSIM", "gn_cyclegan") == "Table 2, OSU, SSIM, CUT"
    found = BeautifulSoup(wording.worded("<b>table3/Ours (GN_CycleGAN)/PSNR 2", "gn_cyclegan"),
                          "html.parser")
    assert found.get_text() == "<b>Table 3, PSNR, GN_CycleGAN 2"
    assert not found.find("b")


def test_tests_and_further_tables_are_there_as_stored(soup, results):
    for anchor, name in (("2dgan-table3", "2dgan_table3_tests_prose.csv"),
                         ("gn_cyclegan-table3", "gn_cyclegan_table3_tests.csv"),
                         ("extras", "2dgan_table3_all_test_images.csv")):
        shown = soup.find("a", string=name).find_parent("details")
        assert shown.parent["id"] == anchor
        stored = pd.read_csv(results / "tables" / name, dtype=str, keep_default_na=False)
        if "PSNR low" in stored:  # a mean and its interval share a cell
            ends = [stored.pop(f"PSNR {end}")[0] for end in ("low", "high")]
            mean, *ends = (numbers.four_digits(float(text)) for text in (stored["PSNR"][0], *ends))
            stored["PSNR"] = "{} [{},\xa0{}]".format(mean, *ends)
            stored = stored.rename(columns={"PSNR": "PSNR [95 %]"})
        rows = [[cell.get_text() for cell in row.find_all(["th", "td"])]
                for row in shown.find_all("tr")]
        assert rows == [[*stored], *stored.to_numpy().tolist()]
    assert len(soup.find_all("table", class_="dataframe")) == 3


def test_figures_stand_beside_the_page(soup):
    shown = [link["href"] for link in soup.select("figure > a")]
    assert shown == [f"../figures/{name}" for name in (
        "2dgan_fig10.png", "2dgan_fig9.png", "gn_fig6.svg", "gn_of_our_own.png")]
    folded = soup.select("details figure > a")
    assert [link["href"] for link in folded] == shown[1:]  # one of each paper, where it is there
    images = soup.select("figure img")
    assert [image["src"] for image in images] == shown
    assert all(image["loading"] == "lazy" and image["alt"] for image in images)
    assert "gn of our own" in soup.find(id="figures").parent.get_text()


def test_all_that_notebooks_store_has_a_caption():
    stored = set()
    for path in (REPO / "notebooks").glob("*.ipynb"):
        for cell in cells_of(path.stem):
            code = "".join(cell["source"])
            names = re.findall(r'"((?:2dgan|gn)_(?!cyclegan)[^"]+)"', code)
            stored |= {re.sub(r"{.*?}", "10", name) for name in names if "_tests" not in name}
    assert len(stored) > 30 and {"gn_fig5", "gn_readings_judged"} < stored
    assert not [name for name in stored if evidence.caption(name) == name.replace("_", " ")]


def test_published_runs_serve_where_none_were_made_here(copied):
    published = copied.parent / "published" / "test"
    shutil.copytree(copied / "runs", published / "runs",
                    ignore=shutil.ignore_patterns("*.safetensors"))
    shutil.rmtree(copied / "runs")
    page = html.write_report("test")
    soup = read(page)
    check_links(soup, page)
    assert soup.find("a", href="../../published/test/runs/TIECNN/seed1/run.json")
    assert not is_marked(soup.find(id=cell_anchor("2dgan", "table3/Img2.PSNR/TIECNN")))


def test_ledger_and_audit_are_there(soup):
    ledger = read_ledger()
    assert len(soup.select(".ledger > details")) == len(ledger) > 50
    for entry in ledger:
        path, line = entry["code"].split("::")[0], entry["line"]
        assert f"{entry['code']}, line {line}" in soup.find(id=f"ledger-{entry['id']}").get_text()
        text = (REPO / path).read_text(encoding="utf-8").splitlines()[line - 1]
        assert entry["code"].split("::")[1].split(".")[-1] in text
    assert len(soup.select("[id^=audit-]")) == len(html.audit_table())


def test_data_and_machines(soup, results):
    for path in results.glob("runs/*/seed*/run.json"):
        known = json.loads(path.read_text())
        assert known["dataset"] in soup.find(id="data").find("summary").get_text()
        assert known["versions"]["torch"] in soup.find(id="environment").get_text()
    assert "the networks as built" not in soup.find(id="data").get_text()  # counted, on no data


@pytest.mark.parametrize("problems, absent, state", [
    ([], (), "unchanged"),
    (["training code changed: x; data changed: a 12 then, a 34 now"], (), "CHANGED since"),
    ([], ("faces",), "not under the data root, so not compared"),
])
def test_a_data_set_is_told_unchanged_changed_or_not_compared(problems, absent, state):
    known = {"data_fingerprint": "f" * 64, "dataset": "faces"}
    by_frame = known | {"dataset": "by frame"}
    runs = [{"record": known, "problems": []}, {"record": known, "problems": problems},
            {"record": by_frame, "problems": []}, {"record": None}]
    assert evidence.data_sets(runs, absent) == [("faces; by frame", "f" * 64, state)]


@pytest.mark.parametrize("line, expected", [
    ({"reproduced": "12.5"}, ("above", "▲ +2.50 (+25 %)")),
    ({"reproduced": "9.81"}, ("below", "▼ −0.19 (−1.9 %)")),
    ({"reproduced": "10.004"}, ("same", "≈ +0.00 (+0.0 %)")),
    ({"reproduced": "11", "ci_low": "9", "ci_high": "13"}, ("same", "≈ +1.00 (+10 %)")),
    ({"reproduced": "11", "ci_low": "10.5", "ci_high": "13"}, ("above", "▲ +1.00 (+10 %)")),
    ({"reproduced": "10.004", "item": "table2", "row": "Generator", "column": "FLOPs (G)"},
     ("fitted", "≈ fitted +0.00 (+0.0 %)")),
    ({"reproduced": "4", "item": "prose"}, ("below", "▼ −6.00 points")),
    ({"reproduced": ""}, ("missing", "")),
])
def test_a_difference_is_above_below_the_same_fitted_or_missing(line, expected):
    given = {"paper": "2dgan", "item": "table4", "row": "AG", "column": "C1", "reported": "10.00",
             "ci_low": "", "ci_high": "", "sd": ""} | line
    assert page_tables.difference(given) == expected


def test_seeds_in_words():
    given = {"n_images": "6", "dataset": "faces 0 1", "seeds": "0 1 2"}
    assert page_tables.about(given) == "6 images, faces 0 1, seed 0, 1, 2"
    assert page_tables.about({"seeds": "0 / 0 1"}) == "seed 0/0, 1"
    assert page_tables.about({"n_images": ""}) == ""
    assert page_tables.about({"n_images": "1"}) == "1 image"


def test_without_claims_the_page_says_so_and_is_the_same_each_time(copied):
    (copied / "claims.csv").unlink()
    first = html.write_report("test").read_bytes()
    assert b"claims were not judged" in first
    assert html.write_report("test").read_bytes() == first


def test_time_memory_and_disk_of_each_job(copied):
    """The most that a job took is shown, not the last, which may have had little to do."""
    for what, seconds in (("train", 75), ("check", 1)):
        job = Job("C5_seed0", {}, what=what)
        job.begin(copied)
        job.finish(copied, seconds=seconds, memory_mb=900 + seconds, written_mb=3)
    (copied / "stamps/C4_seed0.damaged.json").write_text("{")
    page = BeautifulSoup(html.write_report("test").read_text(), "html.parser")
    rows = page.find(id="stages").parent.find_all("tr")
    assert [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in rows[1:]] == [
        ["C5_seed0", "train", "1:15", "975", "3"]]


def test_what_is_not_there_is_said(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    assert html.main(["smoke"]) == 2
    assert "run ./run_all.sh --profile smoke first" in capsys.readouterr().err
    assert html.main(["smok"]) == 2
    assert "unknown profile 'smok'" in capsys.readouterr().err
    assert not (tmp_path / "smok").exists()


def test_notebooks_are_linked_as_they_ran(copied, soup):
    assert not soup.select("#notebooks ~ ul a")
    (copied / "executed").mkdir()
    shutil.copy(REPO / "notebooks" / "90_summary.ipynb", copied / "executed")
    page = html.write_report("test")
    [link] = read(page).select("#notebooks ~ ul a")
    assert link["href"] == "../executed/90_summary.ipynb"
    check_links(read(page), page)


def test_the_notebook_of_a_table_is_named(soup):
    for line in (notebook for notebook in NOTEBOOKS if notebook.tables):
        for paper, item in line.tables:
            assert notebook_of(paper, item) == line.name
    shown = soup.find(id="gn_cyclegan-table3").find_next("a", href="#notebook-23_gn_table3")
    assert shown.find_parent("details")["id"] == "gn_cyclegan-table3"
    assert len(soup.select("li[id^=notebook-]")) == len(NOTEBOOKS)


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_in_a_browser(full_page, tmp_path):
    """Short and not wider than the screen, text apart from its background, in light and dark."""
    page = full_page
    with browser(tmp_path / "profile") as tab:
        for width in (400, 1200):
            for dark in (False, True):
                tab.open(page, width, dark=dark)
                assert tab.evaluate("""Promise.all([...document.images].map(i => {
                    i.loading = 'eager'; return i.decode().then(() => i.naturalWidth > 0)}))
                    .then(all => all.length == 5 && all.every(Boolean))""")
                height = tab.evaluate("document.documentElement.scrollHeight")
                assert height < {1200: 12_000, 400: 25_000}[width]
                back, text = (tab.evaluate(f"getComputedStyle(document.body).{name}")
                              for name in ("backgroundColor", "color"))
                assert contrast(back, text) > 7
                assert (luminance(back) < 0.1) == dark
                for side in ("above", "below", "same"):
                    style = f"getComputedStyle(document.querySelector('.side.{side}'))"
                    assert contrast(tab.evaluate(f"{style}.backgroundColor"),
                                    tab.evaluate(f"{style}.color")) > 4.5
                shot = tab.screenshot(tmp_path / f"{width}_{'dark' if dark else 'light'}.png")
                assert shot.stat().st_size > 20_000
                for opened in (False, True):
                    tab.evaluate("document.querySelectorAll('details')"
                                 f".forEach(part => part.open = part.open || {str(opened).lower()})")
                    assert tab.evaluate("document.documentElement.scrollWidth") <= width
                    boxes = "th[scope=row], .card, .claim, .numbers"
                    assert tab.evaluate(f"""[...document.querySelectorAll('{boxes}')]
                        .filter(e => e.scrollWidth > e.clientWidth + 1).length""") == 0
        tab.open(page, 400)
        # the name of its column before each number, ours and the paper's beside each other
        assert tab.evaluate("""getComputedStyle(document.querySelector('td.number'), '::before')
            .content""") == '"FLOPs (G)"'
        assert tab.evaluate("""[...document.querySelectorAll('[open] td.number')].every(cell => {
            const [ours, paper] = ['.ours', '.paper'].map(name =>
                cell.querySelector(name).getBoundingClientRect());
            return ours.right <= paper.left && paper.right <= innerWidth
                && ours.top < paper.bottom})""")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: apt-get install chromium")
def test_a_link_into_what_is_folded_opens_it(page, tmp_path):
    with browser(tmp_path / "profile") as tab:
        tab.open(page, 400)
        run = "document.getElementById('run-TIECNN-seed1')"
        assert tab.evaluate(f"{run}.checkVisibility()") is False
        tab.evaluate("document.querySelector('a[href=\"#run-TIECNN-seed1\"]').click()")
        tab.evaluate("new Promise(done => setTimeout(done, 100))")
        assert tab.evaluate(f"{run}.checkVisibility()") is True
        assert -1 < tab.evaluate(f"{run}.getBoundingClientRect().top") < 900
        tab.evaluate("document.getElementById('runs').open = false")  # and the same link once more
        tab.evaluate("document.querySelector('a[href=\"#run-TIECNN-seed1\"]').click()")
        tab.evaluate("new Promise(done => setTimeout(done, 100))")
        assert tab.evaluate(f"{run}.checkVisibility()") is True


def luminance(colour: str) -> float:
    """Relative luminance of a CSS colour, rgb(r, g, b), as WCAG 2 defines it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
