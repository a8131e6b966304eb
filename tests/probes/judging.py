"""How a probe ended, decided by rules.

    right       a result, and the one that the probe says is right
    clear       refused in one line that names the file or the option
    confusing   a traceback, a line that names nothing or several lines; a good thing refused
    hang        not over after `SECONDS`
    wrong       a result that is not right, in silence
    lost        what had to stay is gone or altered
"""

import contextlib
import io
import os
import re
import shutil
import signal
import stat
import tempfile
import traceback
import warnings
from argparse import ArgumentError
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from lib.networks.weights import PretrainedUnavailable
from lib.training.engine import TrainingDiverged

RIGHT, CLEAR, CONFUSING, HANG, WRONG, LOST = KINDS = (
    "right", "clear", "confusing", "hang", "wrong", "lost")
SECONDS = 60  # of a loaded machine, too
# what the command lines turn into one line; all else is a traceback to whoever calls them
REFUSALS = (ValueError, OSError, PretrainedUnavailable, TrainingDiverged, ArgumentError)


@dataclass
class Case:
    """What is tried, and what may come of it.

    call: what a user would do; a returned `Told` is what a command line printed.
    named: texts of which a refusal has to hold one; none: any one line will do.
    right: says of what `call` returned why it is wrong, empty where it is right; None: no result
        is right, only a refusal.
    good: there is nothing to refuse.
    kept: files that have to be afterwards what they were.
    """

    call: Callable[[], object]
    named: Sequence[object] = ()
    right: Callable[[object], str] | None = None
    good: bool = False
    kept: Sequence[Path] = ()


@dataclass(frozen=True)
class Probe:
    """`make` sets a case up in a folder that is empty but for what `stage` has made there."""

    area: str
    name: str
    make: Callable[[Path], Case] = field(repr=False)


@dataclass(frozen=True)
class Verdict:
    probe: Probe
    kind: str
    told: str

    def __str__(self) -> str:
        return f"{self.kind:9} {self.probe.area}: {self.probe.name}: {self.told[-400:]}"


@dataclass(frozen=True)
class Told:
    """What a command line ended with and printed."""

    code: int
    out: str
    err: str


def command(main: Callable, *arguments: object) -> Told:
    """Run a command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:  # argparse's
            code = end.code
    return Told(code, out.getvalue(), err.getvalue())


def judge(probe: Probe) -> Verdict:
    """Try a probe in a folder and an environment of its own."""
    place = Path(tempfile.mkdtemp(prefix="probe-"))
    try:
        with _as_before():
            case = probe.make(place)
            before = {path: path.read_bytes() for path in case.kept}
            kind, told = _end(case, place)
            lost = [path for path, content in before.items()
                    if not path.is_file() or path.read_bytes() != content]
            if lost:
                kind, told = LOST, f"{lost[0]}; {told}"
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return Verdict(probe, kind, told.replace(str(place), "."))


def _end(case: Case, place: Path) -> tuple[str, str]:
    try:
        with _limited(place), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = case.call()
    except _TooLong:
        return HANG, f"not over after {SECONDS} s"
    except REFUSALS as error:
        return _refusal(case, str(error))
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        told = f"{type(error).__name__}: {error} ({frame.filename}:{frame.lineno})"
        return CONFUSING, told.replace("\n", " ")
    if isinstance(result, Told) and result.code:
        if "Traceback" in result.err + result.out:
            return CONFUSING, result.err
        # argparse tells its usage first, a batch how many failed last; checks print their verdicts
        lines = re.sub(r"^usage:.*\n(\s+.*\n)*|^\d+ could not be done$", "", result.err,
                       flags=re.MULTILINE).strip().splitlines() or [
            line for line in result.out.splitlines() if _names(case, line)][:1]
        return _refusal(case, "\n".join(lines))
    try:
        wrong = "not refused" if case.right is None else case.right(result)
    except Exception as error:  # it is so odd that it cannot be looked at
        wrong = f"{type(result).__name__} of another form: {error!r}"
    return (WRONG, wrong) if wrong else (RIGHT, "")


def _refusal(case: Case, text: str) -> tuple[str, str]:
    if case.good:
        return CONFUSING, f"refused, though good: {text}"
    if len(text.splitlines()) != 1 or not _names(case, text):
        return CONFUSING, f"no single line that names {' or '.join(map(str, case.named))}: {text}"
    return CLEAR, text


def _names(case: Case, line: str) -> bool:
    return not case.named or any(str(name) in line for name in case.named)


class _TooLong(BaseException):
    """So that no handler of exceptions takes it for an answer."""


@contextlib.contextmanager
def _limited(place: Path) -> Iterator[None]:
    """Raise _TooLong after SECONDS; threads that wait for a FIFO are let go."""

    def stop(*_) -> None:
        for path in place.rglob("*"):
            if stat.S_ISFIFO(path.lstat().st_mode):
                os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
        raise _TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS, 0.5)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def _as_before() -> Iterator[None]:
    """Environment, folder, threads and signals are afterwards what they were."""
    environment, folder, threads = dict(os.environ), Path.cwd(), torch.get_num_threads()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        torch.set_num_threads(threads)
        for number, handler in handlers.items():
            signal.signal(number, handler)
