"""The one training loop of the kit: steps, progress, history, checkpoints, resume.

What a step *is* belongs to a recipe (lib/training/two_d_gan.py, ...); the engine only counts. A run
killed at any moment and started again ends with the same bytes as one that was never killed.
"""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pandas as pd
import torch
from torch import Tensor, nn

from lib.evaluation import Evaluation
from lib.files import write_text
from lib.training import checkpoint

LOG_ROWS = 100  # rows of history.csv in a whole run
CHECKPOINT_SECONDS = float(os.environ.get("IR_CHECKPOINT_SECONDS", 60))
PROGRESS_SECONDS = 5.0


class Recipe(Protocol):
    """One method's networks, optimisers and training step."""

    modules: dict[str, nn.Module]  # "generator" is the one that is exported
    optimisers: dict[str, torch.optim.Optimizer]
    steps: int  # of the whole run
    steps_per_epoch: int
    pretrained: tuple[str, ...]  # names of the frozen networks in use, for the record

    def step(self, step: int) -> dict[str, Tensor]:
        """Train one step; the losses as scalar tensors, the same keys every time."""

    def names(self, step: int) -> list[str]:
        """The files of the images that a step sees, for the message of the NaN guard."""

    def validate(self) -> dict[str, float]:
        """Metrics on the validation images."""

    def test(self) -> Evaluation:
        """The test images, enhanced or translated, with their metrics."""

    def extra_state(self) -> dict:
        """What else the next step depends on: schedules, image pools. Tensors and plain values."""

    def load_extra_state(self, state: dict) -> None: ...


class TrainingDiverged(RuntimeError):
    """A loss became NaN or infinite."""


def train(
    recipe: Recipe,
    folder: Path,
    identity: str,
    time_budget: float | None = None,
    report: Callable[[str], None] = print,
) -> dict:
    """Run or resume a recipe in `folder`; returns {"step", "steps", "seconds", "history"}.

    Writes `checkpoint.pt` (about once a minute, when the time budget ends, and at the end) and
    `history.csv` there. `identity` names configuration, code and data: a checkpoint of another
    identity is not continued, and the reason is reported. `time_budget` in seconds: the run stops
    cleanly after it, and the next call goes on.
    Raises TrainingDiverged naming step, loss and images when a loss is not finite; the last
    checkpoint then still holds the last good state.
    """
    path = folder / "checkpoint.pt"
    done, history, seconds = _resume(path, recipe, identity, report)
    per_row = max(1, recipe.steps // LOG_ROWS)
    validate_every = per_row * max(1, LOG_ROWS // 10)
    start, saved = time.monotonic(), time.monotonic()
    reported, first = 0.0, done
    pending: list[dict[str, Tensor]] = []  # losses not yet looked at: on a GPU that would wait

    def stop_now() -> bool:
        return time_budget is not None and time.monotonic() - start > time_budget

    while done < recipe.steps:
        pending.append(recipe.step(done))
        done += 1
        at_row_end = done % per_row == 0 or done == recipe.steps
        if at_row_end:
            row = {"step": done, **_mean_losses(pending, done, recipe)}
            pending.clear()
            if done % validate_every == 0 or done == recipe.steps:
                row |= {f"validation_{k}": v for k, v in recipe.validate().items()}
            history.append(row)
            stopping = stop_now()
            if stopping or done == recipe.steps or time.monotonic() - saved > CHECKPOINT_SECONDS:
                position = {
                    "step": done,
                    "identity": identity,
                    "history": history,
                    "seconds": seconds + time.monotonic() - start,
                }
                checkpoint.save(path, recipe, position)
                _write_history(folder / "history.csv", history)
                saved = time.monotonic()
            if time.monotonic() - reported > PROGRESS_SECONDS or done == recipe.steps:
                report(_progress(row, done, first, recipe.steps, time.monotonic() - start))
                reported = time.monotonic()
            if stopping:
                break
    return {
        "step": done,
        "steps": recipe.steps,
        "seconds": seconds + time.monotonic() - start,
        "history": history,
    }


def _resume(path: Path, recipe: Recipe, identity: str, report) -> tuple[int, list[dict], float]:
    if not path.is_file():
        return 0, [], 0.0
    state = checkpoint.read(path)
    if state["position"]["identity"] != identity:
        report("starting afresh: configuration, code or data changed since the checkpoint")
        return 0, [], 0.0
    position = checkpoint.restore(state, recipe)
    if position["step"] < recipe.steps:
        report(f"resuming at step {position['step']} of {recipe.steps}")
    return position["step"], position["history"], position["seconds"]


def _mean_losses(pending: list[dict[str, Tensor]], done: int, recipe: Recipe) -> dict[str, float]:
    """The mean of each loss over the steps of a history row; the guard against NaN."""
    keys = list(pending[0])
    values = torch.stack([torch.stack([losses[k].detach() for k in keys]) for losses in pending])
    values = values.double().cpu()  # (steps, losses)
    bad = (~values.isfinite()).nonzero()
    if len(bad):
        row, column = bad[0].tolist()
        step = done - len(pending) + row
        raise TrainingDiverged(
            f"{keys[column]} is {values[row, column].item()} at step {step + 1}; "
            f"images: {', '.join(recipe.names(step))}"
        )
    return dict(zip(keys, values.mean(dim=0).tolist()))


def _progress(row: dict, done: int, first: int, steps: int, seconds: float) -> str:
    left = seconds / (done - first) * (steps - done)
    shown = [f"{k} {v:.4g}" for k, v in row.items() if k != "step" and math.isfinite(v)]
    return f"step {done}/{steps}, {_clock(left)} left: {', '.join(shown)}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _write_history(path: Path, history: list[dict]) -> None:
    frame = pd.DataFrame(history)
    write_text(path, frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
