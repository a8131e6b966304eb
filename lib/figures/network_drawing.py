"""2D-GAN's Figs. 1 and 2, drawn from what `lib.figures.network_graph` traces: the principle, the networks.

All boxes, shapes and arrows come from the graph; only their places are worked out here: by depth
from top to bottom and by order from left to right.
"""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lib.figures.canvas import (
    ATTENTION_FILL,
    FILLS,
    LINES,
    PLAIN,
    SMALL,
    TINY,
    Box,
    Canvas,
    Point,
    fill_colours,
    joins_tensors,
    shape_text,
)
from lib.figures.module_diagram import draw_flow, flow_layout, text_width
from lib.figures.style import TEXT_WIDTH
from lib.figures.network_graph import (
    ATTENTION,
    EXTERNAL,
    INTERNAL,
    MAIN,
    Graph,
    Node,
    main_path,
    skip_roles,
    stages,
)

BOX_W, BOX_H = 0.44, 0.30
JOIN_W, JOIN_H = 0.15, 0.52  # what joins tensors: a bar with its shape upright
RAISED_H = 0.26  # attention stands above the step that asks
LANE = 0.07


def _size(node: Node, raised: bool) -> tuple[float, float]:
    if raised:
        return BOX_W, RAISED_H
    return (JOIN_W, JOIN_H) if joins_tensors(node) else (BOX_W, BOX_H)


def _resolution(node: Node) -> int:
    return max(node.shape[1:], default=1)


def _u_layout(graph: Graph, left: float, top: float) -> tuple[dict[str, Box], dict[int, float]]:
    """A box for each node and the height of each resolution's row."""
    path = main_path(graph)
    raised = [name for name in graph.nodes if name not in path]
    sizes = sorted({_resolution(node) for node in graph.nodes.values()}, reverse=True)
    rows, y = {}, top
    for size in sizes:
        above = any(_resolution(graph.nodes[name]) == size for name in raised)
        headroom = 0.13 + (RAISED_H + 0.16 if above else 0.0)
        y -= headroom + JOIN_H / 2
        rows[size] = y
        y -= JOIN_H / 2 + 0.13
    boxes: dict[str, Box] = {}
    edge_of_row: dict[int, float] = {}
    previous = None
    for name in path:
        node = graph.nodes[name]
        size, (w, h) = _resolution(node), _size(node, False)
        x = left + w / 2
        if previous is not None:
            before = boxes[previous]
            same_row = before.y == rows[size]
            x = before.right + (0.12 + w / 2 if same_row else 0.11)
            x = max(x, edge_of_row.get(size, -1.0) + 0.12 + w / 2)
        boxes[name] = Box(x, rows[size], w, h)
        edge_of_row[size] = boxes[name].right
        previous = name
    for name in raised:
        readers = [edge.target for edge in graph.out_of(name) if edge.target in boxes]
        sources = [edge.source for edge in graph.into(name) if edge.source in boxes]
        under = boxes[(sources or readers)[-1]]
        y = under.y + JOIN_H / 2 + 0.16 + RAISED_H / 2
        boxes[name] = Box(under.x, y, *_size(graph.nodes[name], True))
    return boxes, rows


def _skip_route(edge_role: str, a: Box, b: Box, joined_above: bool) -> list[Point]:
    """Where a connection that is not a step of the main path runs."""
    lane = a.y + JOIN_H / 2 + LANE
    if b.y > a.y and abs(b.x - a.x) < 1e-6:  # the step below asks
        return [(a.x, a.top), (b.x, b.bottom)]
    if edge_role == ATTENTION and b.y > a.y:
        x = a.x + 0.10 * BOX_W
        return [(x, a.top), (x, b.y), (b.left, b.y)]
    if edge_role == ATTENTION:
        x = b.x - 0.2 * b.w
        return [(a.right, a.y), (x, a.y), (x, b.top)]
    if edge_role == EXTERNAL or a.y != b.y:
        low = a.y - JOIN_H / 2 - LANE
        x = a.x + 0.25 * a.w
        if a.y == b.y:
            return [(x, a.bottom), (x, low), (b.x, low), (b.x, b.bottom)]
        turn = b.left - 0.07
        return [(x, a.bottom), (x, low), (turn, low), (turn, b.y), (b.left, b.y)]
    start, end = a.x + 0.33 * a.w, b.x + (0.25 * b.w if joined_above else 0.0)
    return [(start, a.top), (start, lane), (end, lane), (end, b.top)]


def _draw_u(canvas: Canvas, graph: Graph, boxes: Mapping[str, Box], fills: Mapping) -> None:
    roles = skip_roles(graph)
    order = [MAIN, ATTENTION, EXTERNAL, INTERNAL]
    for edge in sorted(graph.edges, key=lambda edge: order.index(roles[edge])):
        a, b, role = boxes[edge.source], boxes[edge.target], roles[edge]
        if role == MAIN and a.y == b.y and b.left >= a.right:
            points = [(a.right, a.y), (b.left, b.y)]
        elif role == MAIN:
            points = [(a.right, a.y), (b.x, a.y), (b.x, b.bottom if b.y > a.y else b.top)]
        else:
            sources = [boxes[other.source] for other in graph.into(edge.target)]
            points = _skip_route(role, a, b, any(box.h == RAISED_H for box in sources))
        canvas.arrow(points, role, zorder=1.0 + 0.3 * order.index(role))
    for name, node in graph.nodes.items():
        box, fill = boxes[name], fills.get(node.labels, PLAIN)
        if box.w == JOIN_W:
            text = shape_text(node.shape)
            fitting = (JOIN_H - 0.08) / text_width(text, TINY)
            canvas.box(box, text, fill, TINY * min(1.0, fitting), rotation=90)
        else:
            rest = shape_text(node.shape[1:])
            canvas.box(box, f"{node.shape[0]}\n{rest}" if rest else str(node.shape[0]), fill, 6)
        if node.title and not node.operations:
            canvas.text(box.x, box.top + 0.08, node.title, 6)


def _legend(canvas: Canvas, graph: Graph, fills: Mapping, x: float, y: float) -> None:
    """What the fills and lines mean, of those there are; the top left corner at (x, y)."""
    patches = [
        Patch(facecolor=fill, edgecolor="0.2", linewidth=0.7, label=", ".join(kind))
        for kind, fill in fills.items()
    ]
    present = set(skip_roles(graph).values())
    lines = [
        Line2D([], [], color=colour, ls=dashes, lw=1.2, label=role)
        for role, (colour, dashes) in LINES.items()
        if role in present
    ]
    canvas.axes.legend(
        handles=patches + lines, loc="upper left", bbox_to_anchor=(x, y), ncols=3,
        bbox_transform=canvas.axes.transData, frameon=False, fontsize=SMALL * canvas.scale,
        handlelength=2.4, handleheight=1.0, columnspacing=1.4, borderpad=0, borderaxespad=0,
    )  # fmt: skip


def network_figure(
    generator: Graph, discriminator: Graph, names: Sequence[str] = ("generator", "discriminator")
) -> Figure:
    """Fig. 2: (a) a generator by depth and order, (b) its discriminator layer by layer.

    `generator` and `discriminator` are those of `lib.figures.network_graph.overview`.
    """
    fills = fill_colours(generator)
    boxes, rows = _u_layout(generator, 0.1, 0.0)
    used = max(box.right for box in boxes.values()) + 0.1
    depth = -min(box.bottom for box in boxes.values())
    n_kinds = len(fills) + len(set(skip_roles(generator).values()))
    legend = 0.155 * -(-n_kinds // 3) + 0.05
    flow = flow_layout(discriminator)
    width = max(used, flow.width + 0.2, TEXT_WIDTH)
    height = 0.3 + depth + 0.3 + legend + 0.35 + flow.height + 0.12
    canvas = Canvas(width, height)
    boxes, rows = _u_layout(generator, 0.1 + (width - used) / 2, height - 0.3)
    for k, y in enumerate(rows.values()):
        lower = y - JOIN_H / 2 - 0.13
        upper = height - 0.3 if k == 0 else list(rows.values())[k - 1] - JOIN_H / 2 - 0.13
        if k % 2 == 0:
            canvas.axes.axhspan(lower, upper, color="0.965", zorder=0)
    title = {"size": 8, "ha": "left", "weight": "bold"}
    canvas.text(0.08, height - 0.15, f"(a) {names[0]}: {generator.title}", **title)
    _draw_u(canvas, generator, boxes, fills)
    stage_of = stages(generator)
    several = sorted(set(stage_of.values())) if max(stage_of.values()) > 1 else []
    for stage in several:
        within = [boxes[name] for name in stage_of if stage_of[name] == stage]
        x = (min(box.left for box in within) + max(box.right for box in within)) / 2
        canvas.text(x, height - 0.45, f"stage {stage}", 7, style="italic")
    bottom = height - 0.3 - depth - 0.3
    _legend(canvas, generator, fills, 0.1, bottom)
    y = bottom - legend
    canvas.text(0.08, y - 0.15, f"(b) {names[1]}: {discriminator.title}", **title)
    fills = fill_colours(generator, discriminator)
    draw_flow(canvas, flow, (width - flow.width) / 2, 0.12, fills)
    return canvas.figure


def gan_figure(generator: Graph, discriminator: Graph) -> Figure:
    """Fig. 1: two networks trained against each other, names and shapes those of the built ones."""
    canvas = Canvas(TEXT_WIDTH, 2.6)
    (first, *_), (scores, *_) = (
        [node for node in graph.nodes.values() if not ends(node.name)]
        for graph, ends in ((generator, generator.into), (discriminator, discriminator.out_of))
    )
    (made,) = (node for node in generator.nodes.values() if not generator.out_of(node.name))
    image = shape_text(made.shape)
    upper, lower, middle = 1.8, 0.8, 1.3
    source = Box(0.65, upper, 1.0, 0.42)
    network = Box(2.1, upper, 1.2, 0.6)
    fake, real = Box(3.5, upper, 0.95, 0.42), Box(3.5, lower, 0.95, 0.42)
    critic = Box(5.0, middle, 1.25, 0.6)
    judged = Box(6.55, middle, 1.05, 0.42)
    canvas.box(source, f"input $z$\n{shape_text(first.shape)}", PLAIN)
    canvas.box(network, f"generator $G$\n{generator.title}", FILLS[0])
    canvas.box(fake, f"fake $G(z)$\n{image}", PLAIN)
    canvas.box(real, f"real $x$\n{image}", PLAIN)
    canvas.box(critic, f"discriminator $D$\n{discriminator.title}", FILLS[1])
    canvas.box(judged, f"real or fake?\n{shape_text(scores.shape)}", ATTENTION_FILL)
    canvas.arrow([(source.right, upper), (network.left, upper)])
    canvas.arrow([(network.right, upper), (fake.left, upper)])
    for box, port in ((fake, 0.12), (real, -0.12)):
        turn = (box.right + critic.left) / 2
        y = middle + port
        canvas.arrow([(box.right, box.y), (turn, box.y), (turn, y), (critic.left, y)])
    canvas.arrow([(critic.right, middle), (judged.left, middle)])
    high, low = 2.32, 0.4
    canvas.arrow([(judged.x, judged.top), (judged.x, high), (network.x, high),
                  (network.x, network.top)], INTERNAL)  # fmt: skip
    canvas.arrow([(judged.x, judged.bottom), (judged.x, low), (critic.x, low),
                  (critic.x, critic.bottom)], EXTERNAL)  # fmt: skip
    canvas.text((network.x + judged.x) / 2, high + 0.14, r"trains the generator: $\min_G V(G, D)$")
    canvas.text((critic.x + judged.x) / 2, low - 0.15,
                r"trains the discriminator: $\max_D V(G, D)$")  # fmt: skip
    return canvas.figure
