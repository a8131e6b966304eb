"""Figures of networks from the graphs of `lib.figures.network_graph`, placed by Graphviz and drawn
by matplotlib; how networks are trained against each other is written down here. Lengths are inches;
no text is smaller than 7 points, indices apart."""

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import cycle, pairwise

import matplotlib.pyplot as plt
import networkx as nx
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.offsetbox import AnnotationBbox, TextArea, VPacker
from matplotlib.patches import FancyArrowPatch, Patch
from matplotlib.path import Path
from matplotlib.patheffects import withStroke
from matplotlib.transforms import Bbox
from pygraphviz import AGraph

from lib.figures.network_graph import (
    ATTENTION, EXTERNAL, INTERNAL, JOINS, MAIN, shape_text, skip_roles, stages,
)
from lib.figures.style import TEXT_WIDTH

# Okabe and Ito's colours, told apart by the colour-blind; the dashes tell them apart in grey
LINES = {
    MAIN: ("0.25", "-"), INTERNAL: ("#0072B2", "-"), EXTERNAL: ("#D55E00", (0, (4, 1.5))),
    ATTENTION: ("#009E73", (0, (1.2, 1))),
}
FILLS = ("#cfe3f2", "#fbe0b5", "#e9c9dc", "#f4b183", "#e6e6a8", "#b9b3d9", "#9ec5cf", "#d9d9d9")
ATTENTION_FILL, JOIN_FILL, PLAIN = "#a8d8c5", "#ffffff", "#f2f2f2"  # PLAIN: inputs and outputs
SMALL, NORMAL, TITLE, NOTATION = 7.0, 7.5, 8.5, 10.0  # points; a box with a formula has NOTATION
# of `network_figure`: to the right in a row and out of it, from row to row, up to attention
BESIDE, DOWN, ROW, RAISED = 0.36, 0.215, 0.95, 0.42


def draw(boxes: nx.DiGraph, title: str, legend: Mapping[str, str] = {}, **options) -> Figure:
    """Boxes and the arrows between them, laid out by Graphviz.

    A node has `text`, and may have a `fill` (none: no box), a `note` below the text and its centre
    `at`; an edge may have a `role` of LINES. Boxes with `at` lie there, and arrows run around them
    at right angles; otherwise they are placed in layers, by "dot" with `options`. In the end each
    node has its `centre` on the axes. `legend`: text -> a fill or a role.
    """
    placed = bool(nx.get_node_attributes(boxes, "at"))
    plan = AGraph(directed=True, splines="ortho" if placed else "spline", **options)
    plan.node_attr.update(label="", shape="box", fixedsize=True)
    plan.edge_attr.update(arrowsize=0.4)
    figure = plt.figure()
    figure.set_layout_engine("none")  # as an argument it would not survive a savefig
    axes = figure.add_axes((0, 0, 1, 1), frame_on=False, xticks=[], yticks=[])
    artists = {name: axes.add_artist(_box(**look)) for name, look in boxes.nodes.data()}
    for name, artist in artists.items():
        width, height = artist.get_window_extent().size / figure.dpi
        plan.add_node(name, width=width, height=height)
        if placed:
            plan.get_node(name).attr["pos"] = "{},{}!".format(*boxes.nodes[name]["at"])
    plan.add_edges_from(boxes.edges)
    plan.layout("neato" if placed else "dot")

    page = Bbox(_points(plan.graph_attr["bb"]).reshape(2, 2)).padded(0.05)
    figure.set_size_inches(page.size)
    axes.set(xlim=page.intervalx, ylim=page.intervaly)
    axes.set_title(title, fontsize=TITLE)
    for start, end, role in boxes.edges.data("role", MAIN):
        _draw_arrow(axes, plan.get_edge(start, end).attr["pos"], role, bridges=placed)
    for name, artist in artists.items():
        (artist.xybox,) = _points(plan.get_node(name).attr["pos"])
        boxes.nodes[name]["centre"] = artist.xybox
    handles = [Line2D([], [], color=LINES[look][0], ls=LINES[look][1], label=text)
               if look in LINES else Patch(fc=look, ec="0.2", lw=0.7, label=text)
               for text, look in legend.items()]
    if handles:
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, 0), frameon=False,
                    ncols=3 if len(handles) > 5 else 5, fontsize=SMALL)
    return figure


def _box(text: str, fill: str = "none", note: str = "", at=None) -> AnnotationBbox:
    """A formula is larger than words, so that its indices can be read."""
    size = NOTATION if text.startswith("$") else NORMAL
    lines = [TextArea(text, textprops={"size": size, "ha": "center"})]
    if note:
        lines.append(TextArea(note, textprops={"size": SMALL, "color": "0.25"}))
    frame = {"boxstyle": "round,pad=0.5,rounding_size=0.3", "fc": fill, "lw": 0.7,
             "ec": "none" if fill == "none" else "0.2"}
    content = VPacker(children=lines, align="center", pad=0, sep=2)
    return AnnotationBbox(content, (0, 0), bboxprops=frame, zorder=4)


def _points(text: str) -> np.ndarray:
    """(N, 2) inches from Graphviz's "x,y x,y ..."."""
    return np.array([point.split(",") for point in text.split()], float) / 72


def _draw_arrow(axes, route: str, role: str, bridges: bool) -> None:
    """Along Graphviz's cubic curves; with `bridges`, over a gap where it crosses another."""
    tip, *curve = _points(route.removeprefix("e,"))
    codes = [Path.MOVETO, *[Path.CURVE4] * (len(curve) - 1), Path.LINETO]
    axes.add_patch(FancyArrowPatch(
        path=Path([*curve, tip], codes), arrowstyle="-|>,head_length=3.6,head_width=1.7",
        mutation_scale=1, color=LINES[role][0], ls=LINES[role][1], lw=1.1, joinstyle="round",
        path_effects=[withStroke(linewidth=3, foreground="white")] if bridges else None,
    ))


def fill_colours(graph: nx.DiGraph) -> dict[str, str]:
    """Text of a node -> a colour, in order of appearance."""
    fills, colours = {}, cycle(FILLS)
    for node in graph:
        if not node.operations:
            fills[node.text] = PLAIN
        elif node.text in JOINS:
            fills[node.text] = JOIN_FILL
        elif node.title.endswith(("attention", "CBAM")):
            fills[node.text] = ATTENTION_FILL
        elif node.text not in fills:
            fills[node.text] = next(colours)
    return fills


def module_diagram(
    graph: nx.DiGraph, title: str, names: Mapping[str, str] = {}, upright: bool = False
) -> Figure:
    """2D-GAN's Figs. 3 and 4: every operation of a module, and below it the shape of its result.
    `names` replaces the names of inputs and output by the paper's. Runs from left to right, or
    downwards (`upright`). An input that nothing reads is left out."""
    boxes, fills, separator = nx.DiGraph(), fill_colours(graph), ", " if upright else "\n"
    for node in filter(graph.degree, graph):
        name = names.get(node.title, node.title)
        text = separator.join([name] if name else node.operations + ["shared"] * node.shared)
        boxes.add_node(node.name, text=text, note=shape_text(node.shape), fill=fills[node.text])
    boxes.add_edges_from((a.name, b.name) for a, b in graph.edges)
    return draw(boxes, title, rankdir="TB" if upright else "LR", ranksep=0.3, nodesep=0.2)


def network_figure(graph: nx.DiGraph, title: str) -> Figure:
    """2D-GAN's Fig. 2a: a generator. A row is a resolution, the finest on top, and the data run to
    the right over the width of the page. A box has the channels of its result."""
    fills, roles, stage = fill_colours(graph), skip_roles(graph), stages(graph)
    rows = sorted({node.shape[1:] for node in graph}, reverse=True)
    heights = {row: -ROW * k for k, row in enumerate(rows)}
    steps = [BESIDE if a.shape[1:] == b.shape[1:] else DOWN for a, b in pairwise(stage)]
    columns = np.cumsum([0, *steps])
    columns = 0.85 + columns * max(1, (TEXT_WIDTH - 1.3) / columns[-1])
    places = {node: (x, heights[node.shape[1:]]) for node, x in zip(stage, columns)}
    for node in (node for node in graph if node not in stage):  # attention, above what asks
        x, y = places[[step for step in graph.pred[node] if step in stage][-1]]
        places[node] = x, y + RAISED

    boxes = nx.DiGraph()
    for node, at in places.items():
        note = "" if node.operations else node.title
        boxes.add_node(node.name, text=str(node.shape[0]), fill=fills[node.text], note=note, at=at)
    for row in rows:
        boxes.add_node(shape_text(row), text=shape_text(row), at=(0.3, heights[row]))
    for number in set(stage.values()) if max(stage.values()) > 1 else ():
        x = np.mean([places[node][0] for node in stage if stage[node] == number])
        boxes.add_node(f"stage {number}", text=f"stage {number}", at=(x, 0.5))
    boxes.add_edges_from((a.name, b.name, {"role": role}) for (a, b), role in roles.items())
    legend = {node.text: fills[node.text] for node in graph if node.operations}
    legend |= {role: role for role in LINES if role in roles.values()}
    figure = draw(boxes, title, legend)
    for row in rows[::2]:
        y = boxes.nodes[shape_text(row)]["centre"][1]
        figure.axes[0].axhspan(y - 0.33, y + ROW - 0.33, color="0.965", zorder=0)
    return figure


def _scheme(rows: Iterable[tuple], arrows: Mapping[str, str]) -> nx.DiGraph:
    """Networks that are trained against each other. Rows are name, x, y, text, fill, note of a box;
    `arrows`: role -> "G>fake fake>D"."""
    boxes = nx.DiGraph()
    for name, x, y, text, fill, note in rows:
        boxes.add_node(name, text=text, fill=fill, note=note, at=(x, y))
    for role, pairs in arrows.items():
        boxes.add_edges_from((pair.split(">") for pair in pairs.split()), role=role)
    return boxes


def gan_figure(generator: nx.DiGraph, discriminator: nx.DiGraph, title: str) -> Figure:
    """2D-GAN's Fig. 1: two networks with their names and shapes."""
    (first, *_, last), (*_, verdict) = generator, discriminator
    given, made, scores = (shape_text(node.shape) for node in (first, last, verdict))
    rows = (
        ("z", 0.4, 0.4, "input $z$", PLAIN, given),
        ("G", 1.8, 0.4, f"generator $G$\n{network_name(generator)}", FILLS[0], ""),
        ("fake", 3.2, 0.4, "fake $G(z)$", PLAIN, made),
        ("real", 3.2, -0.4, "real $x$", PLAIN, made),
        ("D", 4.8, 0, f"discriminator $D$\n{network_name(discriminator)}", FILLS[1], ""),
        ("score", 6.4, 0, "real or fake?", ATTENTION_FILL, scores),
    )
    arrows = {MAIN: "z>G G>fake fake>D real>D D>score", INTERNAL: "score>G", EXTERNAL: "score>D"}
    legend = {"trains the generator, which minimises $V(G, D)$": INTERNAL,
              "trains the discriminator, which maximises $V(G, D)$": EXTERNAL}
    return draw(_scheme(rows, arrows), title, legend)


def cycle_figure(generator: nx.DiGraph, discriminator: nx.DiGraph, title: str) -> Figure:
    """GN_CycleGAN's Figs. 1 and 3: both directions of the cycle, from the graphs of its networks. x
    is visible, y infrared; G_A makes infrared images, G_B visible ones; D_X judges visible, D_Y
    infrared images (Eqs. 4 to 7). What trains what is `lib.training.recipes.cycle_gan`."""
    (first, *_, last), (judged, *_, verdict) = generator, discriminator
    given, made, shown, scores = (shape_text(n.shape) for n in (first, last, judged, verdict))
    maker, judge = (f"{network_name(g)}\n{main_parts(g)}" for g in (generator, discriminator))
    fills, panels = {"visible": "#fdf6d8", "infrared": "#f2c6bd"}, []
    arrows = {
        MAIN: "real>first first>fake fake>second second>back real>loss back>loss "
              "fake>judge other>judge judge>score",
        INTERNAL: "score>first loss>first loss>second", EXTERNAL: "score>judge",
    }
    for y0, names in ((0, "visible infrared x y G_A G_B D_Y"),
                      (-2.75, "infrared visible y x G_B G_A D_X")):
        here, other, x, y, there, home, critic = names.split()
        fake, back = f"{there}({x})", f"{home}({there}({x}))"
        loss = f"cycle consistency loss\n$\\Vert {back} - {x} \\Vert_1$"
        rows = (
            ("direction", 0.6, y0 + 1.15, f"{here} → {other} → {here}", "none", ""),
            ("loss", 3.3, y0 + 0.83, loss, JOIN_FILL, ""),
            ("real", 0.5, y0, f"real {here}\n${x}$", fills[here], given),
            ("first", 1.9, y0, f"generator ${there}$\n{maker}", FILLS[0], ""),
            ("fake", 3.3, y0, f"fake {other}\n${fake}$", fills[other], made),
            ("second", 4.7, y0, f"generator ${home}$\n{maker}", FILLS[0], ""),
            ("back", 6.2, y0, f"reconstructed {here}\n${back}$", fills[here], made),
            ("score", 1.9, y0 - 1, "real or fake?", ATTENTION_FILL, scores),
            ("judge", 3.3, y0 - 1, f"discriminator ${critic}$\n{judge}", FILLS[1], ""),
            ("other", 4.7, y0 - 1, f"real {other}\n${y}$", fills[other], shown),
        )
        panels.append(_scheme(rows, arrows))
    legend = {f"{name} image": fill for name, fill in fills.items()}
    legend |= {"data": MAIN, "trains a generator": INTERNAL, "trains the discriminator": EXTERNAL}
    return draw(nx.union(*panels, rename=("there ", "back ")), title, legend)


def network_name(graph: nx.DiGraph) -> str:
    """The class of a network and, if it only wraps another, of that."""
    return "\n".join(kind for _, kind in next(n for n in graph if n.convolves).within)


def main_parts(graph: nx.DiGraph) -> str:
    """What a network has most of: "9 × residual block", "6 × skip connection"."""
    blocks = Counter(node.title for node in graph if node.title and node.operations)
    skips = Counter("skip connection" for node in graph if node.text == "concat")
    layers = Counter("convolution" for node in graph if node.convolves)
    ((part, count),) = (blocks or skips or layers).most_common(1)
    return f"{count} × {part}".replace(" with ", "\nwith ")
