"""The one training loop of the kit: steps, progress, history, checkpoints, resume.

What a step *is* belongs to a recipe (lib/training/recipes); the engine only counts. A run killed at
any moment and started again ends with the same bytes as one that was never killed.
"""

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pandas as pd
import torch
from torch import Tensor, nn

from lib.files import write_text
from lib.printing import clock
from lib.training import checkpoint
from lib.training.averaging import average_of, follow

HISTORY_ROWS = 100  # of a whole run
VALIDATIONS = 10
CHECKPOINT_SECONDS = float(os.environ.get("IR_CHECKPOINT_SECONDS", 30))
PROGRESS_SECONDS = 5.0


class Recipe(Protocol):
    """One method's networks, optimisers and training step."""

    modules: dict[str, nn.Module]  # "generator" is exported, and its "average", see `train`
    optimisers: dict[str, torch.optim.Optimizer]
    steps: int  # of the whole run
    steps_per_epoch: int

    def step(self, step: int) -> dict[str, Tensor]:
        """Train one step; the losses as scalar tensors, the same keys every time."""

    def names(self, step: int) -> list[str]:
        """The files of the images that a step sees, for the message of the NaN guard."""

    def prepare(self, generator: nn.Module) -> None:
        """Make a generator ready to be used: batch norm's statistics."""

    def extra_state(self) -> dict:
        """What else the next step depends on: schedules, image pools. Tensors and plain values."""

    def load_extra_state(self, state: dict) -> None: ...


class TrainingDiverged(RuntimeError):
    """A loss became NaN or infinite."""


@dataclass
class Position:
    """How far a run is. `pending`: losses of the steps since the last row of the history, those of
    this session as tensors, since looking at each at once would make a GPU wait."""

    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)
    pending: list[dict[str, Tensor | float]] = field(default_factory=list)

    def losses(self, recipe: Recipe) -> dict[str, list[float]]:
        """The pending losses. Raises TrainingDiverged where one is not finite."""
        keys = list(self.pending[0]) if self.pending else []
        values = {key: [float(losses[key]) for losses in self.pending] for key in keys}
        for k in range(len(self.pending)):
            for key, column in values.items():
                if not math.isfinite(column[k]):
                    step = self.step - len(self.pending) + k
                    raise TrainingDiverged(
                        f"{key} is {column[k]} at step {step + 1}; "
                        f"images: {', '.join(recipe.names(step))}"
                    )
        return values

    def close_row(self, recipe: Recipe, metrics: dict[str, float]) -> None:
        """Add the mean of each pending loss, and metrics if there are any, to the history."""
        row = {"step": self.step}
        row |= {key: sum(column) / len(column) for key, column in self.losses(recipe).items()}
        row |= {f"validation_{key}": value for key, value in metrics.items()}
        self.history.append(row)
        self.pending.clear()


def train(
    recipe: Recipe,
    folder: Path,
    identity: str,
    validate: Callable[[nn.Module], dict[str, float]] = lambda generator: {},
    time_budget: float | None = None,
    report: Callable[[str], None] = print,
) -> Position:
    """Run or resume a recipe in `folder`; returns how far it came.

    `recipe.modules["average"]` is then the average of the generator's weights. Writes checkpoints
    and `history.csv` there: twice a minute, when the time budget ends, at Ctrl-C, and at the end.
    `identity` names configuration, code and data: a checkpoint of another
    identity is not continued, and the reason is reported. `validate` gives metrics of a generator,
    ten times a run of the average and of the last weights, after `recipe.prepare`. `time_budget` in
    seconds: the run stops cleanly after it, and the next call goes on.
    Raises TrainingDiverged naming step, loss and images when a loss is not finite, or the network
    when a weight is not; the last checkpoint then still holds the last good state.
    """
    generator = recipe.modules["generator"]
    average = recipe.modules["average"] = average_of(generator)
    judged = {"": average, "last ": generator}  # by the prefix of their metrics
    position = _resume(folder, recipe, identity, report)
    per_row = max(1, recipe.steps // HISTORY_ROWS)
    per_validation = per_row * (HISTORY_ROWS // VALIDATIONS)
    first, before = position.step, position.seconds
    start = saved = reported = time.monotonic()

    with interruptible() as interrupted:
        while position.step < recipe.steps:
            losses = recipe.step(position.step)
            position.pending.append({key: loss.detach() for key, loss in losses.items()})
            position.step += 1
            follow(average, generator, position.step)
            position.seconds = before + time.monotonic() - start
            last = position.step == recipe.steps
            if last or position.step % per_row == 0:
                metrics = {}
                if last or position.step % per_validation == 0:
                    for prefix, network in judged.items():
                        recipe.prepare(network)
                        found = validate(network)
                        metrics |= {f"{prefix}{metric}": value for metric, value in found.items()}
                position.close_row(recipe, metrics)
            now = time.monotonic()
            stop = interrupted.is_set() or (time_budget is not None and now - start > time_budget)
            if last or stop or now - saved > CHECKPOINT_SECONDS:
                _save(folder, recipe, identity, position)
                saved = time.monotonic()
            if last or now - reported > PROGRESS_SECONDS:
                report(_progress(position, recipe, (now - start) / (position.step - first)))
                reported = now
            if stop:
                break
    if position.step < recipe.steps or first == recipe.steps:  # else the last validation did
        for network in judged.values():
            recipe.prepare(network)
    return position


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Yields an event that Ctrl-C sets; KeyboardInterrupt follows when the block is left.

    So a training step is never cut in two. Outside the main thread Ctrl-C stays as it was.
    """
    event = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    previous = signal.signal(signal.SIGINT, lambda *_: event.set())
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, previous)
    if event.is_set():
        raise KeyboardInterrupt


def _resume(folder: Path, recipe: Recipe, identity: str, report) -> Position:
    state = checkpoint.read_last(folder, report)
    if state is None:
        return Position()
    if state["position"]["identity"] != identity:
        report("starting afresh: configuration, code or data changed since the checkpoint")
        checkpoint.discard(folder)
        return Position()
    stored = checkpoint.restore(state, recipe)
    if stored["step"] < recipe.steps:
        report(f"resuming at step {stored['step']} of {recipe.steps}")
    return Position(stored["step"], stored["seconds"], stored["history"], stored["pending"])


def _save(folder: Path, recipe: Recipe, identity: str, position: Position) -> None:
    columns = position.losses(recipe)
    for name, module in recipe.modules.items():
        if not all(weight.isfinite().all() for weight in module.parameters()):
            raise TrainingDiverged(f"weights of {name} are not finite at step {position.step}")
    stored = {
        "identity": identity,
        "step": position.step,
        "seconds": position.seconds,
        "history": position.history,
        "pending": [dict(zip(columns, values)) for values in zip(*columns.values())],
    }
    checkpoint.save(folder, recipe, stored)
    history = pd.DataFrame(position.history)
    text = history.to_csv(index=False, float_format="%.6g", lineterminator="\n")
    write_text(folder / "history.csv", text)


def _progress(position: Position, recipe: Recipe, seconds_per_step: float) -> str:
    left = clock(seconds_per_step * (recipe.steps - position.step))
    row = position.history[-1] if position.history else {}
    shown = ", ".join(f"{key} {value:.4g}" for key, value in row.items() if key != "step")
    return f"step {position.step}/{recipe.steps}, {left} left: {shown}"
