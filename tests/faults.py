"""Break runs of the kit in every way there is, and see whether the next run mends it.

    python -m tests.faults --kills 30

For each fault: does the next run end with the same bytes (weights, histories, metrics of each image,
tables, numbers.csv) as one that nothing disturbed, or is there one line that says what to do? What
else may happen is told: a process or a temporary file that is left, a traceback, other bytes.
Needs Linux with `unshare` and `ip` (for full and read-only disks, and for no network), 2 GB of memory and
16 minutes on two quiet cores. Everything is made in a temporary folder; exit code 1: something failed.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from lib.paths import REPO, cache_dir

RUN = ("./run_all.sh", "--profile", "test", "--only", "14_2dgan_table5")
TRAIN = (sys.executable, "-P", "-m", "lib.train", "--profile", "test", "--experiment", "C5")
NUMBERS = (sys.executable, "-P", "-c", "from lib.results.numbers import collect; collect('test')")
PUBLISH = (*RUN[:3], "--publish")
COMPARED = ("runs/*/*/*.safetensors", "runs/*/*/*.csv", "runs/*/*/*.png", "runs/*/*/*.npz",
            "tables/*.csv", "figures/*", "numbers.csv")
GRACE = 20  # seconds in which all processes of a killed run have to end by themselves
SAME, REFUSED = "same bytes", "refused in one line"
NO_NETWORK = ("unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh")


class Place:
    """Results, cache, data and temporary files of one try."""

    def __init__(self, folder: Path):
        self.folder, self.results, self.cache = folder, folder / "results", folder / "cache"
        for name in ("results", "cache", "data", "tmp"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def environment(self) -> dict[str, str]:
        return {**os.environ, "IR_RESULTS": str(self.results), "IR_CACHE": str(self.cache),
                "IR_DATA": str(self.folder / "data"), "TMPDIR": str(self.folder / "tmp"),
                "PYTHONPATH": str(REPO), "IR_CHECKPOINT_SECONDS": "1",
                "IR_WEIGHTS": os.environ.get("IR_WEIGHTS") or str(cache_dir("weights"))}

    def start(self, *command: str, **changed: str) -> subprocess.Popen:
        log = open(self.folder / f"log{time.monotonic_ns()}", "w+b")
        process = subprocess.Popen(command, cwd=REPO, env=self.environment() | changed, stdout=log,
                                   stderr=subprocess.STDOUT, start_new_session=True)
        process.log = Path(log.name)
        return process

    def run(self, *command: str, **changed: str) -> subprocess.Popen:
        process = self.start(*command, **changed)
        process.wait()
        return process

    def processes(self) -> list[psutil.Process]:
        """All that work in this place."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("IR_RESULTS") == str(self.results):
                    found.append(process)
        return found

    def bytes(self) -> dict[str, str]:
        """File -> SHA-256 of all that has to be the same."""
        results = self.results / "test"
        return {str(path.relative_to(results)): hashlib.sha256(path.read_bytes()).hexdigest()
                for pattern in COMPARED for path in results.glob(pattern)}

    def left(self) -> list[str]:
        """Temporary files, and processes, that should not be there once a run has ended."""
        end = time.monotonic() + GRACE
        while (alive := self.processes()) and time.monotonic() < end:
            time.sleep(0.1)
        files = [path for path in (self.folder / "tmp").rglob("*") if path.is_file()]
        for path in (*self.results.rglob("*"), *self.cache.rglob("*")):
            hidden = path.name.startswith(".") and path.name != ".lock" and path.is_file()
            if hidden or path.suffix in (".begun", ".part") or path.name == "training":
                files.append(path)
        return [f"process {one.pid}: {' '.join(quiet(one.cmdline))[-80:]}" for one in alive] + [
            str(path.relative_to(self.folder)) for path in files]


class Trial:
    """The faults, and a table of what came of them."""

    def __init__(self, folder: Path, seed: int, kills: int):
        self.folder, self.kills, self.random = folder, kills, random.Random(seed)
        self.found: dict[str, Counter] = defaultdict(Counter)
        self.places, self.longest = 0, 0.0
        whole = self.place()
        start = time.monotonic()
        assert whole.run(*RUN).returncode == 0, whole.folder
        self.seconds = time.monotonic() - start
        whole.run(*NUMBERS)
        self.whole, self.cache, self.done = whole.bytes(), whole.cache, whole.results
        assert len(self.whole) > 20 and not whole.left(), whole.left()

    def place(self, cache: Path | None = None) -> Place:
        self.places += 1
        place = Place(self.folder / f"place{self.places}")
        if cache:
            shutil.copytree(cache, place.cache, dirs_exist_ok=True)
        return place

    def half_done(self) -> Place:
        """Where a training and what reads it are missing."""
        place = self.place(self.cache)
        shutil.copytree(self.done, place.results, dirs_exist_ok=True)
        results = place.results / "test"
        for folder in ("runs/C5", "tables", "figures", "executed"):
            shutil.rmtree(results / folder)
        for pattern in ("numbers.csv", "stamps/C5_*", "stamps/14_*"):
            for file in results.glob(pattern):
                file.unlink()
        return place

    def note(self, fault: str, outcome: str) -> None:
        self.found[fault][outcome] += 1
        print(f"{fault}: {outcome}", flush=True)

    def finish(self, fault: str, place: Place, *command: str) -> None:
        """The next run: it has to end with the same bytes, and to leave nothing behind."""
        process = place.run(*(command or RUN))
        if process.returncode:
            self.note(fault, f"the next run failed: {last_line(process)}")
            return
        place.run(*NUMBERS)
        there, left = place.bytes(), place.left()
        wanted = {name: of for name, of in self.whole.items() if not command or "runs/C5/" in name}
        other = sorted(name for name, of in wanted.items() if there.get(name) != of)
        self.note(fault, f"other bytes: {other}" if other else f"left: {left}" if left else SAME)
        if not (other or left):
            shutil.rmtree(place.folder, ignore_errors=True)  # some of it may be read-only

    def told(self, fault: str, process: subprocess.Popen, lines: int = 1, note: bool = True) -> bool:
        """Whether a run that could not go on says why, in one line (run_all.sh: one for each job,
        and one for all)."""
        text = process.log.read_text(errors="replace")
        wrong = [line for line in text.splitlines() if line and not line.startswith("[")]
        said = [line for line in wrong if line.startswith(("error:", "run_all.sh:", "failed:"))]
        good = process.returncode > 0 and "Traceback" not in text and 0 < len(said) <= lines
        if note or not good:
            self.note(fault, REFUSED if good else f"told so: {text[-600:]!r} ({process.returncode})")
        return good

    # ---- kills

    def kill_runs(self) -> None:
        """One run after the other is killed at a random moment, until one comes to its end; then
        the next begins again, with one training and the notebook to do."""
        whom = ("run_all", "group", "snakemake", "training", "kernel")
        how = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
        place, names = self.half_done(), []
        for k in range(self.kills):
            process = place.start(*RUN)
            wanted = whom[k % len(whom)]
            number = how[k // len(whom) % len(how)]
            end = time.monotonic() + self.random.uniform(0, self.seconds / 3)
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            if wanted in ("training", "kernel"):  # which there is at its time alone
                while process.poll() is None and not victim(place, process, wanted):
                    time.sleep(0.05)
                time.sleep(self.random.uniform(0, 2))
            if process.poll() is None:
                target = victim(place, process, wanted) or psutil.Process(process.pid)
                name = f"{number.name} to {wanted if target.pid != process.pid else 'run_all'}"
                with suppress(ProcessLookupError, psutil.Error):
                    if wanted == "group":
                        os.killpg(process.pid, number)
                        name = f"{number.name} to the process group"
                    else:
                        target.send_signal(number)
                process.wait()
                names.append(name)
                self.look(name, place, process)
            if process.returncode == 0 or k + 1 == self.kills:
                self.finish_all(names, place)
                place, names = self.half_done(), []

    def look(self, name: str, place: Place, process: subprocess.Popen) -> None:
        """What a killed run said, and whether a process of it lives on."""
        start = time.monotonic()
        if alive := [one for one in place.left() if one.startswith("process")]:
            self.note(name, f"left: {alive}")
        self.longest = max(self.longest, time.monotonic() - start)
        text = process.log.read_text(errors="replace")
        if "Traceback" in text:
            self.note(name, f"a traceback that ends in {text[text.index('Traceback') :][-500:]!r}")

    def finish_all(self, names: list[str], place: Place) -> None:
        for name in names[1:]:  # one end for all of them
            self.found[name]["of a chain"] += 1
        if names:
            self.finish(names[0], place)
            outcome = list(self.found[names[0]])[-1]
            for name in names[1:]:
                self.found[name]["of a chain"] -= 1
                self.found[name][outcome] += 1

    # ---- disks

    def disk_is_full(self, sizes: int = 4) -> None:
        for name, folder in (("results", "results"), ("cache", "cache")):
            for k in range(sizes):
                place = self.place(None if folder == "cache" else self.cache)
                needed = 2500 if folder == "results" else 1200  # KiB that C5 takes there
                with mounted(place.folder / folder, f"size={4 + needed * k // sizes}k"):
                    process = place.run(*TRAIN)
                    fault = f"disk full of {name}, by hand"
                    if process.returncode and not self.told(fault, process, note=False):
                        continue
                    mount("-o", "remount,size=2g", str(place.folder / folder))
                    self.finish(fault, place, *TRAIN)
        place = self.place(self.cache)
        with mounted(place.results, "size=300m"):
            self.told("disk full before run_all", place.run(*RUN))
        for k in range(sizes // 2):
            place = self.place(self.cache)
            with mounted(place.results, "size=600m"):
                process = place.start(*RUN)
                time.sleep(self.random.uniform(0.3, 0.95) * self.seconds)
                filler = place.results / "filler"
                free = shutil.disk_usage(place.results).free - self.random.randrange(4000, 200_000)
                with suppress(OSError):
                    filler.write_bytes(bytes(free))
                process.wait()
                fault = "disk filled while run_all runs"
                filler.unlink()
                if process.returncode and not self.told(fault, process, 2, note=False):
                    continue
                self.finish(fault, place)

    def read_only(self) -> None:
        place = self.place(self.cache)
        place.results.joinpath("test").mkdir()
        with bound_read_only(place.results):
            self.told("read-only results", place.run(*RUN))
        self.finish("read-only results, then writable", place)
        place = self.place()
        with bound_read_only(place.cache):
            self.told("read-only, empty cache", place.run(*TRAIN))
        place = self.place(self.cache)
        with bound_read_only(place.cache):
            self.finish("read-only cache that has all", place)
        place = self.place(self.cache)
        with bound_read_only(place.folder / "data"):
            self.finish("read-only data", place)
        place = self.place(self.cache)
        with bound_read_only(REPO):
            self.told("read-only clone, results in it", place.run(*RUN, IR_RESULTS=""))
            self.finish("read-only clone, results elsewhere", place)

    def no_network(self) -> None:
        place = self.place(self.cache)
        missing = place.folder / "weights"
        fault = "no network, no pretrained weights"
        self.told(fault, place.run(*NO_NETWORK, *TRAIN, IR_WEIGHTS=str(missing)))
        self.told(fault, place.run(*NO_NETWORK, *RUN, IR_WEIGHTS=str(missing)), 2)
        self.finish(f"{fault}, then there", place)
        place = self.place(self.cache)
        process = place.run(*NO_NETWORK, *RUN)
        assert process.returncode == 0, process.log
        self.finish("no network, all there", place)

    # ---- the clock, and two at once

    def clock_set_back(self) -> None:
        """By a day: what was written before it is of tomorrow."""
        for share in (0.3, 0.6, 2):
            place = self.place(self.cache)
            process = place.start(*RUN)
            with suppress(subprocess.TimeoutExpired):
                process.wait(share * self.seconds)
            if process.poll() is None:
                process.terminate()
                process.wait()
            tomorrow = time.time() + 86_400
            for path in (*place.results.rglob("*"), *place.cache.rglob("*")):
                os.utime(path, (tomorrow, tomorrow))
            self.finish("clock set back between two runs", place)

    def two_at_once(self) -> None:
        place = self.place(self.cache)
        process = place.start(*RUN)
        while "] step " not in process.log.read_text() and process.poll() is None:
            time.sleep(0.1)
        for name, command in (("run_all", RUN), ("lib.train", TRAIN), ("--publish", PUBLISH)):
            self.told(f"{name} while run_all runs", place.run(*command))
        process.wait()
        self.finish("run_all, disturbed by others", place)
        place = self.place(self.cache)
        process = place.start(*TRAIN)
        while "C5 (" not in process.log.read_text() and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGSTOP)  # holding its lock
        self.told("lib.train twice on one run", place.run(*TRAIN))
        self.told("run_all while lib.train runs", place.run(*RUN))
        process.send_signal(signal.SIGCONT)
        process.wait()
        self.finish("lib.train, disturbed by others", place)

    def table(self) -> bool:
        """Print it; whether there is nothing else."""
        print(f"\n| fault | tried | {SAME} | {REFUSED} | anything else |\n|---|---|---|---|---|")
        for fault, counts in self.found.items():
            counts = +counts
            rest = "; ".join(f"{n} x {what}" for what, n in counts.items()
                             if what not in (SAME, REFUSED))
            print(f"| {fault} | {counts.total()} | {counts[SAME]} | {counts[REFUSED]} | {rest} |")
        print(f"The last process of a killed run ended after at most {self.longest:.1f} s.")
        return all(set(+counts) <= {SAME, REFUSED} for counts in self.found.values())


def last_line(process: subprocess.Popen) -> str:
    return (process.log.read_text(errors="replace").splitlines() or [""])[-1]


def victim(place: Place, process: subprocess.Popen, wanted: str) -> psutil.Process | None:
    """A process of a run: Snakemake, a training's, a notebook's kernel; None where there is none."""
    marks = {"snakemake": "snakemake", "kernel": "ipykernel_launcher", "training": "forkserver"}
    found = [one for one in place.processes() if one.pid != process.pid
             and marks.get(wanted, "\0") in " ".join(quiet(one.cmdline))]
    if wanted == "training":  # not the process that they are forked from
        found = [one for one in found if one.ppid() in {other.pid for other in found}]
    return found[-1] if found else None


def quiet(ask: Callable[[], list[str]]) -> list[str]:
    """What a process answers, nothing where it has ended."""
    with suppress(psutil.Error):
        return ask()
    return []


def mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[None]:
    """A small disk at a folder, which ends with all that it holds."""
    mount("-t", "tmpfs", "-o", options, "faults", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextmanager
def bound_read_only(folder: Path) -> Iterator[None]:
    mount("--bind", str(folder), str(folder))
    mount("-o", "remount,bind,ro", str(folder))
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


FAULTS = {
    "kills": Trial.kill_runs, "disks": Trial.disk_is_full, "read-only": Trial.read_only,
    "network": Trial.no_network, "clock": Trial.clock_set_back, "two": Trial.two_at_once,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30, help="how many runs are killed")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--only", nargs="+", choices=FAULTS, default=list(FAULTS))
    given = parser.parse_args()
    if not os.environ.get("IR_FAULTS_INSIDE"):  # mounts are this process's own, and end with it
        own = ["unshare", "--mount", *(["--map-root-user"] if os.getuid() else [])]
        os.environ["IR_FAULTS_INSIDE"] = "1"
        os.execvp(own[0], [*own, sys.executable, "-m", "tests.faults", *sys.argv[1:]])
    folder = Path(tempfile.mkdtemp(prefix="faults"))
    trial = Trial(folder, given.seed, given.kills)
    for name in given.only:
        FAULTS[name](trial)
    good = trial.table()
    if good:
        shutil.rmtree(folder)
    else:
        print(f"what is left to look at is in {folder}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
