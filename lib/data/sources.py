"""Where data sets come from (data/sources.yaml), and whether a folder holds what was published.

A name such as "RoadScene (FLIR)" is a claim about the images. It is printed where the fingerprint
of the files is known: that of the files behind our own results, that of published checksums, or
the one that `lib.data.download` recorded in `downloads.json` of the data root. Any other folder
holds images "of your own".
"""

import csv
import hashlib
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path, PurePosixPath

import yaml

from lib.data import imagenet, pairs, sober_drunk
from lib.data.fingerprint import DataSet, of_files
from lib.paths import REPO

FILE = REPO / "data" / "sources.yaml"
LAYOUTS = {one.key: one for one in (pairs.ROADSCENE, pairs.MSRS, pairs.LLVIP, pairs.OSU)}
FOLDERS = ("imagenet", "sober_drunk", *LAYOUTS)
SUFFIXES = (*pairs.EXTENSIONS, ".tif", ".tiff")
OF_YOUR_OWN = "of your own"
OWN = {"imagenet": "images", "sober_drunk": "face sequences"}  # else pairs


@dataclass(frozen=True)
class Part:
    """A ZIP archive, or files fetched one by one. `{commit}` and `{n}` are filled in when read."""

    archive: str = ""  # address of a ZIP, or its name where only a browser can fetch it
    each: str = ""  # else what stands before the path of each file
    commit: str = ""  # full, or as much of it as is known
    rows: str = ""  # CSV in data/ with a row for each wanted file
    only: str = ""  # the rows of this `source`
    path: str = ""  # of columns of a row: where the file is in the archive or behind `each`
    to: str = ""  # of columns of a row: where it goes in the folder
    take: dict[str, str] = field(default_factory=dict)  # without rows: pattern of paths -> target

    def wanted(self) -> dict[str, str]:
        """Path of each file that is asked for by name -> where it goes; empty without `rows`."""
        if not self.rows:
            return {}
        with open(FILE.parent / self.rows, encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.DictReader(stream) if self.only in ("", row.get("source"))]
        return {self.path.format(**row): self.to.format(**row) for row in rows}

    def target(self, path: str) -> str | None:
        """Where a path of an archive goes by `take`, None where it is not wanted."""
        for pattern, target in self.take.items():
            if match := re.fullmatch(pattern, path, re.IGNORECASE):
                return match.expand(target)
        return None


@dataclass(frozen=True)
class Origin:
    """Where a data set comes from."""

    name: str
    title: str
    page: str
    licence: str  # as the source states it
    size: str
    holds: dict[str, int]  # files in each folder: at least so many in a complete copy
    folder: str = ""  # under the data root
    free: bool = False  # the licence restricts no use
    steps: str = ""  # what only a person can do
    square: int = 0  # images are cut to their centre square of so many pixels; 0: left as they are
    sha256: dict[str, str] = field(default_factory=dict)  # of files as published, where known
    fingerprints: tuple[str, ...] = ()  # of the files that our results were computed from
    parts: tuple[Part, ...] = ()


@cache
def read() -> dict[str, Origin]:
    """All origins by name, in the order of the file."""
    origins = {}
    for name, fields in yaml.safe_load(FILE.read_text(encoding="utf-8")).items():
        parts = []
        for part in fields.pop("parts", ()):
            for n in part.pop("numbers", [""]):
                filled = json.dumps(part).replace("{n}", str(n))
                parts.append(Part(**json.loads(filled.replace("{commit}", part.get("commit", "")))))
        origins[name] = Origin(name, **{"folder": name, **fields, "parts": tuple(parts)})
    return origins


def recorded(root: Path) -> dict[str, dict]:
    """What `lib.data.download` wrote down of what it fetched into a data root, by folder; raises
    ValueError where that is there and cannot be read."""
    path = root / "downloads.json"
    if not path.is_file():
        return {}
    with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        known = json.loads(path.read_text(encoding="utf-8"))
        form = {"files": dict, "fetched": dict, "date": str}
        if all(isinstance(record[part], kind) for record in known.values()
               for part, kind in form.items()):
            return known
    raise ValueError(f"{path} is damaged; move it away, and no data set counts as downloaded")


def look_at(folder: Path) -> None:
    """Raise ValueError naming what is called like an image in a data set, but is none that can be
    opened: a pipe, a device, a link that leads nowhere, a folder; or a data set that is no folder.

    To open a pipe would wait for ever. Nothing is said of a data set that is not there.
    """
    if not folder.is_dir():
        if os.path.lexists(folder):
            raise ValueError(f"{folder} is no folder, or a link that leads nowhere; remove it")
        return
    try:
        entries = [*os.scandir(folder)]  # which know of most what they are without asking each
    except PermissionError:
        raise ValueError(f"{folder} cannot be read: permission denied") from None
    for entry in entries:
        whole = Path(entry).is_file() if entry.is_symlink() else entry.is_file()
        if entry.name.lower().endswith(SUFFIXES) and not whole:
            raise ValueError(f"{entry.path} is no file, or a link that leads nowhere; remove it")
        suffix = Path(entry.name).suffix
        if suffix.lower() in (".tif", ".tiff") and not suffix.islower():  # Sober-Drunk's alone
            raise ValueError(f"{entry.path}: write {suffix} in lower case")
        if entry.is_dir(follow_symlinks=False):
            look_at(Path(entry))


def files(root: Path, folder: str) -> list[Path]:
    """The files that the kit takes of a folder. Raises ValueError as the loaders do."""
    look_at(root / folder)
    if folder == "imagenet":
        return list(imagenet.list_files(root).values())
    if folder == "sober_drunk":
        return list(sober_drunk.list_files(root / folder).values())
    return [file for pair in pairs.list_pairs(root, LAYOUTS[folder]).values() for file in pair]


def fingerprint_of(digests: dict[str, str]) -> str:
    """What `of_files` gives for files of these names and SHA-256."""
    ordered = sorted(digests, key=PurePosixPath)
    return hashlib.sha256("".join(f"{n}\0{digests[n]}\n" for n in ordered).encode()).hexdigest()


def known(root: Path, folder: str) -> set[str]:
    """Fingerprints of the files of a folder that make it a published set (see the head)."""
    found = {fingerprint_of(recorded(root).get(folder, {}).get("files", {}))}
    for origin in read().values():
        if origin.folder == folder:
            found |= {*origin.fingerprints, fingerprint_of(origin.sha256)}
    return found


def as_printed(dataset: DataSet) -> DataSet:
    """The data set with a name that claims no more than its fingerprint shows."""
    if dataset.root is None or dataset.root.name not in FOLDERS:
        return dataset
    root, folder = dataset.root.parent, dataset.root.name
    there = files(root, folder)
    if of_files(there, dataset.root) in known(root, folder):
        return dataset
    kind = OWN.get(folder, "pairs")
    count = len(there) // (1 if folder in OWN else 2)
    # what stands behind the name says how the images are taken, and stays: ", infrared"
    name = re.sub(r"^[^(,]*(\(.*?\))?", f"{count} {kind} {OF_YOUR_OWN}", dataset.name, count=1)
    return replace(dataset, name=name)
