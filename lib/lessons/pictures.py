"""Figures of the lessons: images and features beside each other, a curve that grows as it is made.
All of them are closed for pyplot, so that a notebook shows each once."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Image, display
from matplotlib.figure import Figure
from torch import Tensor, nn

from lib.figures.images import Images, rows_of_images
from lib.figures.network_graph import shape_text
from lib.figures.style import TEXT_WIDTH, photograph
from lib.metrics import psnr

REDRAWN_EVERY = 1.0  # seconds; drawing takes a tenth of that


def closed(figure: Figure) -> Figure:
    plt.close(figure)
    return figure


def beside(images: Images, title: str = "", reference: np.ndarray | None = None) -> Image:
    """Bytes (H, W) or (H, W, 3) of one size in a row, by name; grey ones with their PSNR to
    `reference`, where that is given."""
    heads = [name if reference is None or np.array_equal(image, reference)
             else f"{name}\n{psnr(image, reference):.1f} dB"
             for name, image in images.items()]
    return photograph(rows_of_images({"": list(images.values())}, heads, title))


def histograms(images: Images, title: str = "") -> Figure:
    """How many pixels have which grey level, a curve for each of `images`, name -> bytes."""
    figure, axes = plt.subplots(figsize=(TEXT_WIDTH, 2.2))
    for name, image in images.items():
        counts = np.bincount(np.ravel(image), minlength=256)
        axes.fill_between(range(256), counts / counts.sum(), alpha=0.45, label=name, step="mid")
    axes.set(xlabel="grey level", ylabel="share of pixels", title=title, xlim=(0, 255))
    axes.legend(frameon=False)
    return closed(figure)


def feature_maps(features: Mapping[str, Tensor], title: str = "", columns: int = 6) -> Image:
    """A row for each of `features`, name -> (1, C, h, w): the channels that vary most from place
    to place, each from its least value (black) to its greatest (white)."""
    size = TEXT_WIDTH, 1.25 * len(features) + 0.3
    figure, axes = plt.subplots(len(features), columns, squeeze=False, figsize=size,
                                subplot_kw={"xticks": [], "yticks": []})
    for row, (name, feature) in zip(axes, features.items()):
        maps = feature[0].detach().numpy()
        for axis, channel in zip(row, np.argsort(-maps.var(axis=(1, 2)), kind="stable")):
            axis.imshow(maps[channel])
            axis.set_title(f"channel {channel}")
        row[0].set_ylabel("{}\n{}×{}".format(name, *maps.shape[1:]))
    figure.suptitle(title)
    return photograph(figure)


def heat(maps: Mapping[str, Tensor], title: str = "") -> Figure:
    """Maps (1, 1, h, w) by name in a row, all on one colour scale."""
    found = {name: one[0, 0].detach().numpy() for name, one in maps.items()}
    low, high = min(one.min() for one in found.values()), max(one.max() for one in found.values())
    width = min(TEXT_WIDTH, 2.4 * len(found) + 0.8)
    figure, axes = plt.subplots(1, len(found), squeeze=False, figsize=(width, 2.3))
    for axis, (name, values) in zip(axes.flat, found.items()):
        shown = axis.imshow(values, cmap="cividis", vmin=low, vmax=high)
        axis.set(title="{}, {}×{}".format(name, *values.shape), xticks=[], yticks=[])
    figure.colorbar(shown, ax=axes, shrink=0.8)
    figure.suptitle(title)
    return closed(figure)


def against(xs: Sequence[float], values: Mapping[str, Sequence[Tensor]], x_label: str, y_label: str,
            title: str) -> Figure:
    """Several numbers at each of `xs` by name, as dots, joined where they belong together."""
    figure, axes = plt.subplots(figsize=(TEXT_WIDTH, 2.2))
    for k, (name, those) in enumerate(values.items()):
        lines = axes.loglog(xs, torch.stack(list(those)), "o-", color=f"C{k}", ms=3, lw=0.6)
        lines[0].set_label(name)
    axes.set(xlabel=x_label, ylabel=y_label, title=title)
    axes.legend(frameon=False)
    return closed(figure)


def ranked(values: Mapping[str, Tensor], label: str, title: str = "") -> Figure:
    """Numbers by name, each set sorted from its greatest to its least, as a line of dots."""
    figure, axes = plt.subplots(figsize=(TEXT_WIDTH, 2.2))
    for name, those in values.items():
        axes.plot(those.detach().flatten().sort(descending=True).values, ".-", lw=0.8, label=name)
    axes.set(xlabel="rank", ylabel=label, title=title)
    axes.legend(frameon=False)
    return closed(figure)


def shapes_of(network: nn.Module, image: Tensor, parts: Mapping[str, nn.Module]) -> pd.DataFrame:
    """What each of `parts`, name -> a part of the network, makes of one image: the shape of its
    result, without the batch."""
    shapes = {"input": shape_text(image.shape[1:])}
    with torch.no_grad(), ExitStack() as hooks:
        for name, part in parts.items():
            hooks.enter_context(part.register_forward_hook(
                lambda _, given, out, name=name: shapes.update({name: shape_text(out.shape[1:])})
            ))
        network(image)
    return pd.Series(shapes).to_frame("shape of its result")


class LiveCurve:
    """Losses of a loop, drawn while it runs: `for step in (curve := LiveCurve(60)): ...` In a
    notebook one picture is redrawn in place, about once a second and at the end."""

    def __init__(self, steps: int):
        self.steps, self.values = steps, {}
        self.figure, self.axes = plt.subplots(figsize=(TEXT_WIDTH, 2.4))
        closed(self.figure)

    def __iter__(self) -> Iterator[int]:
        shown, last = display(self.figure, display_id=True), time.monotonic()
        for step in range(self.steps):
            yield step
            due = step == self.steps - 1 or time.monotonic() - last > REDRAWN_EVERY
            if shown and due:
                shown.update(self.draw())
                last = time.monotonic()

    def add(self, **losses: Tensor) -> None:
        """The losses of this step, scalars by name."""
        for name, loss in losses.items():
            self.values.setdefault(name, []).append(loss.item())

    def draw(self) -> Figure:
        """Each loss over the steps, as far as they have come."""
        self.axes.clear()
        for name, values in self.values.items():
            self.axes.plot(values, label=name)
        self.axes.set(xlabel="step", ylabel="loss", xlim=(0, self.steps))
        self.axes.legend(frameon=False, ncols=len(self.values), loc="upper right")
        return self.figure
