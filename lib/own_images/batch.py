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

from lib.own_images import files, tone
from lib.own_images.methods import Method
from lib.own_images.shipped import FOLDER
from lib.printing import clock, say


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
        method = make(options)
        todo, problems = gather(options.inputs, options.out)
    except (ValueError, OSError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    try:
        wrong = len(problems) + _do_all(method, todo, options, enhancing)
    except KeyboardInterrupt:
        print("stopped; what is done stays", file=sys.stderr)
        return 130
    if wrong:
        print(f"{wrong} could not be done", file=sys.stderr)
    return int(wrong > 0)


def _do_all(
    method: Method, todo: list[tuple[Path, Path]], options: argparse.Namespace, enhancing: bool
) -> int:
    """Returns how many could not be done."""
    inputs = {_place(source) for source, _ in todo}
    written: dict[Path, Path] = {}  # result -> what it was made of
    told: set[str] = set()
    wrong, start = 0, time.perf_counter()
    for number, (source, target) in enumerate(todo, start=1):
        begun = time.perf_counter()
        try:
            picture = files.read(source, radiometric=enhancing)
            same = max(map(files.depth_of, picture.pages))
            depth = same if options.depth == "same" else int(options.depth)
            if depth == 16 and files.SUFFIXES[source.suffix.lower()] == files.JPEG:
                target = target.with_suffix(".png")  # a JPEG has no 16 bits
            if target in written:
                raise ValueError(f"{target} has just been made of {written[target]}; do one alone")
            if _place(target) in inputs:
                raise ValueError(f"its result would replace the input {target}; choose another "
                                 "--out")
            if target.exists() and not options.overwrite:
                raise ValueError(f"{target} is there already; --overwrite replaces it")
            done = _do(method, picture, depth, source, target)
        except (ValueError, OSError, MemoryError, RuntimeError) as problem:  # Runtime: torch's
            reason = (str(problem).splitlines() or [type(problem).__name__])[0]
            named = reason.startswith(str(source))
            print(f"error: {reason if named else f'{source}: {reason}'}", file=sys.stderr)
            wrong += 1
            continue
        written[target] = source
        remarks = set(picture.remarks)
        colour = [page for page in picture.pages if enhancing and page.ndim == 3]
        if any((page != page[..., :1]).any() for page in colour):
            remarks.add("colour images become grey, by ITU-R 601 luma")
        for remark in sorted(remarks - told):
            say(f"note: {remark} (first in {source})")
        told |= remarks
        now = time.perf_counter()
        left = f"; about {clock((now - start) / number * (len(todo) - number))} left"
        say(f"[{number}/{len(todo)}] {done}, {now - begun:.1f} s{left * (number < len(todo))}")
    return wrong


def _do(method: Method, picture: files.Picture, depth: int, source: Path, target: Path) -> str:
    """Write the result of one file. Returns its size and depth, the shares of its values at the
    ends, and remarks; raises what the method and writing do."""
    pages, remarks = [], []
    for number, page in enumerate(picture.pages, start=1):
        try:
            levels, told = method(page)
        except ValueError as problem:
            where = f", page {number}" if len(picture.pages) > 1 else ""
            raise ValueError(f"{source}{where}: {problem}") from None
        pages.append(tone.to_depth(levels, depth))
        remarks += told
    files.write(target, pages, picture.kept)
    height, width = pages[0].shape
    black = np.mean([np.mean(page == 0) for page in pages])
    white = np.mean([np.mean(page == np.iinfo(page.dtype).max) for page in pages])
    kinds = [f"{target}: {width}x{height}", f"{depth} bits"]
    kinds += [f"{len(pages)} pages"] if len(pages) > 1 else []
    return ", ".join([*kinds, f"{black:.1%} black, {white:.1%} white", *dict.fromkeys(remarks)])


def gather(inputs: Iterable[Path], out: Path) -> tuple[list[tuple[Path, Path]], list[str]]:
    """Every image file with where its result goes, in the order asked for; and what is wrong.

    In a folder all files are taken whose names end as those of images, without hidden ones and
    without what lies in `out`, if that is inside. Results have the path of their input below the
    folder that all have in common, so that a/x.png and b/x.png stay apart.
    """
    found, roots, problems = {}, [], []
    for path in inputs:
        folder = path.is_dir()
        inside = _images_below(path, out.resolve()) if folder else [path]
        if not path.exists():
            problems.append(f"{path} is not there")
        elif inside:
            roots.append(path.resolve() if folder else path.parent.resolve())
            found |= {_place(file): file for file in inside}
        else:
            problems.append(f"{path} holds no PNG, JPEG or TIFF")
    base = os.path.commonpath(roots) if roots else ""
    return [(file, out / full.relative_to(base)) for full, file in found.items()], problems


def _images_below(folder: Path, out: Path) -> list[Path]:
    made_here = folder.resolve() in out.parents
    return [file for file in sorted(folder.rglob("*"))
            if file.suffix.lower() in files.SUFFIXES and file.is_file()  # a link to itself is none
            and not any(part.startswith(".") for part in file.relative_to(folder).parts)
            and not (made_here and file.resolve().is_relative_to(out))]


def _place(file: Path) -> Path:
    """Where a file lies, whatever leads there; of a link where it lies itself."""
    return file.parent.resolve() / file.name
