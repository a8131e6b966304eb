"""Checkpoints that a kill at any moment cannot spoil, and that resume to the same bytes.

A checkpoint holds everything the next step depends on: networks, optimisers, what the recipe adds
(schedules, image pools), the random state, the position and the history so far.
"""

from pathlib import Path

import torch

from lib.files import write_atomically


def save(path: Path, recipe, position: dict) -> None:
    """Store recipe and random state; `position` is the engine's: step, history, run identity."""
    state = {
        "position": position,
        "modules": {name: module.state_dict() for name, module in recipe.modules.items()},
        "optimisers": {name: opt.state_dict() for name, opt in recipe.optimisers.items()},
        "extra": recipe.extra_state(),
        "random": {"cpu": torch.get_rng_state()},
    }
    if torch.cuda.is_available():
        state["random"]["cuda"] = torch.cuda.get_rng_state_all()
    write_atomically(path, lambda temporary: torch.save(state, temporary))


def read(path: Path) -> dict:
    """A checkpoint's content, on the CPU; only tensors and plain values are unpickled."""
    return torch.load(path, map_location="cpu", weights_only=True)


def restore(state: dict, recipe) -> dict:
    """Put recipe and random state back as they were; returns the engine's position."""
    for name, module in recipe.modules.items():
        module.load_state_dict(state["modules"][name])
    for name, optimiser in recipe.optimisers.items():
        optimiser.load_state_dict(state["optimisers"][name])
    recipe.load_extra_state(state["extra"])
    torch.set_rng_state(state["random"]["cpu"])
    if torch.cuda.is_available() and "cuda" in state["random"]:
        torch.cuda.set_rng_state_all(state["random"]["cuda"])
    return state["position"]
