"""Checkpoints that a kill at any moment cannot spoil, and that resume to the same bytes.

A checkpoint holds everything the next step depends on: networks, optimisers, what the recipe adds
(schedules, image pools), the random state (all is drawn on the CPU), the position and the history
so far. Its name holds the step and the checksum of its content,
`checkpoint-00000250-<16 digits>.pt`, so that a damaged one is told from a whole one; the last two
are kept.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from pickle import UnpicklingError

import torch

from lib.files import sha256, write_atomically

KEPT = 2
PARTS = {"position", "modules", "optimisers", "extra", "random"}


def save(folder: Path, recipe, position: dict) -> Path:
    """Store recipe and random state; `position` is the engine's: step, history, run identity."""
    state = {
        "position": position,
        "modules": {name: module.state_dict() for name, module in recipe.modules.items()},
        "optimisers": {name: opt.state_dict() for name, opt in recipe.optimisers.items()},
        "extra": recipe.extra_state(),
        "random": {"cpu": torch.get_rng_state()},
    }
    part = write_atomically(folder / "checkpoint.part", lambda path: torch.save(state, path))
    path = part.rename(folder / f"checkpoint-{position['step']:08}-{sha256(part)[:16]}.pt")
    for old in _newest_first(folder)[KEPT:]:
        old.unlink()
    return path


def read_last(folder: Path, report: Callable[[str], None] = print) -> dict | None:
    """The content of the newest whole checkpoint, on the CPU; None where there is none.

    A damaged one, or none that `save` has written, is set aside as `damaged-...`, with one line
    that says so. Only tensors and plain values are unpickled.
    """
    for path in _newest_first(folder):
        if path.is_file() and sha256(path)[:16] == path.stem.rpartition("-")[2]:
            with suppress(UnpicklingError, EOFError):
                state = torch.load(path, map_location="cpu", weights_only=True)
                if isinstance(state, dict) and state.keys() == PARTS:
                    return state
        path.rename(path.with_name(f"damaged-{path.name}"))
        report(f"{path} is damaged and set aside; going on from the one before it")
    return None


def discard(folder: Path) -> None:
    """Remove all checkpoints: those of another run would count as newer than the first of this."""
    for path in _newest_first(folder):
        path.unlink()


def restore(state: dict, recipe) -> dict:
    """Put recipe and random state back as they were; returns the engine's position."""
    for name, module in recipe.modules.items():
        module.load_state_dict(state["modules"][name])
    for name, optimiser in recipe.optimisers.items():
        optimiser.load_state_dict(state["optimisers"][name])
    recipe.load_extra_state(state["extra"])
    torch.set_rng_state(state["random"]["cpu"])
    return state["position"]


def _newest_first(folder: Path) -> list[Path]:
    """By step, of equal ones by time of writing."""
    found = folder.glob("checkpoint-*.pt")
    return sorted(found, key=lambda path: (path.name[:19], path.lstat().st_mtime_ns), reverse=True)
