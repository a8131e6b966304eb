"""Files that a kill at any moment leaves whole, and locks that end with their process."""

import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from filelock import FileLock, Timeout


def write_atomically(path: Path, write: Callable[[Path], None]) -> Path:
    """Call `write` with a temporary path beside `path`, then move the file into place.

    Makes the folder if need be; returns `path`. What a killed write of the same file left behind
    is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    host = socket.gethostname()
    for old in path.parent.glob(f".{path.name}.{host}-*"):
        if not psutil.pid_exists(int(old.name.rpartition(f"{host}-")[2].partition("-")[0])):
            old.unlink(missing_ok=True)
    place = f"{host}-{os.getpid()}-{threading.get_ident()}"
    temporary = path.with_name(f".{path.name}.{place}")
    try:
        write(temporary)
        os.chmod(temporary, 0o644)  # some writers make it private
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_text(path: Path, text: str) -> Path:
    """Write UTF-8 text atomically, with the line ends as they are given."""
    return write_atomically(path, lambda temporary: temporary.write_bytes(text.encode()))


@contextmanager
def telling(*places: Path) -> Iterator[None]:
    """Let a write that fails within say where: a full disk names no file, and torch.save none of
    the disk. Raises OSError in one line."""
    where = " or ".join(map(str, places))
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise  # it says all
        raise OSError(f"{where}: {error.strerror}; mend that and run the same again") from error
    except RuntimeError as error:
        if "inline_container" not in str(error):  # where PyTorch writes its files
            raise
        raise OSError(f"{where}: a checkpoint cannot be written, is the disk full?") from error


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, 64 hexadecimal digits."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def only_one(path: Path, message: str, wait: float = 0) -> Iterator[None]:
    """Hold the lock file `path`, which ends with this process, however it ends.

    Raises BlockingIOError with `message` where another process holds it for longer than `wait`
    seconds.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=wait):
            yield
    except Timeout:
        raise BlockingIOError(message) from None
