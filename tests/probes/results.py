"""What readers call when results are damaged: verify has to find it, the report to bear it."""

import csv
import io
import json
from pathlib import Path

from hypothesis import strategies as st

from lib import verify
from lib.report import html

from .drawing import damages, dump, replaced
from .judging import Case, Probe, Told, command
from .states import RUN_FILES, changes, copied

AREA = "verify and report of damaged results"
WEIGHT = 2
# of a record, what verify does not look at
UNSEEN = ("not_measured", "examples", "code_commit", "device", "evaluated_at_commit", "versions",
          "wall_time_s", "steps", "steps_total", "trained", "n_images", "definitions",
          "peak_memory_mb")


def rows(text: bytes) -> list | None:
    """What a table says, but for reasons and sources; None where it is none."""
    try:
        found = list(csv.DictReader(io.StringIO(text.decode())))
        return [{k: v for k, v in row.items() if k not in ("why", "source")} for row in found]
    except Exception:
        return None


def called(program, results: Path, data: Path) -> Told:
    return command(program.main, results, "--data", data)


def after(program, name: str, change, harmless, refused: bool = False) -> Probe:
    """`change` of the results and the run of seed 0; `harmless` says whether that is none; `refused`:
    even then it may be."""

    def make(place: Path) -> Case:
        folder, data = copied(place)
        results = folder.parents[2]
        made = change(results, folder)
        nothing = harmless(*made)

        def right(told: Told) -> str:
            if program is verify:
                return "" if nothing else f"no problem is found of {made}: {told.out}"
            page = results / "report/index.html"
            return "" if page.is_file() and "</html>" in page.read_text() else "no page"

        return Case(lambda: called(program, results, data), ["runs/C1/seed0", "2dgan/", ".csv", "is no number of the papers"],
                    right, good=program is verify and nothing and not refused)

    return Probe(AREA, f"{program.__name__}, {name}", make)


def odd_record(program, data) -> Probe:
    name, path, by = data

    def change(results: Path, folder: Path):
        file = folder / "run.json"
        known = json.loads(file.read_text())
        where = path(known)
        changed = replaced(known, where, by)
        file.write_text(dump(changed))
        return where, json.loads(dump(changed)) == known

    return after(program, f"record with {name}", change,
                 lambda where, same: same or bool(where) and where[0] in UNSEEN, refused=True)


def odd_file(program, damage, file: str) -> Probe:
    name, alter = damage

    def change(results: Path, folder: Path):
        path = folder / file if file in RUN_FILES else results / file
        before = path.read_bytes()
        path.write_bytes(alter(before))
        return before, alter(before)

    def harmless(before: bytes, now: bytes) -> bool:
        if file == "run.json":  # flips in what nobody compares; `odd_record` has the rest
            return True
        return before == now or file.endswith("numbers.csv") and rows(before) == rows(now)

    return after(program, f"{file}: {name}", change, harmless, refused=file == "run.json")


FILES = (*RUN_FILES, "numbers.csv", "numbers.csv", "tables/2dgan_table4.csv")
drawn = st.one_of(
    st.builds(odd_record, st.just(verify), changes()),
    st.builds(odd_file, st.just(verify), damages(), st.sampled_from(FILES)),
    st.builds(odd_file, st.just(html), damages(), st.sampled_from(FILES)),
)
TEXTS = ("", "x", "a,b\n1,2\n", "\xff\xfe", "a,a\n1,2\n", '"', "\0")
listed = [
    after(verify, "nothing", lambda results, folder: (), lambda: True),
    *(after(verify, f"{name} is {text!r}", lambda results, folder, name=name, text=text: (
        (results / name).write_bytes(text.encode("latin-1")),), lambda *_: False)
      for name in ("numbers.csv", "tables/2dgan_table4.csv") for text in TEXTS),
    *(after(html, f"{name} is {text!r}", lambda results, folder, name=name, text=text: (
        (results / name).write_bytes(text.encode("latin-1")),), lambda *_: False)
      for name in ("claims.csv", "tables/2dgan_table4.csv", "tables/other.csv")
      for text in TEXTS[:4]),
]
