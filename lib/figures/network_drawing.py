"""Figures of networks, drawn from what `lib.figures.network_graph` traces.

2D-GAN's Figs. 1 to 4: `gan_figure`, `network_figure`, `module_diagram` twice. GN_CycleGAN's Figs. 1
and 3: `cycle_figure`; its Fig. 2 and the parts of Fig. 3: `module_diagram`. Boxes, shapes and
arrows come from the graphs; how networks are trained against each other is drawn by hand.
Lengths are inches; no text is smaller than 7 points, indices apart, and none stands upright.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import cycle, pairwise
from typing import NamedTuple

import matplotlib.pyplot as plt
import networkx as nx
from grandalf import graphs
from grandalf.layouts import SugiyamaLayout, VertexViewer
from grandalf.routing import EdgeViewer
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch, PathPatch
from matplotlib.path import Path
from matplotlib.textpath import text_to_path

from lib.figures.network_graph import (
    ATTENTION, EXTERNAL, INTERNAL, MAIN, Edge, Node, Shape, ends, main_path, readable, shared,
    skip_roles, stages,
)  # fmt: skip
from lib.figures.style import TEXT_WIDTH

# Okabe and Ito's colours, told apart by the colour-blind; the dashes tell them apart in grey
LINES = {
    MAIN: ("0.25", "-"), INTERNAL: ("#0072B2", "-"), EXTERNAL: ("#D55E00", (0, (4, 1.5))),
    ATTENTION: ("#009E73", (0, (1.2, 1))),
}  # fmt: skip
FILLS = ("#cfe3f2", "#fbe0b5", "#e9c9dc", "#f4b183", "#e6e6a8", "#b9b3d9", "#9ec5cf", "#d9d9d9")
ATTENTION_FILL, JOIN_FILL, PLAIN = "#a8d8c5", "#ffffff", "#f2f2f2"  # PLAIN: inputs and outputs
IMAGE_FILLS = {"visible": "#fdf6d8", "infrared": "#f2c6bd"}
SMALL, NORMAL, TITLE, NOTATION = 7.0, 7.5, 8.5, 10.0  # points; a box with a formula has NOTATION
LINE = 0.135  # from one line of a box to the next
MARGIN = 0.1
WIDTH = TEXT_WIDTH - 2 * MARGIN

Point = tuple[float, float]
Fills = Mapping[tuple[str, ...], str]  # labels of a node -> colour


class Box(NamedTuple):
    """Centre, width and height."""

    x: float
    y: float
    w: float
    h: float

    left = property(lambda box: box.x - box.w / 2)
    right = property(lambda box: box.x + box.w / 2)
    bottom = property(lambda box: box.y - box.h / 2)
    top = property(lambda box: box.y + box.h / 2)


@cache
def text_width(text: str, size: float = SMALL) -> float:
    """Inches of the longest line, mathematics included."""
    font, measure = FontProperties(size=size), text_to_path.get_text_width_height_descent
    return max(measure(line, font, "$" in line)[0] for line in text.split("\n")) / 72


def shape_text(shape: Shape) -> str:
    """(64, 32, 32) -> "64×32×32"."""
    return "×".join(map(str, shape)) or "1"


def _box_size(text: str, note: str) -> tuple[float, float]:
    """Width and height; a formula is larger than words, so that its indices can be read."""
    size, room = (NOTATION, 0.17) if text.startswith("$") else (NORMAL, 0.1)
    width = max(text_width(text, size), text_width(note))
    return width + 0.12, LINE * (1 + text.count("\n") + bool(note)) + room


class Canvas:
    """Axes in inches, in the end as large as what was drawn."""

    def __init__(self):
        self.figure = plt.figure()
        self.figure.set_layout_engine("none")  # the axes are placed by hand
        self.axes = self.figure.add_axes((0, 0, 1, 1))
        self.axes.set_axis_off()
        self.extent = self.axes.dataLim

    def finish(self) -> Figure:
        page = self.extent.padded(MARGIN)
        self.figure.set_size_inches(page.size)
        self.axes.set(xlim=page.intervalx, ylim=page.intervaly)
        return self.figure

    def text(self, x: float, y: float, text: str, size: float = SMALL, **options) -> None:
        options = {"ha": "center", "va": "center", "linespacing": 1.25, "zorder": 5} | options
        self.axes.text(x, y, text, fontsize=size, **options)
        width, half = text_width(text, size), LINE / 2 * (1 + text.count("\n"))
        left = x if options["ha"] == "left" else x - width / 2
        self.axes.update_datalim([(left, y - half), (left + width, y + half)])

    def box(self, x: float, y: float, text: str, fill: str, note: str = "", size=None) -> Box:
        """As large as it has to be unless `size` is given; `note`, a shape, stands below `text`."""
        box = Box(x, y, *(size or _box_size(text, note)))
        self.axes.add_patch(
            FancyBboxPatch(
                (box.left, box.bottom), box.w, box.h, boxstyle="round,pad=0,rounding_size=0.035",
                facecolor=fill, edgecolor="0.2", linewidth=0.7, zorder=4,
            )
        )  # fmt: skip
        self.axes.update_datalim([(box.left, box.bottom), (box.right, box.top)])
        points = NOTATION if text.startswith("$") else NORMAL
        self.text(x, y + (LINE / 2 if note else 0), text, points)
        if note:
            self.text(x, box.bottom + 0.105, note, color="0.25")
        return box

    def arrow(self, points: Sequence[Point], role: str = MAIN, codes=None) -> None:
        """From point to point, the head at the last. Where straight lines cross is a bridge."""
        colour, dashes = LINES[role]
        line = {"path": Path(points, codes), "fill": False, "joinstyle": "round"}
        line["zorder"] = 2 + list(LINES).index(role) / 10
        if codes is None:
            self.axes.add_patch(PathPatch(**line, ec="white", lw=3))
        self.axes.add_patch(PathPatch(**line, ec=colour, lw=1.1, ls=dashes))
        head = {"arrowstyle": "-|>,head_length=3.6,head_width=1.7", "mutation_scale": 1}
        head |= {"color": colour, "lw": 0, "shrinkA": 0, "shrinkB": 0, "zorder": 3}
        self.axes.add_artist(FancyArrowPatch(*points[-2:], **head))

    def legend(self, fills: Mapping[str, str], lines: Mapping[str, str], columns: int) -> None:
        """Below everything: what the fills, text -> colour, and lines, role -> text, mean."""
        handles = [Patch(fc=fill, ec="0.2", lw=0.7, label=text) for text, fill in fills.items()]
        for role, text in lines.items():
            colour, dashes = LINES[role]
            handles.append(Line2D([], [], color=colour, ls=dashes, lw=1.2, label=text))
        place = (0.05, self.extent.y0 - 0.1)
        self.axes.legend(
            handles=handles, loc="upper left", bbox_to_anchor=place, ncols=columns, frameon=False,
            bbox_transform=self.axes.transData, fontsize=SMALL, handlelength=2.2, borderpad=0,
            borderaxespad=0, columnspacing=1.4,
        )  # fmt: skip
        self.axes.update_datalim([(0, place[1] - 0.145 * -(-len(handles) // columns))])


def fill_colours(*networks: nx.DiGraph) -> Fills:
    """A colour for each kind of node in order of appearance."""
    fills, colours = {}, cycle(FILLS)
    for node in (node for graph in networks for node in graph):
        if not node.operations or node.joins:
            fills[node.labels] = JOIN_FILL if node.operations else PLAIN
        elif node.labels not in fills:
            attention = node.attends and node.title
            fills[node.labels] = ATTENTION_FILL if attention else next(colours)
    return fills


# Layer by layer: modules


def _sugiyama(edges: Sequence[Edge], sizes: Mapping[Node, tuple[float, float]]):
    """Vertices and edges as placed by `grandalf`, and how many edges cross.

    x runs across the flow and y along it, and so do `sizes`.
    """
    vertices = {node: graphs.Vertex(node) for node in sizes}
    links = [graphs.Edge(vertices[a], vertices[b]) for a, b in edges]
    for node, vertex in vertices.items():
        vertex.view = VertexViewer(*sizes[node])
    for link in links:
        link.view = EdgeViewer()
    layout = SugiyamaLayout(graphs.graph_core(list(vertices.values()), links))
    layout.xspace, layout.yspace, layout.dw, layout.dh = 0.2, 0.28, 0.0, 0.0
    layout.init_all(optimize=True)  # an input stands next to what reads it
    layout.draw(N=10)
    return vertices, links, sum(layer.ccount for layer in layout.layers)


def draw_flow(
    canvas: Canvas, graph: nx.DiGraph, fills: Fills, names: Mapping[str, str] = {},
    upright: bool = False, top: float = 0.0,
) -> None:
    """Layer by layer from left to right, or downwards (`upright`); the upper left at (0, `top`).

    `names` replaces titles of inputs, outputs and modules. An input that nothing reads is left out.
    """
    again, texts = shared(graph), {}
    for node in graph:
        if graph.degree(node):
            lines = [names.get(label, label) for label in node.labels]
            texts[node] = (", " if upright else "\n").join(lines + ["shared"] * (node in again))
    turn = 1 if upright else -1
    sizes = {node: _box_size(text, shape_text(node.shape))[::turn] for node, text in texts.items()}
    orders = [list(graph.edges) for _ in range(20)]
    for k, order in enumerate(orders[1:]):
        random.Random(k).shuffle(order)
    vertices, links, _ = min((_sugiyama(order, sizes) for order in orders), key=lambda p: p[2])
    views = [vertex.view for vertex in vertices.values()]
    thick: dict[float, float] = {}  # place along the flow -> how thick the layer is
    for view in views:
        thick[view.xy[1]] = max(thick.get(view.xy[1], 0.0), view.h)
    first = min([view.xy[0] - view.w / 2 for view in views]
                + [x for link in links for x, _ in link.view._pts])  # fmt: skip

    def place(across: float, along: float) -> Point:
        return (across - first, top - along) if upright else (along, top - across + first)

    for link in links:
        start, end = (vertex.view for vertex in link.v)
        points, codes = [place(start.xy[0], start.xy[1] + start.h / 2)], [Path.MOVETO]
        for (x0, y0), (x1, y1) in pairwise(link.view._pts):  # a curve from layer to layer
            y0, y1 = y0 + thick[y0] / 2, y1 - thick[y1] / 2 - 0.08  # the arrow's head is straight
            middle = (y0 + y1) / 2
            points += [place(*p) for p in ((x0, y0), (x0, middle), (x1, middle), (x1, y1))]
            codes += [Path.LINETO] + 3 * [Path.CURVE4]
        points.append(place(end.xy[0], end.xy[1] - end.h / 2))
        canvas.arrow(points, codes=[*codes, Path.LINETO])
    for node, vertex in vertices.items():
        where, shape = place(*vertex.view.xy), shape_text(node.shape)
        canvas.box(*where, texts[node], fills[node.labels], shape)


def module_diagram(graph: nx.DiGraph, title: str, names: Mapping[str, str] = {}) -> Figure:
    """2D-GAN's Figs. 3 and 4: every operation of a module, and below it the shape of its result.

    `graph` is that of `lib.figures.network_graph.join_layers(trace(...))`; `names` replaces the
    names of inputs and output by the paper's. Runs from left to right where the page is wide
    enough, else from top to bottom.
    """
    for upright in (False, True):
        canvas = Canvas()
        draw_flow(canvas, graph, fill_colours(graph), names, upright)
        if upright or canvas.extent.width <= WIDTH:
            break
        plt.close(canvas.figure)
    canvas.text(canvas.extent.width / 2, canvas.extent.y1 + 0.2, title, TITLE)
    return canvas.finish()


# By resolution: whole networks

BOX, BESIDE, DOWN = (0.29, 0.25), 0.36, 0.215  # size; steps to the right within a row and out of it
ROOM = 0.2  # above and below a box; in its middle run skip connections
RAISED = 0.42  # attention above the step that asks
SIDE = 0.07  # from the middle of a box to where skip connections start and end


def _u_layout(graph: nx.DiGraph) -> tuple[dict[Node, Box], dict[Shape, tuple[float, float]]]:
    """A box for each node, and by resolution (H, W) the lower and upper end of its row.

    Rows run from the finest at y = 0 downwards, the data to the right over the width of the page.
    """
    path = main_path(graph)
    above = {}  # node beside the path -> the step that asks, below it
    for node in graph:
        if node not in path:
            near = [*graph.succ[node], *graph.pred[node]]
            above[node] = [step for step in near if step in path][-1]
    rows, end = {}, 0.0
    for size in sorted({node.shape[1:] for node in graph}, reverse=True):
        raised = any(node.shape[1:] == size for node in above)
        start, end = end, end - 2 * ROOM - BOX[1] - (RAISED - 0.05 if raised else 0.0)
        rows[size] = end, start
    places = [0.0]
    for before, node in pairwise(path):
        places.append(places[-1] + (BESIDE if node.shape[1:] == before.shape[1:] else DOWN))
    first = max(text_width(shape_text(size)) for size in rows) + 0.1 + BOX[0] / 2
    stretch = max(1.0, (WIDTH - 0.02 - first - BOX[0] / 2) / places[-1])
    boxes = {
        node: Box(first + stretch * x, rows[node.shape[1:]][0] + ROOM + BOX[1] / 2, *BOX)
        for node, x in zip(path, places)
    }
    for node, step in above.items():
        boxes[node] = Box(boxes[step].x, boxes[step].y + RAISED, *BOX)
    return boxes, rows


def _route(role: str, a: Box, b: Box, side: float) -> list[Point]:
    """The corners of a connection; a skip connection joins `b` at `side` of its middle."""
    if role == MAIN and a.y == b.y:
        return [(a.right, a.y), (b.left, b.y)]
    if role == MAIN:
        return [(a.right, a.y), (b.x, a.y), (b.x, b.bottom if b.y > a.y else b.top)]
    if a.x == b.x:  # the step below asks
        return [(a.x, a.top), (b.x, b.bottom)]
    if role == ATTENTION and b.y > a.y:
        return [(a.x - SIDE, a.top), (a.x - SIDE, b.y), (b.left, b.y)]
    if role == ATTENTION:
        return [(a.right, a.y), (b.x - side, a.y), (b.x - side, b.top)]
    x = a.x + SIDE
    if role == INTERNAL and a.y == b.y:
        lane = a.top + ROOM / 2
        return [(x, a.top), (x, lane), (b.x + side, lane), (b.x + side, b.top)]
    lane, turn = a.bottom - ROOM / 2, b.left - 0.06
    if a.y == b.y:
        return [(x, a.bottom), (x, lane), (b.x, lane), (b.x, b.bottom)]
    return [(x, a.bottom), (x, lane), (turn, lane), (turn, b.y), (b.left, b.y)]


def network_figure(
    generator: nx.DiGraph, discriminator: nx.DiGraph,
    names: Sequence[str] = ("generator", "discriminator"),
) -> Figure:
    """2D-GAN's Fig. 2: (a) a generator by resolution and order, (b) its discriminator by layers.

    Both are those of `lib.figures.network_graph.overview`. In (a) a row is a resolution, and a box
    has the channels of its result.
    """
    canvas, fills = Canvas(), fill_colours(generator, discriminator)
    roles, stage, (boxes, rows) = skip_roles(generator), stages(generator), _u_layout(generator)
    for k, (size, (end, start)) in enumerate(rows.items()):
        if k % 2 == 0:
            canvas.axes.axhspan(end, start, color="0.965", zorder=0)
        canvas.text(0, end + ROOM + BOX[1] / 2, shape_text(size), ha="left", color="0.25")
    for (a, b), role in roles.items():
        joined = any(roles[edge] == ATTENTION for edge in generator.in_edges(b))
        canvas.arrow(_route(role, boxes[a], boxes[b], SIDE if joined else 0.0), role)
    for node, box in boxes.items():
        canvas.box(box.x, box.y, str(node.shape[0]), fills[node.labels], size=BOX)
        if not node.operations:
            canvas.text(box.x, box.top + 0.09, node.title)
    several = sorted(set(stage.values())) if max(stage.values()) > 1 else []
    for number in several:
        places = [boxes[node].x for node in stage if stage[node] == number]
        canvas.text((min(places) + max(places)) / 2, 0.1, f"stage {number}", style="italic")
    title, y = {"size": TITLE, "ha": "left", "weight": "bold"}, 0.35 if several else 0.15
    canvas.text(0, y, f"(a) {names[0]}: {generator.graph['title']}", **title)
    kinds = {", ".join(node.labels): fills[node.labels] for node in generator if node.operations}
    canvas.axes.update_datalim([(WIDTH, min(rows.values())[0])])
    canvas.legend(kinds, {role: role for role in LINES if role in roles.values()}, columns=3)
    y = canvas.extent.y0 - 0.25
    canvas.text(0, y, f"(b) {names[1]}: {discriminator.graph['title']}", **title)
    draw_flow(canvas, discriminator, fills, top=y - 0.15)
    return canvas.finish()


# Networks that are trained against each other


def gan_figure(generator: nx.DiGraph, discriminator: nx.DiGraph) -> Figure:
    """2D-GAN's Fig. 1: two networks with their names and shapes."""
    canvas, (first, made), (_, scores) = Canvas(), ends(generator), ends(discriminator)
    source, network, fake, real, critic, verdict = (
        canvas.box(*what) for what in (
            (0.4, 0.4, "input $z$", PLAIN, shape_text(first.shape)),
            (1.8, 0.4, f"generator $G$\n{generator.graph['title']}", FILLS[0]),
            (3.2, 0.4, "fake $G(z)$", PLAIN, shape_text(made.shape)),
            (3.2, -0.4, "real $x$", PLAIN, shape_text(made.shape)),
            (4.8, 0, f"discriminator $D$\n{discriminator.graph['title']}", FILLS[1]),
            (6.4, 0, "real or fake?", ATTENTION_FILL, shape_text(scores.shape)),
        )
    )  # fmt: skip
    for a, b in ((source, network), (network, fake), (critic, verdict)):
        canvas.arrow([(a.right, a.y), (b.left, b.y)])
    for box, y in ((fake, 0.1), (real, -0.1)):
        canvas.arrow([(box.right, box.y), (3.9, box.y), (3.9, y), (critic.left, y)])
    for box, role, start, lane, end, side, what in (
        (network, INTERNAL, verdict.top, 0.85, network.top, 0.1, "generator, which minimises"),
        (critic, EXTERNAL, verdict.bottom, -0.6, critic.bottom, -0.1,
         "discriminator, which maximises"),
    ):  # fmt: skip
        canvas.arrow([(verdict.x, start), (verdict.x, lane), (box.x, lane), (box.x, end)], role)
        middle = (box.x + verdict.x) / 2
        canvas.text(middle, lane + side, f"trains the {what} $V(G, D)$")
    return canvas.finish()


def network_name(graph: nx.DiGraph) -> list[str]:
    """The class of a network; of one that only wraps another, both: PatchGAN, normalised."""
    classes = graph.graph["classes"]
    inner = [name for path, name in classes.items() if path and "." not in path]
    if len(inner) == 1 and inner[0] != "Sequential":
        return [inner[0], readable(classes[""]).replace(" ", "-")]
    return [classes[""]]


def main_parts(graph: nx.DiGraph) -> str:
    """What an `overview` has: "9 residual blocks", "6 skip connections", "5 convolutions"."""
    if blocks := Counter(node.title for node in graph if node.title and node.operations):
        ((title, count),) = blocks.most_common(1)
        block, _, inside = title.partition(" with ")
        return f"{count} {block}s" + (f"\nwith {inside}" if inside else "")
    internal = [edge for edge, role in skip_roles(graph).items() if role == INTERNAL]
    if skips := sum(target.labels == ("concat",) for _, target in internal):
        return f"{skips} skip connections"
    return f"{sum(any(step.kernel for step in node.operations) for node in graph)} convolutions"


def cycle_figure(generator: nx.DiGraph, discriminator: nx.DiGraph, title: str) -> Figure:
    """GN_CycleGAN's Figs. 1 and 3: both directions of the cycle, from `overview`s of its networks.

    x is visible, y infrared; G_A makes infrared images, G_B visible ones; D_X judges visible, D_Y
    infrared images (Eqs. 4 to 7). What trains what is `lib.training.recipes.cycle_gan`. Raises
    ValueError where an image does not pass from one network to the next.
    """
    (image, made), (judged, scores) = (
        [shape_text(end.shape) for end in ends(graph)] for graph in (generator, discriminator)
    )
    if image != made or made != judged:
        raise ValueError(
            f"the cycle needs one shape of images, but the generator makes {made} of {image} and "
            f"the discriminator takes {judged}"
        )
    canvas = Canvas()
    canvas.text(WIDTH / 2, 2.75, title, TITLE)
    texts = ["\n".join([*network_name(g), main_parts(g)]) for g in (generator, discriminator)]
    for bottom, names in ((0, "visible infrared x y G_A G_B D_Y"),
                          (-2.75, "infrared visible y x G_B G_A D_X")):  # fmt: skip
        _direction(canvas, bottom, names.split(), *texts, image, scores)
    lines = {MAIN: "data", INTERNAL: "trains a generator", EXTERNAL: "trains the discriminator"}
    canvas.legend({f"{name} image": fill for name, fill in IMAGE_FILLS.items()}, lines, columns=5)
    return canvas.finish()


def _direction(canvas: Canvas, bottom: float, names: Sequence[str], maker: str, judge: str,
               image: str, scores: str) -> None:  # fmt: skip
    """One panel: an image of the first domain to the second and back, and who judges it."""
    here, other, x, y, there, home, critic = names
    canvas.text(0, bottom + 2.52, f"{here} → {other} → {here}", ha="left", style="italic")
    fake, rebuilt, fills = f"{there}({x})", f"{home}({there}({x}))", IMAGE_FILLS
    row, low, high = bottom + 1.37, bottom + 0.37, bottom + 2.2
    real, first, middle, second, last, shown, judging, verdict, loss = boxes = [
        canvas.box(*what) for what in (
            (0.5, row, f"real {here}\n${x}$", fills[here], image),
            (1.95, row, f"generator ${there}$\n{maker}", FILLS[0]),
            (3.4, row, f"fake {other}\n${fake}$", fills[other], image),
            (4.85, row, f"generator ${home}$\n{maker}", FILLS[0]),
            (6.35, row, f"reconstructed {here}\n${rebuilt}$", fills[here], image),
            (4.85, low, f"real {other}\n${y}$", fills[other], image),
            (3.4, low, f"discriminator ${critic}$\n{judge}", FILLS[1]),
            (1.95, low, "real or fake?", ATTENTION_FILL, scores),
            (3.4, high, f"cycle consistency loss\n$\\Vert {rebuilt} - {x} \\Vert_1$", JOIN_FILL),
        )
    ]  # fmt: skip
    for a, b in pairwise(boxes[:5]):
        canvas.arrow([(a.right, row), (b.left, row)])
    for a, b in pairwise(boxes[5:8]):
        canvas.arrow([(a.left, low), (b.right, low)])
    canvas.arrow([(middle.x, middle.bottom), (middle.x, judging.top)])
    for box, side in ((real, loss.left), (last, loss.right)):
        canvas.arrow([(box.x, box.top), (box.x, high), (side, high)])
    lane, turn = bottom - 0.07, (loss.bottom + first.top) / 2
    canvas.arrow([(verdict.x, verdict.bottom), (verdict.x, lane), (judging.x, lane),
                  (judging.x, judging.bottom)], EXTERNAL)  # fmt: skip
    canvas.arrow([(verdict.x, verdict.top), (verdict.x, first.bottom)], INTERNAL)
    for box, x in ((first, loss.x - 0.3), (second, loss.x + 0.3)):
        canvas.arrow([(x, loss.bottom), (x, turn), (box.x, turn), (box.x, box.top)], INTERNAL)
