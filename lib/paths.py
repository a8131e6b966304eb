"""Where things are: the repository, the data, the results, the caches.

Each place can be moved by an environment variable, so that tests and read-only checkouts need no
special code: `IR_DATA`, `IR_RESULTS`, `IR_CACHE`.
"""

import os
import shlex
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
NOTEBOOKS = REPO / "notebooks"


def data_root(path: str | os.PathLike | None = None) -> Path:
    """The data root: `path` if given, else `$IR_DATA`, else `data/` of the repository.

    Raises FileNotFoundError where a root that was asked for is not a folder; data sets missing
    *inside* a root are no error, they fall back to the embedded defaults.
    """
    if path == "":  # of a variable that is not set, be it none of the shell's
        raise FileNotFoundError("the data root is given as an empty text; name a folder")
    root = Path(path or os.environ.get("IR_DATA") or REPO / "data").expanduser().resolve()
    if not root.is_dir():
        raise FileNotFoundError(f"data root {str(root)!r} is not a folder; see data/README.md")
    return root


def data_option(path: str | os.PathLike | None) -> str:
    """A data root that was asked for as the option of a printed command, quoted for a shell."""
    return "" if path is None else f" --data {shlex.quote(str(path))}"


def results_dir(profile: str) -> Path:
    """The folder of one profile's results, made if need be: `$IR_RESULTS` or `results/`."""
    folder = _results() / profile
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def published_dir(profile: str) -> Path:
    """Where readers' copies of a profile's results are: tracked, and without weights."""
    return _results() / "published" / profile


def profile_to_show() -> str:
    """The profile that a notebook shows if not told: `$IR_PROFILE`, else one that was run here,
    else a published one, the more meaningful first."""
    there = [profile for folder in (_results(), published_dir(""))
             for profile in ("laptop", "paper", "smoke") if (folder / profile / "runs").is_dir()]
    return os.environ.get("IR_PROFILE") or [*there, "smoke"][0]


def _results() -> Path:
    return Path(os.environ.get("IR_RESULTS") or REPO / "results").resolve()


def run_folder(results: Path, experiment: str, seed: int) -> Path:
    """Where a run lives under the results of its profile, made here or published."""
    return results / "runs" / experiment / f"seed{seed}"


def run_folders(results: Path, experiment: str = "*") -> list[Path]:
    """The folders of the runs in results that have a record, by experiment and seed. What is called
    otherwise, as a copy is, is left aside."""
    found = [path.parent for path in results.glob(f"runs/{experiment}/seed*/run.json")
             if path.parent.name.removeprefix("seed").isdecimal()]
    return sorted(found, key=lambda it: (it.parent.name, int(it.name.removeprefix("seed"))))


def seeds_recorded(results: Path, experiment: str) -> list[int]:
    """The seeds of which results have a record."""
    return [int(folder.name.removeprefix("seed")) for folder in run_folders(results, experiment)]


def cache_dir(name: str = "") -> Path:
    """A folder for what can be made again (weights, packs, features): `$IR_CACHE` or `.cache/`."""
    folder = Path(os.environ.get("IR_CACHE") or REPO / ".cache").resolve() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
