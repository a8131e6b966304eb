"""Which data a number was computed from: the name and the SHA-256 fingerprint of a data set."""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lib.files import write_text
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
    digest of each file is cached by (path, size, modification time), so that a second call only
    has to ask for the status of each file.

    Raises ValueError naming a file that cannot be read or lies outside `root`.
    """
    root = Path(root).resolve()
    cache = cache_dir("fingerprints") / "digests.json"
    known = _read_digests(cache)
    news = {}
    total = hashlib.sha256()
    for file in sorted({Path(os.path.abspath(f)) for f in files}):
        try:
            name = file.relative_to(root).as_posix()
            status = file.stat()
            state = [status.st_size, status.st_mtime_ns]
            *known_state, digest = known.get(str(file), [None])
            if known_state != state:
                digest = hashlib.sha256(file.read_bytes()).hexdigest()
                news[str(file)] = [*state, digest]
        except (OSError, ValueError) as error:
            raise ValueError(f"{file}: no fingerprint can be taken: {error}") from error
        total.update(f"{name}\0{digest}\n".encode())
    if news:
        write_text(cache, json.dumps(_read_digests(cache) | news))
    return total.hexdigest()


def _read_digests(cache: Path) -> dict[str, list]:
    """Path -> size, modification time, SHA-256; empty where the file holds anything else."""
    try:
        found = json.loads(cache.read_text())
        sound = all(
            isinstance(size, int) and isinstance(time, int) and re.fullmatch("[0-9a-f]{64}", digest)
            for size, time, digest in found.values()
        )
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return found if sound else {}
