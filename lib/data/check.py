"""Look at a data root before hours of training do.

    python -m lib.data.check --data DIR

Says of each data set what is there, under which name it is printed, and what is wrong with it:
files that cannot be read or were altered since their download, halves of pairs, images that stand
in training and in test, too few to use. Exit code: 0 when all that is there is usable, 1 when not,
2 when there is no such folder.
"""

import argparse
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from os.path import lexists
from pathlib import Path

import numpy as np
from PIL import Image

from lib.data import catalogue, imagenet, pairs, sober_drunk, sources, splits
from lib.data.images import open_image
from lib.files import sha256
from lib.paths import data_root

ALIKE = 0.975  # correlation of thumbnails: lib.data.imagenet excludes twins by it
SHOWN = 20  # problems of one data set


@dataclass
class State:
    """What a folder of the data root holds."""

    files: list[Path] = field(default_factory=list)
    split: dict[Path, str] = field(default_factory=dict)  # "train", "validation", "test" or none
    problems: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)  # images that training and test have in common

    def tell(self, work: Callable, items: Iterable, at_once: int = 4) -> dict:
        """`work` of each item, without those where it raises ValueError, which is a problem."""
        with ThreadPoolExecutor(at_once) as threads:
            waiting = {item: threads.submit(work, item) for item in items}
        done = {}
        for item, future in waiting.items():
            try:
                done[item] = future.result()
            except ValueError as error:
                self.problems.append(str(error))
        return done


def examine(root: Path, folder: str) -> State:
    """What is wrong with a data set that is there."""
    state, place = State(), root / folder
    try:
        state.files = sources.files(root, folder)
        {"imagenet": _imagenet, "sober_drunk": _faces}.get(folder, _pairs)(state, root, folder)
    except ValueError as error:  # the layout is broken, or it cannot be divided
        told = str(error)
        state.problems.append(told if str(root) in told else f"{place}: {told}")
    known = state.tell(sources.recorded, [root]).get(root, {}).get(folder, {"files": {}})
    downloaded = {place / name: digest for name, digest in known["files"].items()}
    digests = state.tell(_digest, {*state.files, *downloaded})
    state.problems += [
        f"{path} {'was altered' if lexists(path) else 'is gone'} since the download of "
        f"{known['date']}" for path, digest in downloaded.items() if digests[path] != digest
    ]
    named = "".join(state.problems + state.shared)
    split = {path: side for path, side in state.split.items() if str(path) not in named}
    train = {digests[path]: path for path, side in split.items() if side == "train"}
    state.shared += [f"{path} is a copy of {train[digests[path]]}, which is in training"
                     for path, side in split.items()
                     if side in ("validation", "test") and digests[path] in train]
    return state


def _digest(path: Path) -> str:
    with suppress(OSError):
        if path.is_file():  # a pipe would wait for ever
            return sha256(path)
    return str(path)  # named already, as it cannot be read, or gone


def _imagenet(state: State, root: Path, folder: str) -> None:
    files = imagenet.list_files(root)
    small = state.tell(_thumbnail, files.values())
    split_of = splits.by_hash(files, imagenet.stored_twins(files))
    state.split = {files[name]: split for name, split in split_of.items()}
    train, test = ([path for path, split in state.split.items() if split in sides and path in small]
                   for sides in (("train",), ("validation", "test")))
    if not train or not test:
        return
    known, asked = (np.stack([small[path] for path in paths]) for paths in (train, test))
    for turned in (asked, asked[:, :, ::-1]):  # left and right exchanged
        alike = turned.reshape(len(test), -1) @ known.reshape(len(train), -1).T
        state.shared += [f"{test[i]} shows what {train[j]} shows, which is in training"
                         for i, j in np.argwhere(alike > ALIKE)]


def _thumbnail(path: Path) -> np.ndarray:
    """(32, 32) of mean 0 and norm 1."""
    small = open_image(path, "L").resize((32, 32), Image.Resampling.BOX)
    centred = np.asarray(small, np.float32) - np.mean(small)
    return centred / max(np.linalg.norm(centred), 1e-6)


def _faces(state: State, root: Path, folder: str) -> None:
    files, split_of = sober_drunk.list_files(root / folder), sober_drunk.read_split()
    frames = state.tell(sober_drunk.load_frames, files.values(), at_once=1)  # tifffile's one log
    widths = {path: of.shape[2] for path, of in frames.items()}
    if widths and (odd := sober_drunk.of_other_width(widths)):
        state.problems.append(f"{odd}: frames of another width than most")
    state.split = {path: split_of.get(person, "") for (person, _), path in files.items()}
    state.problems += [f"{path}: its person has no split in data/splits/sober_drunk.csv"
                       for path, split in state.split.items() if not split]
    there = {(split_of.get(person), number) for person, number in files}
    state.problems += [f"{root / folder / name}: too few persons: none is for the split {split}"
                       for split in splits.SPLITS for number, name in sober_drunk.STATES.items()
                       if (split, number) not in there]


def _pairs(state: State, root: Path, folder: str) -> None:
    layout = sources.LAYOUTS[folder]
    found = pairs.list_pairs(root, layout)
    whole = state.tell(lambda files: pairs.read_pair(files, 32), found.values())
    if len(found) < layout.least:
        state.problems.append(f"{root / folder}: too few: {len(found)} pairs of at least "
                              f"{layout.least}, so that they are not used")
    elif len(whole) == len(found):
        for name, (_, side) in pairs.divide(found, layout).items():
            state.split |= dict.fromkeys(found[name], side)


def report(root: Path, folders: Iterable[str]) -> bool:
    """Print a line on each folder, and one on each problem. Returns whether all is usable."""
    told = []
    print(f"data root {root}\n{'folder':12} {'files':>6}  {'state':10} printed as")
    for folder in folders:
        there = lexists(root / folder)
        state = examine(root, folder) if there else State()
        key = next(key for key, its in catalogue.DATA_SETS.items() if folder in its.folders)
        try:
            dataset = catalogue.describe(key, root)
            used = dataset.root == root / folder or not there and dataset.root is None
            name = dataset.name if used else f"not used, {dataset.name} is"
        except ValueError as problem:
            name = "not used"
            if there and not (state.problems or state.shared):
                state.problems.append(str(problem))
        problems = state.problems + state.shared
        verdict = (f"{len(problems)} wrong" if problems else "usable") if there else "absent"
        print(f"{folder:12} {len(state.files):6}  {verdict:10} {name}")
        told += problems[:SHOWN]
        if more := problems[SHOWN:]:
            told.append(f"{root / folder}: {len(more)} more problems")
    print("".join(f"{one}\n" for one in told), end="")
    return not told


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.data.check",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="data root; default $IR_DATA, else data/")
    try:
        root = data_root(parser.parse_args(arguments).data)
    except FileNotFoundError as error:
        parser.error(str(error))
    return 0 if report(root, sources.FOLDERS) else 1


if __name__ == "__main__":
    sys.exit(main())
