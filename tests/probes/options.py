"""Command lines, environment, paths: options out of range, empty, of 30 digits; hostile names.

Programs run in this process, up to where their work would begin: what they accept is held against
what the options are said to take.
"""

import math
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
from hypothesis import strategies as st
from PIL import Image

from lib import enhance, train, translate, verify
from lib.benchmarks import step
from lib.data import check, download, sources
from lib.evaluation.classical import METHODS
from lib.paths import REPO
from lib.report import html
from lib.running import run_all
from lib.training import run as running
from lib.training.experiments import EXPERIMENTS
from lib.training.profiles import PROFILES

from .drawing import TEXTS
from .judging import Case, Probe, Told, command

RUN_ALL = "options, environment and paths of run_all"
PROGRAMS = "options of train, verify, report, step, enhance, translate, download, check"
HOSTILE = ("a b", "$HOME", "{x}", "{x} {seeds}", "é", "名前", "'", '"', "*", "-x", "--data", "%s",
           "a\nb", "`id`", "$(id)", ";", "\\", "~", "x" * 200, "#", "&lt;", ".hidden")
LONG = "x" * 5000
WEIGHT = 4


# ---- programs, up to where their work begins


class Begun(Exception):
    """A program has accepted its options."""


def up_to_training(arguments: list[str]) -> int:
    with mock.patch.object(running, "load", side_effect=Begun):
        try:
            return train.main(arguments)
        except Begun:
            return 0


def up_to_planning(arguments: list[str]) -> int:
    with mock.patch.object(run_all, "run", return_value=0):
        return run_all.main(arguments)


def too_small(arguments: list[str]) -> int:
    with mock.patch.object(step, "compare", side_effect=RuntimeError("too small\nfor pooling")):
        return step.main(arguments)


def up_to_timing(arguments: list[str]) -> int:
    with mock.patch.object(step, "compare", return_value=({"fp32": 1.0}, {})):
        return step.main(arguments)


# ---- what options take


def whole(least: int, most: int) -> Callable[[str], bool]:
    def takes(text: str) -> bool:
        with suppress(ValueError):
            return least <= int(text) <= most
        return False

    return takes


def seconds(text: str) -> bool:
    with suppress(ValueError):
        return math.isfinite(float(text)) and float(text) >= 0
    return False


def seeds(text: str) -> bool:
    each = text.split(",")
    return all(re.fullmatch(r"\d{1,18}", one) for one in each) and len({*map(int, each)}) == len(each)


def one_of(*names: str) -> Callable[[str], bool]:
    return names.__contains__


@dataclass(frozen=True)
class Option:
    """Of `program`, which gets `before` (`{0}` is the probe's folder), what it takes."""

    area: str
    program: Callable[[list[str]], int]
    before: str
    name: str
    takes: Callable[[str], bool]

    def probe(self, text: str) -> Probe:
        def make(place: Path) -> Case:
            settle(place)
            arguments = self.before.replace("{0}", str(place)).split() + [self.name, text]
            right = (lambda told: "") if self.takes(text) else None
            named = (self.name, text.strip() or "''", repr(text)[1:-1])  # what one sees of it
            if self.program == translate.main:
                named = (*named, "gn_cyclegan")
            return Case(partial(command, self.program, *arguments), named, right)

        program = self.program.__module__ if self.program.__name__ == "main" else self.program.__name__
        return Probe(self.area, f"{program} {self.name} {text!r}", make)


def settle(place: Path) -> None:
    """An empty data root, a folder with an image; the program runs in there."""
    (place / "data").mkdir()
    (place / "in").mkdir()
    Image.fromarray(np.arange(400, dtype=np.uint8).reshape(20, 20)).save(place / "in" / "a.png")
    os.chdir(place)


TRAIN = "--experiment C1 --profile test --device cpu --data {0}/data --out {0}/run"
ENHANCE = "{0}/in/a.png --out {0}/out --method he"
STEP = "--experiment C1 --size 16 --batch 1 --divide 16 --rounds 1"
of_train = partial(Option, PROGRAMS, up_to_training, TRAIN)
of_run_all = partial(Option, RUN_ALL, up_to_planning, "")
of_enhance = partial(Option, PROGRAMS, enhance.main, ENHANCE)
of_step = partial(Option, PROGRAMS, up_to_timing, STEP)
OPTIONS = (
    of_train("--seed", whole(0, 10**18 - 1)),
    of_train("--threads", whole(1, 999)),
    of_train("--time-budget", seconds),
    of_train("--profile", PROFILES.__contains__),
    of_train("--experiment", EXPERIMENTS.__contains__),
    of_train("--device", one_of("auto", "cpu")),
    of_train("--precision", one_of("auto", "fp32", "bf16")),
    of_train("--data", lambda text: bool(text) and Path(text).expanduser().is_dir()),
    of_run_all("--jobs", whole(1, 999)),
    of_run_all("--seeds", seeds),
    of_run_all("--profile", PROFILES.__contains__),
    of_run_all("--device", one_of("auto", "cpu", "cuda")),
    of_run_all("--precision", one_of("auto", "fp32", "bf16")),
    of_enhance("--tile", whole(0, 10**40)),
    of_enhance("--shifts", whole(1, 10**40)),  # HE has no grid to divide
    of_enhance("--depth", one_of("same", "8", "16")),
    of_enhance("--method", lambda text: text in map(str.lower, METHODS)),
    of_enhance("--device", one_of("auto", "cpu")),
    *(of_step(name, whole(1, 99_999))
      for name in ("--size", "--batch", "--divide", "--rounds", "--threads")),
    of_step("--device", one_of("auto", "cpu")),
    of_step("--precision", one_of("auto", "fp32", "bf16")),
    Option(PROGRAMS, translate.main, "{0}/in/a.png --out {0}/out --weights {0}", "--limit",
           lambda text: False),
    Option(PROGRAMS, download.main, "--data {0}/data", "--", lambda text: False),
    Option(PROGRAMS, check.main, "", "--data",
           lambda text: bool(text) and Path(text).expanduser().is_dir()),
)
drawn = st.builds(Option.probe, st.sampled_from(OPTIONS), TEXTS)


# ---- listed: what takes more than a value


def listing(area: str, name: str, call: Callable[[Path], object], *named: str, works=None,
            good: bool = False, kept: str = "") -> Probe:
    """`works`: of the result and the place, why it is wrong; None: only a refusal is right."""

    def make(place: Path) -> Case:
        settle(place)
        right = works and (lambda result: works(result, place))
        return Case(lambda: call(place), [one.replace("{0}", str(place)) for one in named], right, good,
                    [place / kept] if kept else ())

    return Probe(area, name, make)


def program(main: Callable, line: str, *more: str) -> Callable[[Path], Told]:
    return lambda place: command(main, *line.replace("{0}", str(place)).split(), *more)


def with_environment(variable: str, value: str, then: Callable[[Path], object]):
    def call(place: Path) -> object:
        os.environ[variable] = value.replace("{0}", str(place))
        return then(place)

    return call


def shell(*arguments: str, **environment: str) -> Callable[[Path], Told]:
    def call(place: Path) -> Told:
        done = subprocess.run([str(REPO / "run_all.sh"), *arguments], capture_output=True,
                              text=True, cwd=place, timeout=15,
                              env=os.environ | environment)
        return Told(done.returncode, done.stdout, done.stderr)

    return call


def through_a_link(place: Path) -> Told:
    (place / "link").symlink_to(REPO / "run_all.sh")
    done = subprocess.run([place / "link", "--help"], capture_output=True, text=True, cwd=place,
                          env=os.environ | {"CDPATH": "/"})
    return Told(done.returncode, done.stdout, done.stderr)


def done(told: Told, place: Path) -> str:
    return told.err


def equalised(told: Told, place: Path) -> str:
    """Whether the images in `out` are those of `in` by cv2's histogram equalisation."""
    for source in (place / "in").rglob("*.png"):
        made = place / "out" / source.relative_to(place / "in")
        wanted = cv2.equalizeHist(np.asarray(Image.open(source)))
        if not made.is_file() or not np.array_equal(np.asarray(Image.open(made)), wanted):
            return f"{made} is not the equalised image"
    return ""


def hostile_image(name: str) -> Callable[[Path], Told]:
    def call(place: Path) -> Told:
        folder = place / "in" / f"x{name}"
        folder.mkdir()
        (place / "in" / "a.png").rename(folder / f"{name}y.png")
        return command(enhance.main, place / "in", "--out", place / "out", "--method", "he")

    return call


def hostile_root(name: str, main: Callable, line: str, flag: str) -> Callable[[Path], Told]:
    def call(place: Path) -> Told:
        (place / name).mkdir()
        return command(main, *line.replace("{0}", str(place)).split(), flag, place / name)

    return call


def odd_input(make: Callable[[Path], None]) -> Callable[[Path], Told]:
    def call(place: Path) -> Told:
        make(place / "in" / "b.png")
        return command(enhance.main, place / "in" / "a.png", place / "in" / "b.png", "--out",
                       place / "out", "--method", "he")

    return call


def subprocess_of_train(place: Path, **environment: str) -> Told:
    line = [sys.executable, "-P", "-m", "lib.train", "--experiment", "none-such"]
    done = subprocess.run(line, capture_output=True, text=True, cwd=place, timeout=60,
                          env=os.environ | environment)
    return Told(done.returncode, done.stdout, "\n".join(done.stderr.splitlines()[-1:]))


ODD_INPUTS = {
    "a FIFO": os.mkfifo,
    "a folder": Path.mkdir,
    "a dangling link": lambda path: path.symlink_to("nowhere.png"),
    "a link to itself": lambda path: path.symlink_to(path),
    "no bytes": Path.touch,
    "the device null": lambda path: path.symlink_to("/dev/null"),
}
RESULTS = "{0}/results/test"
listed = [
    *(listing(RUN_ALL, f"run_all.sh {' '.join(line)!r}", shell(*line), line[0])
      for line in (["--bogus"], ["--data"], ["--data", "nowhere"], ["--data", ""], ["--seeds"],
                   ["--profil", "smoke"], ["-x"], ["--jobs"])),
    listing(RUN_ALL, "run_all.sh through a link, with CDPATH", through_a_link, good=True,
            works=lambda told, place: "" if "--take-published" in told.out else "no usage"),
    *(listing(RUN_ALL, f"--only {text!r}",
              program(run_all.main, "--profile test --dry-run --data {0}/data --only", text),
              text.strip() or "target")
      for text in ("none", "", "C5 C4", "{x}", "13_2dgan", "../C5", "C5\n", "*")),
    *(listing(RUN_ALL, f"a data root called {name!r}",
              hostile_root(name, run_all.main, "--profile test --dry-run --only C1", "--data"),
              good=True, works=lambda told, place: "" if "C1 seed0" in told.out else told.out)
      for name in HOSTILE),
    *(listing(RUN_ALL, f"{variable} is {value!r:.40}",
              with_environment(variable, value, program(run_all.main, "--list --profile test")),
              value, variable)
      for variable in ("IR_RESULTS", "IR_CACHE", "IR_DATA")
      for value in ("{0}/in/a.png", "/dev/null", "/proc/none", LONG)),
    *(listing(RUN_ALL, f"{variable}={value}",
              lambda place, pair={variable: value}: subprocess_of_train(place, **pair), "none-such")
      for variable, value in (("OMP_NUM_THREADS", "0"),)),
    *(listing(PROGRAMS, f"train --out {out!r:.40}",
              program(up_to_training, TRAIN.rpartition(" ")[0], out), out[:40])
      for out in ("/dev/null", "in/a.png", "/proc/none", LONG, "")),
    listing(PROGRAMS, "train --out of two experiments",
            program(train.main, TRAIN.replace("C1", "C1 C2")), "--out"),
    listing(PROGRAMS, "train without --experiment", program(train.main, ""), "--experiment"),
    *(listing(PROGRAMS, f"train in a folder called {name!r}",
              hostile_root(name, up_to_training, TRAIN.rpartition(" ")[0].rpartition(" ")[0],
                           "--out"), good=True, works=done)
      for name in HOSTILE if not name.startswith("-")),
    *(listing(PROGRAMS, f"train with IR_WEIGHTS {value!r}",
              with_environment("IR_WEIGHTS", value, program(up_to_training, TRAIN)), works=done)
      for value in ("{0}/in/a.png", "/proc/none")),
    *(listing(PROGRAMS, f"verify {text!r:.40}", program(verify.main, "", text), text[:40] or
              "results", "numbers.csv", "profile")
      for text in ("", "none", "in/a.png", "in", "/", "..", LONG, "{x}", "/dev/null")),
    *(listing(PROGRAMS, f"verify --data {text!r:.40}",
              program(verify.main, "{0}/in --data", text), text[:40] or "data root")
      for text in ("", "none", "in/a.png", LONG)),
    *(listing(PROGRAMS, f"report {text!r:.40}", program(html.main, "", text), text[:40] or
              "profile", "profile", "numbers.csv")
      for text in ("", "none", "in/a.png", "smoke", "/", "./test", LONG, "test/", "{x}", "..")),
    *(listing(PROGRAMS, f"step {line!r}", program(step.main, line), *named)
      for line, *named in (
          ("--experiment none", "none"), ("--experiment HE", "HE"), ("--experiment Input", "Input"),
          ("--experiment CUT-FLIR --batch 3", "batch"))),
    listing(PROGRAMS, "step of a size that torch refuses", program(too_small, STEP), "--size 16"),
    *(listing(PROGRAMS, f"enhance, an image called {name!r}", hostile_image(name), works=equalised,
              good=True)
      for name in HOSTILE if not name.startswith(".")),
    *(listing(PROGRAMS, f"enhance, {name} among images", odd_input(make), "b.png")
      for name, make in ODD_INPUTS.items()),
    *(listing(PROGRAMS, f"enhance to {out!r:.40}", program(enhance.main, "in/a.png --method he --out",
              out), out[:40] or "--out", kept="in/a.png")
      for out in ("in", "in/a.png", "/dev/null", LONG)),
    listing(PROGRAMS, "enhance twice", lambda place: [program(enhance.main, ENHANCE)(place)
            for _ in range(2)][1], "--overwrite", kept="in/a.png"),
    *(listing(PROGRAMS, f"enhance --weights {text!r}", program(enhance.main,
              "in/a.png --out out --weights", text), text or "weights", "2dgan")
      for text in ("", "none", "in/a.png", "in")),
    *(listing(PROGRAMS, f"download {line!r}", program(download.main, "--data {0}/data " + line), named)
      for line, named in (("none", "none"), ("imagenet --from none", "--from"), ("--from in/a.png", "NAME"),
                          *((f"{name} --yes --from in/a.png", "--from" if len(one.parts) != 1 else name)
                            for name, one in sources.read().items()))),
]
