"""Arrays that take seconds to make, kept under a key of all that they depend on."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from lib.files import write_atomically
from lib.paths import cache_dir
from lib.provenance import digest

BLOCK = 64  # bytes: of a SHA-256 in hexadecimal digits, and what arrays are aligned to


def pack(
    kind: str, key: list | dict, make: Callable[[], dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """What `make` returns, from the cache where it has been made before.

    Args:
        kind: how the file is called, e.g. "enhancement".
        key: plain JSON values of all that the arrays depend on: fingerprints of data, settings, and
            of the code that makes them `lib.provenance.identity(...)`.
        make: gives arrays by name, none of them empty.

    The arrays are mapped from the file, so they may be larger than the memory; writing to them does
    not change the file. Its SHA-256 is checked each time. A damaged file is made again, and a line
    says so.
    """
    path = cache_dir("packs") / f"{kind}-{digest(key)}.pack"
    if not path.exists():
        _write(path, make())
    elif not _is_whole(path):
        print(f"{path} is damaged and is made again")
        _write(path, make())
    return _read(path)


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """SHA-256 of what follows, a line of JSON with types and shapes, the bytes of the arrays."""
    head = json.dumps({name: [array.dtype.str, array.shape] for name, array in arrays.items()})
    content = [np.frombuffer(f"{head}\n".encode(), np.uint8)]
    content += [np.ascontiguousarray(array).reshape(-1).view(np.uint8) for array in arrays.values()]
    blocks = [part for block in content for part in (block, bytes(-len(block) % BLOCK))]
    checksum = hashlib.sha256()
    for block in blocks:
        checksum.update(block)

    def write(temporary: Path) -> None:
        with open(temporary, "wb") as stream:
            stream.writelines([checksum.hexdigest().encode(), *blocks])

    write_atomically(path, write)


def _is_whole(path: Path) -> bool:
    with open(path, "rb") as stream:
        stated = stream.read(BLOCK)
        return stated == hashlib.file_digest(stream, "sha256").hexdigest().encode()


def _read(path: Path) -> dict[str, np.ndarray]:
    with open(path, "rb") as stream:
        stream.seek(BLOCK)
        head = json.loads(stream.readline())
        at = stream.tell()
    arrays = {}
    for name, (dtype, shape) in head.items():
        at += -at % BLOCK
        mapped = np.memmap(path, dtype, "c", at, tuple(shape))
        arrays[name] = np.asarray(mapped)
        at += mapped.nbytes
    return arrays
