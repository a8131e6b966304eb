"""Many files, one after the other: what `lib.enhance` and `lib.translate` have in common.

A file that cannot be done is told of in one line, the others are done all the same. Every result is
written whole or not at all, and nothing is overwritten unless asked for.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np

from lib.clock import clock
from lib.own_images import files, tone
from lib.own_images.methods import Method
from lib.own_images.shipped import FOLDER


def parser(program: str, description: str) -> argparse.ArgumentParser:
    """The options that both commands have."""
    made = argparse.ArgumentParser(prog=f"python -m {program}", description=description)
    made.add_argument("inputs", nargs="+", type=Path, metavar="IN",
                      help="files, or folders with all below: PNG, JPEG, TIFF")
    made.add_argument("--out", required=True, type=Path, metavar="DIR",
                      help="where results go, by the names of the inputs below the folder that "
                           "these have in common")
    made.add_argument("--depth", default="same", choices=("same", "8", "16"),
                      help="bits of the result; same: 8 for 8, 16 for all else")
    made.add_argument("--device", default="auto", help="auto, cpu or cuda")
    made.add_argument("--weights", type=Path, default=FOLDER, metavar="DIR",
                      help="default: data/weights of the kit")
    made.add_argument("--overwrite", action="store_true", help="replace results that are there")
    return made


def run(
    make: Callable[[argparse.Namespace], Method], options: argparse.Namespace, enhancing: bool
) -> int:
    """Do all inputs. Returns the exit code: 0; 1 where a file could not be done; 2 where nothing
    could be begun; 130 when it was stopped by hand.

    enhancing: whether grey values are wanted, or temperatures where a file has them; else colours.
    """
    try:
        batch = _Batch(make(options), options, enhancing)
    except (ValueError, OSError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    try:
        return batch.run()
    except KeyboardInterrupt:
        print("stopped; what is done stays", file=sys.stderr)
        return 130


class _Batch:
    """The files of one command, and what has been said and written of them."""

    def __init__(self, method: Method, options: argparse.Namespace, enhancing: bool):
        self.method, self.options, self.enhancing = method, options, enhancing
        self.todo, self.problems = gather(options.inputs, options.out)
        self.inputs = {_place(source) for source, _ in self.todo}
        self.written: dict[Path, Path] = {}  # result -> what it was made of
        self.told: set[str] = set()

    def run(self) -> int:
        """All of them. Returns 1 where one could not be done, else 0."""
        for problem in self.problems:
            print(f"error: {problem}", file=sys.stderr)
        wrong, total, start = len(self.problems), len(self.todo), time.perf_counter()
        for number, (source, target) in enumerate(self.todo, start=1):
            begun = time.perf_counter()
            try:
                done = self._do(source, target)
            except (ValueError, OSError, MemoryError, RuntimeError) as problem:  # Runtime: torch's
                reason = (str(problem).splitlines() or [type(problem).__name__])[0]
                named = reason.startswith(str(source))
                print(f"error: {reason if named else f'{source}: {reason}'}", file=sys.stderr)
                wrong += 1
                continue
            now = time.perf_counter()
            left = f"; about {clock((now - start) / number * (total - number))} left"
            print(f"[{number}/{total}] {done}, {now - begun:.1f} s{left * (number < total)}",
                  flush=True)  # fmt: skip
        if wrong:
            print(f"{wrong} could not be done", file=sys.stderr)
        return int(wrong > 0)

    def _do(self, source: Path, target: Path) -> str:
        """One file; returns what to tell of it. Raises what reading, the method and writing do."""
        picture = files.read(source, radiometric=self.enhancing)
        asked = self.options.depth
        depth = max(map(files.depth_of, picture.pages)) if asked == "same" else int(asked)
        target = target.with_suffix(files.suffix_for(source, depth))
        self._check_free(target)
        pages, remarks = [], []
        for number, page in enumerate(picture.pages, start=1):
            try:
                made = self.method(page)
            except ValueError as problem:
                where = f", page {number}" if len(picture.pages) > 1 else ""
                raise ValueError(f"{source}{where}: {problem}") from None
            pages.append(tone.to_depth(made.levels, depth))
            remarks += made.remarks
        files.write(target, pages, picture.kept)
        self.written[target] = source
        self._tell_once(picture, source)
        return f"{target}: {_described(pages, remarks)}"

    def _check_free(self, target: Path) -> None:
        """Raise ValueError where a result would take the place of an input or of another result."""
        if target in self.written:
            raise ValueError(f"{target} has just been made of {self.written[target]}; do one alone")
        if _place(target) in self.inputs:
            raise ValueError(f"its result would replace the input {target}; choose another --out")
        if target.exists() and not self.options.overwrite:
            raise ValueError(f"{target} is there already; --overwrite replaces it")

    def _tell_once(self, picture: files.Picture, source: Path) -> None:
        remarks = set(picture.remarks)
        if self.enhancing and any(map(tone.is_coloured, picture.pages)):
            remarks.add("colour images become grey, by ITU-R 601 luma")
        for remark in sorted(remarks - self.told):
            print(f"note: {remark} (first in {source})")
        self.told |= remarks


def gather(inputs: Iterable[Path], out: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Every image file with where its result goes, in the order asked for; and what is wrong.

    In a folder all files are taken whose names end as those of images, without hidden ones and
    without what lies in `out`. Results have the path of their input below the folder that all have
    in common, so that a/x.png and b/x.png stay apart.
    """
    found, roots, problems = {}, [], []
    for path in inputs:
        if path.is_dir():
            inside = [file for file in sorted(path.rglob("*")) if _is_image(file, path, out)]
            if not inside:
                problems.append(f"{path} holds no PNG, JPEG or TIFF")
                continue
            roots.append(path.resolve())
        elif path.exists():
            inside = [path]
            roots.append(path.resolve().parent)
        else:
            problems.append(f"{path} is not there")
            continue
        found |= {_place(file): file for file in inside}
    base = os.path.commonpath(roots) if roots else ""
    return [(file, out / full.relative_to(base)) for full, file in found.items()], problems


def _is_image(file: Path, folder: Path, out: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    ours = file.resolve().is_relative_to(out.resolve()) and out.resolve() != folder.resolve()
    return file.suffix.lower() in files.SUFFIXES and file.is_file() and not hidden and not ours


def _place(file: Path) -> Path:
    """Where a file lies, whatever leads there; of a link where it lies itself."""
    return file.parent.resolve() / file.name


def _described(pages: list[np.ndarray], remarks: list[str]) -> str:
    """Size and depth of a result, the shares of its values at the ends, and remarks."""
    height, width = pages[0].shape
    kinds = [f"{width}x{height}", f"{pages[0].dtype.itemsize * 8} bits"]
    if len(pages) > 1:
        kinds.append(f"{len(pages)} pages")
    top = np.iinfo(pages[0].dtype).max
    black = np.mean([np.mean(page == 0) for page in pages])
    white = np.mean([np.mean(page == top) for page in pages])
    return ", ".join([*kinds, f"{black:.1%} black, {white:.1%} white", *dict.fromkeys(remarks)])
