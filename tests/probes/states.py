"""What a run leaves, damaged: checkpoints, records and the files they vouch for, stamps, tables."""

import json
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import torch
from hypothesis import strategies as st

from lib.data import catalogue
from lib.files import sha256
from lib.results import numbers
from lib.results.publish import publish, take_published
from lib.results.runs import find_runs, number, read_run
from lib.results.tables import TABLES
from lib.running import planning
from lib.running.job import Job, Options, Plan
from lib.training import checkpoint, record, status
from lib.training.experiments import resolve
from tests.made_runs import make_run

from .drawing import INSTEAD, damages, dump, paths_in, replaced
from .judging import Case, Probe

CHECKPOINTS = "damage of checkpoints"
FILES = "other run files, stamps, tables, records"
WEIGHT = 5
OPTIONS = Options("test", (0,), "cpu", "data")


# ---- checkpoints


def recipe(value: float) -> SimpleNamespace:
    network = torch.nn.Linear(2, 2)
    torch.nn.init.constant_(network.weight, value)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    return SimpleNamespace(modules={"generator": network}, optimisers={"generator": optimiser},
                           extra_state=dict, load_extra_state=lambda state: None)


def checkpoints(name: str, damage: Callable[[bytes], bytes], which: int) -> Probe:
    """Two checkpoints, of steps 1 and 2, of which one or both are damaged: an older whole one is
    taken, or none; never anything else."""

    def make(place: Path) -> Case:
        paths = [checkpoint.save(place, recipe(step), {"step": step}) for step in (1, 2)]
        whole = [2, 1]
        for step, path in enumerate(paths, 1):
            if which in (step, 3) and (content := damage(path.read_bytes())) != path.read_bytes():
                path.write_bytes(content)
                whole.remove(step)

        def right(state: dict | None) -> str:
            wanted = whole[0] if whole else None
            got = state and state["position"]["step"]
            if got != wanted:
                return f"step {got} instead of {wanted}"
            weights = recipe(0).modules["generator"]
            if state:
                weights.load_state_dict(state["modules"]["generator"])
            return "" if not state or (weights.weight == wanted).all() else "other weights"

        return Case(lambda: checkpoint.read_last(place, lambda line: None), (), right, good=True)

    return Probe(CHECKPOINTS, f"{name}, of {'first last both'.split()[which - 1]}", make)


def in_its_place(name: str, put: Callable[[Path, Path], object]) -> Probe:
    """Something odd in the place of the last checkpoint, or beside it."""

    def make(place: Path) -> Case:
        first, last = (checkpoint.save(place, recipe(step), {"step": step}) for step in (1, 2))
        put(first, last)

        def right(state: dict | None) -> str:
            return "" if state and state["position"]["step"] in (1, 2) else f"{state}"

        return Case(lambda: checkpoint.read_last(place, lambda line: None), ["checkpoint"], right,
                    good=True)

    return Probe(CHECKPOINTS, f"{name} in the place of the last", make)


def planted(content: object) -> Callable[[Path, Path], None]:
    """A file of a right checksum that holds something else."""

    def put(first: Path, last: Path) -> None:
        torch.save(content, last)
        last.rename(last.with_name(f"checkpoint-00000003-{sha256(last)[:16]}.pt"))

    return put


def instead(make: Callable[[Path], object]) -> Callable[[Path, Path], None]:
    def put(first: Path, last: Path) -> None:
        last.unlink()
        make(last)

    return put


# ---- a run, made once


@cache
def made(folder: str) -> Path:
    """Two seeds of C1 in the profile `test` of a results folder, their tables and numbers."""
    root = Path(folder)
    (root / "data").mkdir()
    with mock.patch.dict("os.environ", IR_RESULTS=f"{folder}/made"):
        for seed in (0, 1):
            make_run("C1", seed, root / "data")
        runs = find_runs("test", ["C1"], (0, 1), root / "data")
        numbers.record("test", "2dgan", "table4", [
            number(place, cell, runs["C1"])
            for place, cell in TABLES["2dgan", "table4"].cells.items() if cell.experiment == "C1"])
        numbers.collect("test")
        publish("test")
    return root


def copied(place: Path) -> tuple[Path, Path]:
    """A copy of what `made` makes, as the results: its run of seed 0, and the data root."""
    root = made(str(Path(os.environ["IR_RESULTS"]).parent))
    shutil.copytree(root / "made", place / "results")
    os.environ["IR_RESULTS"] = str(place / "results")
    return place / "results/test/runs/C1/seed0", root / "data"


def todo(folder: Path, data: Path) -> status.ToDo:
    return status.to_do(folder, resolve("C1", "test", 0), catalogue.describe("enhancement", data))


# what may be something else without a run being another
TOLD = ("dataset", "n_images", "metrics", "not_measured", "examples", "code_commit", "device",
        "evaluated_at_commit", "versions", "wall_time_s", "steps", "trained", "data_fingerprint",
        "definitions", "config")


def odd_record(data, use: str) -> Probe:
    """A record of which something is replaced or left out, as everybody reads it."""
    name, path, by = data

    def make(place: Path) -> Case:
        folder, root = copied(place)
        file = folder / "run.json"
        known = json.loads(file.read_text())
        where = path(known)
        changed = replaced(known, where, by)
        file.write_text(dump(changed))
        same = json.loads(dump(changed)) == known
        harmless = same or bool(where) and where[0] in TOLD
        published = folder.parents[3] / "published/test/runs/C1/seed0/run.json"

        def right(told) -> str:
            if use == "to do":
                return "" if harmless or told.what != "nothing" else "it counts as whole"
            return "" if harmless or use in ("publish", "read") else "it is taken"

        def call():
            if use == "to do":
                return todo(folder, root)
            if use == "find":
                return find_runs("test", ["C1"], (0,), root)
            if use == "publish":
                return publish("test")
            if use == "take":
                file.replace(published)
                shutil.rmtree(folder)
                return take_published("test")
            run = read_run(folder)
            return record.load_weights(folder, run.record, torch.nn.Linear(1, 1))

        return Case(call, ["run.json", "runs/C1/seed0", "C1 seed0", "C1 seed 0"],
                    right if use != "take" else lambda told: "")

    return Probe(FILES, f"{use}, record with {name}", make)


@st.composite
def changes(draw):
    """(name, path in a record, what stands there)."""
    place, by = draw(st.floats(0, 1, exclude_max=True)), draw(st.sampled_from(INSTEAD))

    def path(known) -> tuple:
        heads = [key for key in known for _ in range(3)]
        all_ = [found for found in paths_in(known) if found[:1] not in (("definitions",),)]
        choice = [(key,) for key in heads] + all_
        return choice[int(place * len(choice))]

    return f"{by!r} at {place:.4f}", path, by


def odd_bytes(damage, file: str, use: str) -> Probe:
    name, change = damage

    def make(place: Path) -> Case:
        folder, root = copied(place)
        before = (folder / file).read_bytes()
        after = change(before)
        (folder / file).write_bytes(after)

        def right(told) -> str:
            if use == "to do" and file != "run.json":
                return "" if after == before or told.what != "nothing" else "it counts as whole"
            unread = use in ("read", "find") and file in record.STORED_WEIGHTS
            return "" if after == before or file == "run.json" or unread else "it is taken"

        call = {"to do": lambda: todo(folder, root), "read": lambda: read_run(folder),
                "publish": lambda: publish("test"),
                "find": lambda: find_runs("test", ["C1"], (0,), root)}[use]
        if use == "publish" and file in record.STORED_WEIGHTS:  # which are not published
            return Case(call, [file], lambda told: "")
        return Case(call, [file, "runs/C1/seed0", "C1 seed 0"], right)

    return Probe(FILES, f"{use}, {file}: {name}", make)


# ---- stamps, plans, tables


def odd_stamp(text: str) -> Probe:
    """A stamp that is none: the job runs again."""

    def make(place: Path) -> Case:
        job = Job("13_x", {"code": "1", "text": "2"}, {"C1_seed0": "abc"},
                  definitions={"lib.x": "1"}, what="run")
        job.begin(place)
        job.finish(place, seconds=3.0)
        job.stamp(place).write_text(text)
        later = Job("13_x", {"code": "9", "text": "2"}, {"C1_seed0": "abc"},
                    definitions={"lib.x": "2"}, what="run")

        def call() -> str:
            why = planning._changes(later, [], later.last(place), place)
            plan = Plan(OPTIONS, [later], 1, 1)
            plan.time_left(place)
            later.begin(place)
            later.finish(place, seconds=1.0)
            return why

        return Case(call, (), lambda why: "" if why else "no reason to run", good=True)

    return Probe(FILES, f"stamp, {text!r}", make)


def odd_table(damage, file: str) -> Probe:
    """tables/*.csv, as the numbers are collected from it."""
    name, change = damage

    def make(place: Path) -> Case:
        folder, _ = copied(place)
        path = folder.parents[2] / file
        before, after = path.read_bytes(), change(path.read_bytes())
        path.write_bytes(after)

        def right(frame) -> str:
            """Only what is a number may stand as a number; what a change of digits does,
            `lib.verify` finds."""
            values = frame["reproduced"].dropna()
            finite = values.map(lambda value: abs(value) < 1e300).all()
            return "" if after == before or finite else "not a number"

        return Case(lambda: numbers.collect("test"), [path.name], right)

    return Probe(FILES, f"collect, {file}: {name}", make)


def text_at(column: str, text: str) -> Probe:
    def make(place: Path) -> Case:
        folder, _ = copied(place)
        path = folder.parents[2] / "tables/2dgan_table4.csv"
        lines = [line.split(",") for line in path.read_text().splitlines()]
        lines[1][lines[0].index(column)] = text
        path.write_text("".join(",".join(line) + "\n" for line in lines))
        return Case(lambda: numbers.collect("test"), [path.name])

    return Probe(FILES, f"collect, {text!r} as {column}", make)


RUN_FILES = (*record.STORED_WEIGHTS, "history.csv", "test_images.csv", "samples.png", "run.json")
drawn = st.one_of(
    st.builds(lambda damage, which: checkpoints(*damage, which), damages(), st.integers(1, 3)),
    st.builds(odd_record, changes(), st.sampled_from(["to do", "find", "publish", "read", "take"])),
    st.builds(odd_bytes, damages(), st.sampled_from(RUN_FILES),
              st.sampled_from(["to do", "read", "publish", "find"])),
    st.builds(odd_table, damages(), st.just("tables/2dgan_table4.csv")),
)
listed = [
    *(in_its_place(name, put) for name, put in {
        "a folder": instead(Path.mkdir),
        "a FIFO": instead(os.mkfifo),
        "a dangling link": instead(lambda path: path.symlink_to("nowhere")),
        "no bytes": instead(Path.touch),
        "a list": planted([]),
        "a text": planted("x"),
        "a state without position": planted({"modules": {}}),
        "code": planted(print),
      }.items()),
    *(odd_stamp(text) for text in ("", "[]", "{", "null", "{}", "\x00")),
    *(text_at(column, text) for column in ("reproduced", "sd", "ci_low", "n_images")
      for text in ("nan", "inf", "abc", "1e999", "-", "1.5x")),
]
