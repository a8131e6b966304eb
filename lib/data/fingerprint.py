"""Which data a number was computed from: the name and the SHA-256 fingerprint of a data set."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lib.files import sha256, write_text
from lib.paths import cache_dir


@dataclass(frozen=True)
class DataSet:
    """A data set as it stands in tables and run records."""

    key: str  # of lib.data.catalogue
    name: str  # as printed, e.g. "ImageNet-5504" or "synthetic thermal faces"
    fingerprint: str  # SHA-256, 64 hexadecimal digits: of the images and of how they are divided
    root: Path | None  # the folder the files are in; None for an embedded default


def of_values(*values) -> str:
    """SHA-256 of plain JSON values: 64 hexadecimal digits."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def of_files(files: Iterable[Path], root: Path) -> str:
    """SHA-256 over the names relative to `root` (sorted) and the contents of `files`.

    Moving the data root, or touching a file without changing it, leaves the fingerprint alone. The
    digest of each file is cached by (path, size, times of modification and of change, which no
    program sets at will), so that a second call only has to ask for the status of each file.

    Raises ValueError naming a file that cannot be read or lies outside `root`.
    """
    root = Path(os.path.abspath(root))  # not resolved: a folder of it may be a link
    cache = cache_dir("fingerprints") / "digests.json"
    known, found, total = _known(cache), {}, hashlib.sha256()
    for file in sorted({Path(os.path.abspath(f)) for f in files}):
        try:
            name, status = file.relative_to(root).as_posix(), file.stat()
            state = f"{file} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
            found[state] = known.get(state) or sha256(file)
        except (OSError, ValueError) as error:
            raise ValueError(f"{file}: no fingerprint can be taken: {error}") from error
        total.update(f"{name}\0{found[state]}\n".encode())
    if not found.keys() <= known.keys():
        digests = _known(cache) | found
        write_text(cache, json.dumps({"digests": digests, "sha256": of_values(digests)}))
    return total.hexdigest()


def _known(cache: Path) -> dict[str, str]:
    """The digests in the cache; none where the file is not readable, or not as it was written."""
    try:
        known = json.loads(cache.read_text())
        return known["digests"] if known["sha256"] == of_values(known["digests"]) else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}
