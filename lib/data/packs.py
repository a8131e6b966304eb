"""Arrays that take seconds to make, kept under a key of all that they depend on."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from lib.files import sha256, write_atomically, write_text
from lib.paths import cache_dir
from lib.provenance import digest


def pack(
    kind: str, key: list | dict, make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """What `make` returns, from the cache where it has been made before.

    Args:
        kind: how the folder is called, e.g. "enhancement".
        key: plain JSON values of all that the arrays depend on: fingerprints of data, settings, and
            of the code that makes them `lib.provenance.identity(...)`.
        make: gives arrays by name, none of them empty.

    The arrays are mapped from their files, so they may be larger than the memory; writing to them
    does not change the files. Their SHA-256 is checked each time. A damaged pack is made again, and
    a line says so.
    """
    folder = cache_dir("packs") / f"{kind}-{digest(key)}"
    listed = folder / "SHA256.json"  # written last: where it is, all is
    if listed.exists():
        try:
            return _read(folder, json.loads(listed.read_text()))
        except (OSError, ValueError):
            print(f"{folder} is damaged and is made again")
    for name, array in (arrays := make()).items():
        write_atomically(folder / f"{name}.npy", partial(_save, array))
    known = {name: sha256(folder / f"{name}.npy") for name in arrays}
    write_text(listed, json.dumps(known))
    return _read(folder, known)


def _save(array: np.ndarray, path: Path) -> None:
    with open(path, "wb") as stream:  # given a path, numpy would put .npy behind it
        np.save(stream, array, allow_pickle=False)


def _read(folder: Path, known: dict[str, str]) -> dict[str, np.ndarray]:
    """Raises ValueError where the arrays are not those of these checksums, or there is none."""
    paths = {path.stem: path for path in folder.glob("*.npy") if path.is_file()}  # a pipe waits
    if not paths or known != {name: sha256(path) for name, path in paths.items()}:
        raise ValueError(f"{folder} does not hold the arrays that are listed")
    return {name: np.asarray(np.load(paths[name], mmap_mode="c")) for name in known}
