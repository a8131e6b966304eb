"""A module's operations in the order of its data, drawn from its graph.

2D-GAN's Figs. 3 and 4; GN_CycleGAN's Fig. 2 and the parts of its Fig. 3.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, permutations

from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from lib.figures.canvas import (
    JOIN_FILL,
    PLAIN,
    SMALL,
    TINY,
    Box,
    Canvas,
    Point,
    fill_colours,
    shape_text,
)
from lib.figures.style import TEXT_WIDTH
from lib.figures.network_graph import Graph, Node, shared

TURN = 0.1  # from a column back to where lines into it turn
BETWEEN_TURNS = 0.05


@dataclass(frozen=True)
class Flow:
    """A graph whose data run from left to right, or from top to bottom (`upright`).

    `texts`: what stands in each box, its operations or its title.
    `routes`: for each edge the boxes that it passes, its ends and one in each column between.
    `turns`: box -> where along the flow lines from a given source turn towards it.
    """

    graph: Graph
    texts: dict[str, str]
    boxes: dict[str, Box]
    routes: list[list[str]]
    turns: dict[tuple[str, str], float]
    width: float
    height: float
    upright: bool


def text_width(text: str, size: float) -> float:
    """Inches of the longest line, mathematics included."""
    lines = text.split("\n")
    return max(TextPath((0, 0), line, size=size).get_extents().width for line in lines) / 72


def _flow_texts(graph: Graph, names: Mapping[str, str], upright: bool) -> dict[str, str]:
    again = shared(graph)

    def lines(node: Node) -> tuple[str, ...]:
        if node.title:
            return (names.get(node.title, node.title),)
        return (*node.labels, "shared") if node.name in again else node.labels

    return {
        name: (", " if upright else "\n").join(lines(node)) for name, node in graph.nodes.items()
    }


def _columns(graph: Graph) -> tuple[list[list[str]], list[list[str]]]:
    """The members of each column, and each edge as a chain of members.

    An edge over several columns gets a place of its own in those between, so it crosses no box.
    """
    depth: dict[str, int] = {}
    for name in graph.nodes:
        depth[name] = 1 + max((depth[edge.source] for edge in graph.into(name)), default=-1)
    for name in graph.nodes:  # inputs stand right before what reads them first
        if not graph.into(name):
            depth[name] = min(depth[edge.target] for edge in graph.out_of(name)) - 1
    columns: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for name in graph.nodes:
        columns[depth[name]].append(name)
    chains = []
    for edge in graph.edges:
        chain = [edge.source]
        for level in range(depth[edge.source] + 1, depth[edge.target]):
            bend = f"{edge.source}|{level}"  # one tensor to several readers runs as one line
            if bend not in columns[level]:
                columns[level].append(bend)
            chain.append(bend)
        chains.append([*chain, edge.target])
    return columns, chains


def _neighbours(chains: list[list[str]]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Of each member those in the column before, and those in the one after."""
    before, after = defaultdict(list), defaultdict(list)
    for a, b in dict.fromkeys(link for chain in chains for link in zip(chain, chain[1:])):
        before[b].append(a)
        after[a].append(b)
    return before, after


def _sort(graph: Graph, columns: list[list[str]], chains: list[list[str]]) -> list[list[str]]:
    """Each column so that few lines cross, from every order of the inputs the best."""
    inputs = [name for name in graph.nodes if not graph.into(name)]
    tried = []
    for order in permutations(inputs[:4]):
        rank = {name: k for k, name in enumerate(order)}
        start = [sorted(column, key=lambda name: rank.get(name, -1)) for column in columns]
        tried.append(_swept(start, chains))
    return min(tried, key=lambda columns: _crossings(columns, chains))


def _swept(columns: list[list[str]], chains: list[list[str]]) -> list[list[str]]:
    """Sorted by the mean place of the neighbours, column after column, back and forth."""
    before, after = _neighbours(chains)
    for sweep in range(8):
        near, step = (before, -1) if sweep % 2 == 0 else (after, 1)
        for level in range(len(columns))[::-step]:
            if not 0 <= level + step < len(columns):
                continue
            place = {name: k for k, name in enumerate(columns[level + step])}
            now = {name: k for k, name in enumerate(columns[level])}
            mean = {
                name: sum(place[n] for n in near[name]) / len(near[name]) if near[name]
                else now[name]
                for name in now
            }  # fmt: skip
            columns[level].sort(key=mean.__getitem__)
    return columns


def _crossings(columns: list[list[str]], chains: list[list[str]]) -> int:
    place = {name: (k, n) for k, column in enumerate(columns) for n, name in enumerate(column)}
    links = {(place[a], place[b]) for chain in chains for a, b in zip(chain, chain[1:])}
    return sum(
        a[0] == c[0] and (a[1] - c[1]) * (b[1] - d[1]) < 0
        for (a, b), (c, d) in combinations(sorted(links), 2)
    )


def _straight_lines(columns: list[list[str]], chains: list[list[str]]) -> dict[str, str]:
    """Member -> name of the line it lies on: neighbours that shall stand at the same height."""
    place = {name: k for column in columns for k, name in enumerate(column)}
    level = {name: k for k, column in enumerate(columns) for name in column}
    before, after = _neighbours(chains)
    links = [(a, b) for a in after for b in after[a]]
    # long edges first, then what has one neighbour only
    links.sort(key=lambda link: (-sum("|" in end for end in link),
                                 len(after[link[0]]) + len(before[link[1]])))  # fmt: skip
    chosen: dict[str, str] = {}  # b -> a
    for a, b in links:
        crosses = any(
            level[a] == level[c] and (place[a] - place[c]) * (place[b] - place[d]) <= 0
            for d, c in chosen.items()
        )
        if not crosses:
            chosen[b] = a
    line: dict[str, str] = {}
    for column in columns:
        line |= {name: line[chosen[name]] if name in chosen else name for name in column}
    return line


def _across(
    columns: list[list[str]], chains: list[list[str]], extent: Mapping[str, float], gap: float
) -> dict[str, float]:
    """The coordinate of each member across the flow: near its neighbours, apart from the next."""
    line = _straight_lines(columns, chains)
    apart: dict[tuple[str, str], float] = {}  # neighbouring lines and how far apart they must be
    for column in columns:
        for a, b in zip(column, column[1:]):
            key = (line[a], line[b])
            apart[key] = max(apart.get(key, 0.0), (extent[a] + extent[b]) / 2 + gap)
    links = {
        (line[a], line[b]) for chain in chains for a, b in zip(chain, chain[1:])
        if line[a] != line[b]
    }  # fmt: skip
    at = dict.fromkeys(line.values(), 0.0)
    for _ in at:  # as far left as the others allow
        for (a, b), distance in apart.items():
            at[b] = max(at[b], at[a] + distance)
    for _ in range(30):
        for name in at:
            near = [at[b if a == name else a] for a, b in sorted(links) if name in (a, b)]
            if near:
                low = max((at[a] + d for (a, b), d in apart.items() if b == name), default=-1e9)
                high = min((at[b] - d for (a, b), d in apart.items() if a == name), default=1e9)
                at[name] = min(max(sum(near) / len(near), low), high)
    return {name: at[line[name]] for name in line}


def flow_layout(graph: Graph, names: Mapping[str, str] = {}, upright: bool = False) -> Flow:
    columns, chains = _columns(graph)
    columns = _sort(graph, columns, chains)
    texts = _flow_texts(graph, names, upright)
    along, across = {}, {}  # extents in the direction of the flow and across it
    for name, text in texts.items():
        w = max(0.24, text_width(text, SMALL) + 0.14)
        h = 0.13 * (1 + text.count("\n")) + 0.1
        ports = 0.1 + 0.1 * (2 * len(graph.into(name)) - 1)
        along[name], across[name] = (h, max(w, ports)) if upright else (w, max(h, ports))
    thick = [max(along.get(name, 0.0) for name in column) for column in columns]
    for column, size in zip(columns, thick):
        for name in column:
            if name not in graph.nodes:
                along[name], across[name] = size, 0.02
    at = _across(columns, chains, across, 0.6 if upright else 0.2)
    low = min(at[name] - across[name] / 2 for name in at)
    high = max(at[name] + across[name] / 2 for name in at)
    label = {name: text_width(shape_text(node.shape), TINY) for name, node in graph.nodes.items()}
    before, _ = _neighbours(chains)
    position, previous = 0.0, []
    boxes: dict[str, Box] = {}
    turns: dict[tuple[str, str], float] = {}
    for column, size in zip(columns, thick):
        # lines from different sources turn at different places
        bent = [a for a in previous if any(a in before[b] and at[a] != at[b] for b in column)]
        if previous:
            wide = 0.16 if upright else max(label.get(name, 0.0) for name in previous)
            position += wide + 0.08 + TURN + BETWEEN_TURNS * max(0, len(bent) - 1)
        for b in column:
            boxes[b] = Box(position + size / 2, at[b] - low, along[b], across[b])
            for a in before[b]:
                back = BETWEEN_TURNS * bent.index(a) if a in bent else 0.0
                turns[a, b] = position - TURN - back
        position, previous = position + size, column
    span = high - low
    if upright:  # the flow's direction becomes downwards; labels stand to the right of the lines
        boxes = {n: Box(b.y, position - b.x, b.h, b.w) for n, b in boxes.items()}
        turns = {link: position - turn for link, turn in turns.items()}
        ends = [boxes[n].x + 0.06 + label[n] for n in graph.nodes]
        return Flow(graph, texts, boxes, chains, turns, max(span, *ends), position, True)
    boxes = {n: Box(b.x, span - b.y, b.w, b.h) for n, b in boxes.items()}
    return Flow(graph, texts, boxes, chains, turns, position, span, False)


def draw_flow(canvas: Canvas, flow: Flow, x0: float, y0: float, fills: Mapping) -> None:
    graph = flow.graph
    boxes = {n: Box(b.x + x0, b.y + y0, b.w, b.h) for n, b in flow.boxes.items()}
    ports = _ports(flow)
    sources = list(graph.nodes)
    for chain in flow.routes:
        points: list[Point] = []
        for a, b in zip(chain, chain[1:]):
            start, end, port = boxes[a], boxes[b], ports.get((a, b), 0.0)
            if flow.upright:
                turn, x = flow.turns[a, b] + y0, end.x + port
                points += [(start.x, start.bottom), (start.x, turn), (x, turn), (x, end.top)]
            else:
                turn, y = flow.turns[a, b] + x0, end.y + port
                points += [(start.right, start.y), (turn, start.y), (turn, y), (end.left, y)]
        canvas.arrow(list(dict.fromkeys(points)), zorder=1 + 0.01 * sources.index(chain[0]))
    for name, node in graph.nodes.items():
        box = boxes[name]
        fill = fills.get(node.labels, PLAIN if node.title else JOIN_FILL)
        canvas.box(box, flow.texts[name], fill)
        label = shape_text(node.shape)
        if not graph.out_of(name):
            continue
        if flow.upright:
            canvas.text(box.x + 0.05, box.bottom - 0.09, label, TINY, ha="left", zorder=5)
        else:
            canvas.text(box.right + 0.04, box.y + 0.025, label, TINY,
                        ha="left", va="bottom", zorder=5)  # fmt: skip


def _ports(flow: Flow) -> dict[tuple[str, str], float]:
    """Where on a box each of several arrows arrives: what comes straight, at its middle."""
    into = defaultdict(list)
    for chain in flow.routes:
        into[chain[-1]].append(chain[-2])
    ports = {}
    for name, sources in into.items():
        side = (lambda n: flow.boxes[n].x) if flow.upright else (lambda n: flow.boxes[n].y)
        sources = sorted(sources, key=side)
        straight = [k for k, source in enumerate(sources) if abs(side(source) - side(name)) < 1e-6]
        middle = straight[0] if straight else (len(sources) - 1) / 2
        for k, source in enumerate(sources):
            ports[source, name] = 0.1 * (k - middle)
    return ports


def module_diagram(graph: Graph, title: str, names: Mapping[str, str] = {}) -> Figure:
    """Figs. 3 and 4: every operation of a module, kernels and strides in boxes, shapes on arrows.

    `graph` is that of `lib.figures.network_graph.join_layers(trace(...))`; `names` replaces the names of
    inputs and output by the paper's. Runs from left to right where the width allows it, else from
    top to bottom.
    """
    flow = flow_layout(graph, names)
    if flow.width > TEXT_WIDTH - 0.2:
        flow = flow_layout(graph, names, upright=True)
    width = max(flow.width, text_width(title, 8)) + 0.2
    canvas = Canvas(width, flow.height + 0.45)
    canvas.text(width / 2, flow.height + 0.3, title, 8)
    draw_flow(canvas, flow, (width - flow.width) / 2, 0.1, fill_colours(graph))
    return canvas.figure
