"""The widgets of the playground: each is a `Panel`, controls above a picture that follows them.
Nothing here needs a browser: where a control's `value` is set, the picture is drawn anew."""

import base64
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from ipywidgets import (
    HTML, Box, Dropdown, FileUpload, FloatSlider, Image, IntSlider, Layout, ToggleButtons,
    ValueWidget, VBox,
)
from matplotlib.figure import Figure
from torch import nn

from lib.data.degradation import LITERAL, DegradationRanges, degrade
from lib.evaluation.attention import attention_weights, most_varied_channels
from lib.figures.images import Images
from lib.figures.style import SHOWN_DPI, TEXT_WIDTH, show_grey
from lib.lessons import toy
from lib.metrics import average_gradient, information_entropy, psnr, ssim
from lib.own_images import enhance, files
from lib.own_images.methods import CLASSICAL, TWO_D_GAN
from lib.own_images.tone import as_bytes, grey
from lib.results.runs import Run

Drawing = tuple[Figure | np.ndarray, str]  # a picture, bytes where it is an array, and HTML
ENLARGED = 4  # pixels a side of one pixel of the before/after slider
STRIP = 20  # pixels above it, for the names of both sides
MEAN = "mean of the channels"


class Panel(VBox):
    """Controls by name, a picture and a line of text. `draw` gets the values of the controls; it
    yields one drawing, or several, one after the other, where something is to move."""

    def __init__(self, controls: Mapping[str, ValueWidget], draw: Callable[..., Iterator[Drawing]]):
        self.controls, self.draw = dict(controls), draw
        self.picture, self.text = Image(format="png"), HTML()
        for control in controls.values():
            control.observe(self.redraw, "value")
        row = Box(list(controls.values()), layout=Layout(flex_flow="row wrap"))
        super().__init__([row, self.picture, self.text])
        self.redraw()

    def redraw(self, _=None) -> None:
        values = {name: control.value for name, control in self.controls.items()}
        for picture, text in self.draw(**values):
            self.picture.value, self.text.value = _png(picture), text

    def _repr_mimebundle_(self, **kwargs):
        """Where there are no widgets, as in an executed copy, the picture stands for them."""
        png = base64.b64encode(self.picture.value).decode()
        return super()._repr_mimebundle_(**kwargs) | {"image/png": png}


def degradation_lab(photographs: Images) -> Panel:
    """Contrast, noise, blur and brightness of `lib.data.degradation`, and what they do to an image
    of `photographs`, name -> bytes (H, W), and to its measures."""
    middle = LITERAL.middle()

    def draw(image, **factors) -> Iterator[Drawing]:
        reference = photographs[image]
        ranges = DegradationRanges(**{name: (value, value) for name, value in factors.items()})
        degraded = degrade(reference, image, ranges=ranges)
        figure, axes = plt.subplots(1, 3, figsize=(TEXT_WIDTH, 2.4), width_ratios=(1, 1, 1.3))
        for axis, name, shown in zip(axes, ("reference", "degraded"), (reference, degraded)):
            show_grey(axis, shown, name)
            axes[2].hist(np.ravel(shown), bins=64, range=(0, 256), alpha=0.5, label=name)
        axes[2].set(xlabel="grey level", ylabel="pixels")
        axes[2].legend(frameon=False, loc="upper center")
        yield figure, _table({
            "PSNR (dB)": psnr(degraded, reference), "SSIM": ssim(degraded, reference),
            "AG": average_gradient(degraded), "AG, reference": average_gradient(reference),
            "IE": information_entropy(degraded), "IE, reference": information_entropy(reference),
        })

    return Panel({
        "image": Dropdown(options=list(photographs), description="image"),
        "contrast": _slider("contrast", 0.05, 1.0, middle.contrast),
        "noise": _slider("noise", 0.0, 30.0, middle.noise),
        "blur": _slider("blur (px)", 0.05, 3.0, middle.blur),
        "brightness": _slider("brightness", 0.1, 1.2, middle.brightness),
    }, draw)


def before_after(scenes: Mapping[str, Images]) -> Panel:
    """Two methods on one scene, divided by a line that a slider moves. `scenes`: scene -> method ->
    bytes (H, W) of one size; the first method is the input and the last the reference, with which
    both are compared."""
    methods = list(next(iter(scenes.values())))

    def draw(scene, left, right, position) -> Iterator[Drawing]:
        images = scenes[scene]
        column = round(position / 100 * images[left].shape[1])
        page = np.concatenate([images[left][:, :column], images[right][:, column:]], axis=1)
        page = page.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)
        page[:, max(0, ENLARGED * column - 1) : ENLARGED * column + 1] = 255
        page = np.concatenate([_names(left, right, page.shape[1]), page])
        reference = images[methods[-1]]
        yield page, _table({f"{side}: {name}, {measure.__name__}": measure(images[name], reference)
                            for side, name in (("left", left), ("right", right))
                            for measure in (psnr, ssim)})

    return Panel({
        "scene": Dropdown(options=list(scenes), description="scene"),
        "left": Dropdown(options=methods, value=methods[0], description="left"),
        "right": Dropdown(options=methods, value=methods[-2], description="right"),
        "position": IntSlider(50, 0, 100, description="line (%)"),
    }, draw)


def attention_explorer(generator: nn.Module, images: Images, about: str) -> Panel:
    """What the cross-level attention of a 2D-GAN weighs, level by level, and how it treats the
    channels at one place of one of `images`, name -> bytes (H, W)."""
    weights = cache(lambda image: attention_weights(generator, images[image][None]))
    levels = len(weights(next(iter(images))))

    def draw(image, level, shown, x, y) -> Iterator[Drawing]:
        maps = weights(image)[level - 1][0]  # (C, h, w)
        one = maps.mean(axis=0) if shown == MEAN else maps[most_varied_channels(maps, 1)[0]]
        row, column = (int(place / 100 * (size - 1)) for place, size in zip((y, x), one.shape))
        figure, axes = plt.subplots(1, 3, figsize=(TEXT_WIDTH, 2.5), width_ratios=(1, 1.2, 1.2))
        show_grey(axes[0], images[image], "input")
        shades = axes[1].imshow(one, cmap="cividis")
        axes[1].set(title="weights, {}×{}".format(*one.shape), xticks=[], yticks=[])
        figure.colorbar(shades, ax=axes[1], shrink=0.8)
        for axis, (height, width) in zip(axes, (images[image].shape, one.shape)):
            axis.plot(x / 100 * (width - 1), y / 100 * (height - 1), "+", color="red", ms=12)
        axes[2].hist(maps[:, row, column], bins=20, range=(0, 1))
        axes[2].set(title=f"all {len(maps)} channels there", xlabel="weight", ylabel="channels")
        axes[2].yaxis.get_major_locator().set_params(integer=True)
        figure.suptitle(about)
        yield figure, ""

    return Panel({
        "image": Dropdown(options=list(images), description="image"),
        "level": IntSlider(1, 1, levels, description="level"),
        "shown": ToggleButtons(options=[MEAN, "channel that varies most"]),
        "x": IntSlider(50, 0, 100, description="x (%)", continuous_update=False),
        "y": IntSlider(50, 0, 100, description="y (%)", continuous_update=False),
    }, draw)


def toy_critic() -> Panel:
    """A critic of two clouds of points, drawn while it is trained: its score and its slope."""
    extent = (-toy.EXTENT, toy.EXTENT) * 2

    def draw(kind, distance, steps) -> Iterator[Drawing]:
        real, fake = toy.clouds(distance)
        for critic in toy.train(kind, real, fake, steps, every=max(1, steps // 5)):
            score, slope = toy.field(critic)
            figure, axes = plt.subplots(1, 2, figsize=(TEXT_WIDTH, 3.1), sharey=True)
            for axis, values, title in zip(axes, (score, slope), ("score", "norm of its gradient")):
                shades = axis.imshow(values, cmap="cividis", extent=extent, origin="lower")
                axis.contour(values, 8, colors="white", linewidths=0.5, extent=extent)
                axis.set_title(f"{kind}: {title}")
                figure.colorbar(shades, ax=axis, shrink=0.85)
            axes[0].scatter(*fake[:, :, 0, 0].T, s=5, color="tab:red", label="generated")
            axes[0].scatter(*real[:, :, 0, 0].T, s=5, color="tab:cyan", label="real")
            axes[0].legend(loc="lower right")
            yield figure, _table({"steepest": slope.max(), "least steep": slope.min(),
                                  "highest score": score.max(), "lowest": score.min()})

    return Panel({
        "kind": ToggleButtons(options=toy.KINDS),
        "distance": _slider("distance", 0.5, 4.0, 2.0),
        "steps": IntSlider(200, 0, 500, 50, description="steps", continuous_update=False),
    }, draw)


def loss_weights(runs: Mapping[str, Run]) -> Panel:
    """Validation measures at the end of each run of the search for 2D-GAN's loss weights, by the
    weight of one loss. `runs`: name -> run, one at least."""
    ends, used = {}, {}
    for name, run in runs.items():
        ends[name] = run.history().filter(like="validation_").dropna().iloc[-1]
        used[name] = run.record["config"]["experiment"]["losses"]
    ends, used = pd.DataFrame(ends).T, pd.DataFrame(used).T
    ends = ends.rename(columns=lambda name: name.removeprefix("validation_"))
    profile = next(iter(runs.values())).record["profile"]

    def draw(loss, measure) -> Iterator[Drawing]:
        figure, axes = plt.subplots(figsize=(TEXT_WIDTH, 2.6))
        for name, weight, reached in zip(ends.index, used[loss], ends[measure]):
            axes.plot(weight, reached, "o", label=name.removeprefix("search-2dgan-"))
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
        axes.set(xscale="log", xlabel=f"weight of {loss}", title=f"profile {profile}",
                 ylabel=f"{measure}, validation images")
        yield figure, ""

    losses = ["mse", "vgg", "efficientnet", "adversarial"]
    measures = [name for name in ("PSNR", "SSIM", "PSNR structure") if name in ends]
    return Panel({"loss": Dropdown(options=losses, description="loss"),
                  "measure": Dropdown(options=measures, description="measure")}, draw)


def own_image() -> Panel:
    """An image of one's own by a method of choice; it stays on this machine."""

    def draw(file: Sequence[dict], method) -> Iterator[Drawing]:
        if not file:
            yield np.full((64, 256), 235, np.uint8), "choose an image: PNG, JPEG or TIFF"
            return
        try:
            image = _first_page(file[0]["name"], file[0]["content"])
        except ValueError as problem:
            yield np.full((64, 256), 235, np.uint8), str(problem)
            return
        made, told = _enhanced(image, method)
        yield np.concatenate([as_bytes(image), made], axis=1), told

    return Panel({
        "file": FileUpload(accept=",".join(files.SUFFIXES)),
        "method": Dropdown(options=[TWO_D_GAN, *CLASSICAL], value="clahe", description="method"),
    }, draw)


def _first_page(name: str, content: bytes | memoryview) -> np.ndarray:
    """An uploaded file as `lib.enhance` reads it, grey (H, W), of several pages the first. Raises
    ValueError, which names it, for what that cannot read."""
    with TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            return grey(files.read(path, radiometric=True).pages[0])
        except ValueError as problem:
            raise ValueError(str(problem).replace(str(path), name)) from None


def _enhanced(image: np.ndarray, method: str) -> tuple[np.ndarray, str]:
    """Grey (H, W) by a method, as bytes, and what happened. Weights that are not there are told
    of, and CLAHE takes the network's place; so is an image that no method takes, which stays as it
    is."""
    try:
        return enhance(image, method, depth=8), method
    except FileNotFoundError as problem:
        return enhance(image, "clahe", depth=8), f"CLAHE, as there are no weights: {problem}"
    except ValueError as problem:
        return as_bytes(image), str(problem)


def _slider(name: str, low: float, high: float, value: float) -> FloatSlider:
    """One that draws when it is let go: a figure takes a fifth of a second."""
    return FloatSlider(value, min=low, max=high, step=0.05, description=name,
                       continuous_update=False)


def _names(left: str, right: str, width: int) -> np.ndarray:
    """Two names at the ends of a white strip, bytes (STRIP, width)."""
    strip, font = np.full((STRIP, width), 255, np.uint8), (cv2.FONT_HERSHEY_SIMPLEX, 0.5)
    end = width - cv2.getTextSize(right, *font, 1)[0][0]
    for name, x in ((left, 0), (right, end)):
        cv2.putText(strip, name, (x, STRIP - 6), *font, 0, 1, cv2.LINE_AA)
    return strip


def _table(values: Mapping[str, float]) -> str:
    return pd.Series(values).to_frame("").T.to_html(float_format="{:.3f}".format, index=False)


def _png(picture: Figure | np.ndarray) -> bytes:
    if isinstance(picture, np.ndarray):
        return cv2.imencode(".png", picture)[1].tobytes()
    file = io.BytesIO()
    picture.savefig(file, format="png", dpi=SHOWN_DPI)
    plt.close(picture)
    return file.getvalue()
