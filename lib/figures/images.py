"""Images beside each other, 2D-GAN's Figs. 5 to 12, GN_CycleGAN's Figs. 4, 5 and 8, each with the
same detail enlarged. It is never picked by eye: it is where the real image has most texture."""

import math
import re
from collections.abc import Mapping, Sequence

import cv2
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.data.alignment import edges
from lib.data.faces import OPERATIONS, augment, operations_of, parse
from lib.figures.style import TEXT_WIDTH, show_grey
from lib.metrics import average_gradient

Images = Mapping[str, np.ndarray]  # by name
ZOOM = 32  # pixels a side of an enlarged detail
ZOOM_COLOUR = (214, 39, 40)


def most_detailed_square(image: np.ndarray, margin: int = 0) -> tuple[int, int]:
    """Top-left corner (y, x) of the square with the highest AG (Eq. 11), on a grid of ZOOM / 4,
    none nearer to the border than `margin` pixels."""
    rows, columns = (range(margin, n - margin - ZOOM + 1, ZOOM // 4) for n in image.shape[:2])
    corners = [(y, x) for y in rows for x in columns]
    return max(corners, key=lambda corner: average_gradient(_square(image, corner, ZOOM)))


def _square(image: np.ndarray, corner: tuple[int, int], size: int) -> np.ndarray:
    y, x = corner
    return image[y : y + size, x : x + size]


def with_detail(image: np.ndarray, corner: tuple[int, int], beside: bool = False) -> np.ndarray:
    """(H', W', 3): the image, (H, W) or (H, W, 3) bytes, and below or beside it the detail at
    `corner`, enlarged by whole pixels to about half the width; both outlined."""
    rgb = image if image.ndim == 3 else np.stack([image] * 3, axis=-1)
    (height, width), times = image.shape[:2], max(1, image.shape[1] // (2 * ZOOM))
    side, gap = times * ZOOM, width // 16
    place = ((height - side) // 2, width + gap) if beside else (height + gap, (width - side) // 2)
    page = np.full((*np.maximum([height, width], np.add(place, side)), 3), 255, np.uint8)
    page[:height, :width] = rgb
    _square(page, place, side)[:] = _square(rgb, corner, ZOOM).repeat(times, 0).repeat(times, 1)
    for (y, x), size in ((corner, ZOOM), (place, side)):
        cv2.rectangle(page, (x, y), (x + size - 1, y + size - 1), ZOOM_COLOUR, max(1, width // 128))
    return page


def _grid(images: Sequence[tuple], columns: int, title: str, lettered: bool = False) -> Figure:
    """(head, image) of images of one size, (H, W) or (H, W, 3), in rows of `columns`."""
    rows, size = math.ceil(len(images) / columns), TEXT_WIDTH / columns
    height, width = images[0][1].shape[:2]
    figure = plt.figure(figsize=(TEXT_WIDTH, rows * (size * height / width + 0.2) + 0.4))
    for k, (head, image) in enumerate(images):
        head = f"({chr(97 + k)}) {head}" if lettered else head
        show_grey(figure.add_subplot(rows, columns, k + 1), image, _wrap(head, size))
    figure.suptitle(title)
    return figure


def rows_of_images(rows: Mapping[str, Sequence], heads: Sequence[str], title: str) -> Figure:
    """One row for each of `rows`, label -> N images (H, W) or (H, W, 3); N heads on top. 2D-GAN's
    Fig. 5 (references, degraded inputs), and pairs of visible and infrared images."""
    upper, *lower = rows.values()
    shown = [*zip(heads, upper), *(("", image) for images in lower for image in images)]
    figure = _grid(shown, len(heads), title)
    for axes, label in zip(figure.axes[:: len(heads)], rows, strict=True):
        axes.set_ylabel(label)
    return figure


def alignment(
    visible: np.ndarray, infrared: np.ndarray, shifts: pd.DataFrame, title: str
) -> Figure:
    """Pairs (N, H, W, 3) and (N, H, W) with their edges laid over each other. Edges of the visible
    image are magenta, of the infrared one green, of both white, each scaled to the image's own
    strongest ones. `shifts`: the N rows that `lib.data.alignment.shifts` gives for these pairs;
    what it found stands below."""
    overlays = []
    for pair in zip(visible, infrared, strict=True):
        magenta, green = (
            np.clip(strength / max(float(np.percentile(strength, 99)), 1e-6), 0, 1) ** 2
            for strength in map(edges, pair)
        )
        overlays.append((255 * np.stack([magenta, green, magenta], axis=-1)).astype(np.uint8))
    rows = {"visible": visible, "infrared": infrared, "edges of both": overlays}
    figure = rows_of_images(rows, list(shifts.index), title)
    for axes, found in zip(figure.axes[-len(shifts) :], shifts.itertuples(), strict=True):
        axes.set_xlabel(f"shift ({found.dx}, {found.dy}) px\ncorrelation {found.correlation:.2f}")
    return figure


def side_by_side(images: Images, reference: np.ndarray, title: str, columns: int = 5) -> Figure:
    """2D-GAN's Figs. 7 to 11: one scene by every method, in rows of `columns`. `images`: method ->
    (H, W) bytes; `reference` (H, W) is shown last."""
    corner, shown = most_detailed_square(reference), {**images, "Reference": reference}
    panels = [(name, with_detail(image, corner)) for name, image in shown.items()]
    return _grid(panels, columns, title, lettered=True)


def scenes_by_method(samples: Mapping[str, Images], scenes: Sequence[str], title: str) -> Figure:
    """GN_CycleGAN's Figs. 4, 5 and 8: a row a test scene, a column a method. `samples`: method ->
    its images of these scenes (`Run.samples`). The paper's red regions were chosen by hand; here no
    method had a say in them."""
    first = next(iter(samples.values()))
    outputs = {method: images["output"] for method, images in samples.items()}
    methods = {"Visible input": first["input"], **outputs, "Real infrared": first["reference"]}
    corners = [most_detailed_square(image) for image in first["reference"]]
    rows = {scene: [with_detail(images[k], corners[k]) for images in methods.values()]
            for k, scene in enumerate(scenes)}
    return rows_of_images(rows, list(methods), title)


def enhanced_faces(rows: Images, names: Sequence[str], title: str) -> Figure:
    """2D-GAN's Fig. 12: faces, each with a detail of its inner half enlarged to its right. `rows`:
    label -> (N, S, S) bytes, the last being the reference. `names`: of the N faces."""
    corners = [most_detailed_square(face, len(face) // 4) for face in list(rows.values())[-1]]
    shown = {label: [with_detail(*pair, beside=True) for pair in zip(images, corners, strict=True)]
             for label, images in rows.items()}
    heads = [f"person {face.person}, {face.state}" for face in map(parse, names)]
    return rows_of_images(shown, heads, title)


def augmentations(image: np.ndarray, name: str, title: str) -> Figure:
    """2D-GAN's Fig. 6: a basic image (S, S), each operation alone, and copies 1 to 4 of `name`, as
    the data set has them, by two or three operations."""
    shown = [("basic image", image), *((one, augment(image, name, [one])) for one in OPERATIONS)]
    for copy in range(1, 5):
        made = parse(name)._replace(copy=copy)
        operations = operations_of(made)
        shown.append((", ".join(operations), augment(image, made.name, operations)))
    return _grid(shown, 5, title, lettered=True)


def attention_maps(images: Images, maps: Images, k: int, title: str) -> Figure:
    """What the cross-level attention weighs for example k: by level the mean weight over channels
    and the two channels that vary most; beside them input and output. `images`: `Run.samples`;
    `maps`: `Run.attention`. The means of all levels share one colour scale, from their least to
    their greatest; the single channels share 0 to 1."""
    stacks = [np.stack([maps[f"mean_{n}"][k], *maps[f"maps_{n}"][k]]).astype(float)
              for n in range(len(maps) // 3)]
    limits = min(stack[0].min() for stack in stacks), max(stack[0].max() for stack in stacks)
    size = (TEXT_WIDTH - 0.7) / (1 + len(stacks))
    height = 3 * (size + 0.22) + 0.35
    figure, axes = plt.subplots(3, 1 + len(stacks), squeeze=False, figsize=(TEXT_WIDTH, height))
    before, after = images["input"][k], images["output"][k]
    show_grey(axes[0, 0], before, "input")
    show_grey(axes[1, 0], after, "output")
    show_grey(axes[2, 0], (after.astype(int) - before) // 2 + 128, "output − input, halved")
    for n, stack in enumerate(stacks):
        heads = "mean", *(f"channel {channel}" for channel in maps[f"channels_{n}"][k])
        for axis, weights, head in zip(axes[:, n + 1], stack, heads):
            low, high = limits if head == "mean" else (0, 1)
            axis.imshow(weights, cmap="cividis", vmin=low, vmax=high)  # rises in grey as well
            axis.set_title("{}×{}, {}".format(*weights.shape, head))
            axis.set_axis_off()
    for some, label in ((axes[:1, -1], "mean weight"), (axes[1:, -1], "weight")):
        figure.colorbar(some[0].images[0], ax=list(some), label=label, shrink=0.9)
    figure.suptitle(title)
    return figure


def _wrap(text: str, width: float) -> str:
    """`text` on lines of at most `width` inches, broken at a space, after + and before (; what is
    longer than a line also after _ / and -."""
    letters = max(int(width / 0.07), 6)  # of 8 points
    lines = []
    for given in text.splitlines():
        lines.append("")
        for piece in filter(None, re.split(r"(?<=[+ ])|(?=\()", given)):
            parts = [piece] if len(piece.rstrip()) <= letters else re.split(r"(?<=[_/-])", piece)
            for part in parts:
                if lines[-1] and len(lines[-1] + part.rstrip()) > letters:
                    lines.append("")
                lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)
