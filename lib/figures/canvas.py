"""Boxes, arrows and colours of the figures of networks: a canvas whose unit is the inch.

One that is wider than the journal's page is scaled down to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from lib.figures.style import TEXT_WIDTH
from lib.figures.network_graph import ATTENTION, EXTERNAL, INTERNAL, MAIN, Graph, Node, Shape

# Okabe and Ito's colours, told apart by the colour-blind; the dashes tell them apart in grey
LINES = {
    MAIN: ("0.25", "-"),
    INTERNAL: ("#0072B2", "-"),
    EXTERNAL: ("#D55E00", (0, (4, 1.5))),
    ATTENTION: ("#009E73", (0, (1.2, 1))),
}
# of layers, of modules drawn as one box, of attention, of what joins tensors
FILLS = ("#cfe3f2", "#fbe0b5", "#e9c9dc", "#d9d9d9", "#e6e6a8", "#b9b3d9", "#f9f3c8", "#9ec5cf")
PART_FILLS = ("#f4b183", "#e8a0a0", "#d3b48c")
ATTENTION_FILL, JOIN_FILL = "#a8d8c5", "#ffffff"
PLAIN = "#f2f2f2"  # inputs and outputs
SMALL, TINY = 6.5, 5.2  # points

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """Centre, width and height."""

    x: float
    y: float
    w: float
    h: float

    @property
    def left(self) -> float:
        return self.x - self.w / 2

    @property
    def right(self) -> float:
        return self.x + self.w / 2

    @property
    def top(self) -> float:
        return self.y + self.h / 2

    @property
    def bottom(self) -> float:
        return self.y - self.h / 2


class Canvas:
    """Axes in inches, `width` by `height`, drawn no wider than the journal's text."""

    def __init__(self, width: float, height: float):
        self.scale = min(1.0, TEXT_WIDTH / width)
        size = (width * self.scale, height * self.scale)
        self.figure: Figure = plt.figure(figsize=size)
        self.figure.set_layout_engine("none")  # the axes are placed by hand
        self.axes: Axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set(xlim=(0, width), ylim=(0, height))
        self.axes.set_axis_off()

    def text(self, x: float, y: float, text: str, size: float = SMALL, **options) -> None:
        options = {"ha": "center", "va": "center", "linespacing": 1.15} | options
        self.axes.text(x, y, text, fontsize=size * self.scale, **options)

    def box(self, box: Box, text: str, fill: str, size: float = SMALL, **options) -> None:
        self.axes.add_patch(
            FancyBboxPatch(
                (box.left, box.bottom), box.w, box.h, boxstyle="round,pad=0,rounding_size=0.035",
                facecolor=fill, edgecolor="0.2", linewidth=0.7 * self.scale, zorder=3,
            )
        )  # fmt: skip
        self.text(box.x, box.y, text, size, zorder=4, **options)

    def arrow(self, points: Sequence[Point], role: str = MAIN, zorder: float = 2) -> None:
        """Straight pieces from point to point, the head at the last; crossings show as bridges."""
        colour, dashes = LINES[role]
        width = (0.9 if role == MAIN else 1.1) * self.scale
        join = {"solid_joinstyle": "round", "dash_joinstyle": "round"}
        casing = {"color": "white", "lw": width + 1.8 * self.scale, "zorder": zorder}
        line = {"color": colour, "lw": width, "ls": dashes, "zorder": zorder + 0.001}
        self.axes.plot(*zip(*points), **casing, **join, solid_capstyle="butt")
        self.axes.plot(*zip(*points), **line, **join)
        self.axes.add_patch(
            FancyArrowPatch(
                path=Path(_last(points)), arrowstyle="-|>,head_length=3.6,head_width=1.7",
                mutation_scale=self.scale, color=colour, linewidth=0, zorder=2.9,
                shrinkA=0, shrinkB=0,
            )
        )  # fmt: skip


def _last(points: Sequence[Point]) -> list[Point]:
    """The end of the last piece: all that an arrow head needs to know its direction."""
    (x0, y0), (x1, y1) = points[-2:]
    part = min(1.0, 0.06 / max(abs(x1 - x0), abs(y1 - y0)))
    return [(x1 - part * (x1 - x0), y1 - part * (y1 - y0)), (x1, y1)]


def shape_text(shape: Shape) -> str:
    """(64, 32, 32) -> "64×32×32"."""
    return "×".join(map(str, shape)) or "1"


def joins_tensors(node: Node) -> bool:
    return not node.title and len(node.operations) == 1 and node.operations[0].joins


def fill_colours(*graphs: Graph) -> dict[tuple[str, ...], str]:
    """A colour for each kind of node: layers and parts in order of appearance."""
    fills: dict[tuple[str, ...], str] = {}
    counts = {FILLS: 0, PART_FILLS: 0}
    for node in (node for graph in graphs for node in graph.nodes.values()):
        if not node.operations or node.labels in fills:
            continue
        if joins_tensors(node):
            fills[node.labels] = JOIN_FILL
        elif node.attends and node.title:
            fills[node.labels] = ATTENTION_FILL
        else:
            palette = PART_FILLS if node.title else FILLS
            fills[node.labels] = palette[counts[palette] % len(palette)]
            counts[palette] += 1
    return fills
