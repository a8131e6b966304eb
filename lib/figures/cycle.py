"""CycleGAN's two generators and two discriminators, both directions: GN_CycleGAN's Figs. 1 and 3.

Names, parts and shapes come from the graphs; what is drawn by hand is how the four networks are
trained, `lib.training.recipes.cycle_gan`.
"""

from collections import Counter

from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lib.figures.canvas import (
    ATTENTION_FILL,
    FILLS,
    JOIN_FILL,
    LINES,
    SMALL,
    Box,
    Canvas,
    shape_text,
)
from lib.figures.style import TEXT_WIDTH
from lib.figures.network_graph import EXTERNAL, INTERNAL, MAIN, Graph, Shape, readable, skip_roles

VISIBLE_FILL, INFRARED_FILL = "#fdf6d8", "#f2c6bd"
PANEL = 2.75  # height of one direction, inches
# from left to right: real image, generator, fake, generator back, reconstructed image
PLACES = ((0.54, 0.92), (2.0, 1.3), (3.5, 0.96), (5.0, 1.3), (6.55, 1.12))  # centre, width


def network_name(graph: Graph) -> list[str]:
    """The class of a network; of one that only wraps another, both: PatchGAN, normalised."""
    inner = [name for path, name in graph.classes.items() if path and "." not in path]
    if len(inner) == 1 and inner[0] != "Sequential":
        return [inner[0], readable(graph.title).replace(" ", "-")]
    return [graph.title]


def main_parts(graph: Graph) -> str:
    """What an `overview` has: "9 residual blocks", "6 skip connections", "5 convolutions"."""
    blocks = Counter(node.title for node in graph.nodes.values() if node.title and node.operations)
    if blocks:
        ((title, count),) = blocks.most_common(1)
        block, _, inside = title.partition(" with ")
        return f"{count} {block}s" + (f"\nwith {inside}" if inside else "")
    joined = [edge for edge, role in skip_roles(graph).items() if role == INTERNAL]
    if skips := sum(graph.nodes[edge.target].labels == ("concat",) for edge in joined):
        return f"{skips} skip connections"
    kernels = [any(step.kernel for step in node.operations) for node in graph.nodes.values()]
    return f"{sum(kernels)} convolutions"


def _ends(graph: Graph) -> tuple[Shape, Shape]:
    """The shapes of a network's first input and of its output."""
    first = next(node for node in graph.nodes.values() if not graph.into(node.name))
    last = next(node for node in graph.nodes.values() if not graph.out_of(node.name))
    return first.shape, last.shape


def cycle_figure(generator: Graph, discriminator: Graph, title: str) -> Figure:
    """Both directions of the cycle, from `lib.figures.network_graph.overview` of the two networks.

    x is visible, y infrared; G_A makes infrared images, G_B visible ones; D_X judges visible, D_Y
    infrared images (GN_CycleGAN, Eqs. 4 to 7). Raises ValueError where an image does not pass from
    one network to the next.
    """
    (image, made), (judged, scores) = _ends(generator), _ends(discriminator)
    if image != made or made != judged:
        raise ValueError(
            f"the cycle needs one shape of images, but the generator makes {shape_text(made)} of "
            f"{shape_text(image)} and the discriminator takes {shape_text(judged)}"
        )
    canvas = Canvas(TEXT_WIDTH, 2 * PANEL + 0.55)
    canvas.text(TEXT_WIDTH / 2, 2 * PANEL + 0.43, title, 8)
    maker = "\n".join([*network_name(generator), main_parts(generator)])
    judge = "\n".join([*network_name(discriminator), main_parts(discriminator)])
    for bottom, domains, back in (
        (PANEL + 0.3, ("visible", "infrared"), False), (0.3, ("infrared", "visible"), True)
    ):  # fmt: skip
        _direction(canvas, bottom, domains, back, maker, judge, image, scores)
    _legend(canvas)
    return canvas.figure


def _direction(
    canvas: Canvas, bottom: float, domains: tuple[str, str], back: bool, maker: str, judge: str,
    image: Shape, scores: Shape,
) -> None:
    """One panel: an image of the first domain to the second and back, and who judges it."""
    (real, other), (there, home), critic = (
        ("y", "x"), ("G_B", "G_A"), "D_X"
    ) if back else (("x", "y"), ("G_A", "G_B"), "D_Y")  # fmt: skip
    fake, rebuilt = f"{there}({real})", f"{home}({there}({real}))"
    fills = {"visible": VISIBLE_FILL, "infrared": INFRARED_FILL}
    row, low, high = bottom + 1.5, bottom + 0.5, bottom + 2.33
    source, first, middle, second, last = (
        Box(x, row, w, 0.66 if k % 2 else 0.5) for k, (x, w) in enumerate(PLACES)
    )
    verdict, discriminator = Box(first.x, low, 0.92, 0.42), Box(middle.x, low, 1.3, 0.66)
    shown, loss = Box(second.x, low, 0.92, 0.5), Box(middle.x, high, 1.5, 0.42)
    canvas.text(0.08, bottom + PANEL - 0.1, f"{domains[0]} → {domains[1]} → {domains[0]}", 7,
                ha="left", style="italic")  # fmt: skip
    size = shape_text(image)
    for box, text, fill in (
        (source, f"real {domains[0]}\n${real}$\n{size}", fills[domains[0]]),
        (first, f"generator ${there}$\n{maker}", FILLS[0]),
        (middle, f"fake {domains[1]}\n${fake}$\n{size}", fills[domains[1]]),
        (second, f"generator ${home}$\n{maker}", FILLS[0]),
        (last, f"reconstructed {domains[0]}\n${rebuilt}$\n{size}", fills[domains[0]]),
        (shown, f"real {domains[1]}\n${other}$\n{size}", fills[domains[1]]),
        (discriminator, f"discriminator ${critic}$\n{judge}", FILLS[1]),
        (verdict, f"real or fake?\n{shape_text(scores)}", ATTENTION_FILL),
        (loss, f"cycle consistency loss\n$\\Vert {rebuilt} - {real} \\Vert_1$", JOIN_FILL),
    ):
        canvas.box(box, text, fill, linespacing=1.3)
    chain = (source, first, middle, second, last)
    for a, b in zip(chain, chain[1:]):
        canvas.arrow([(a.right, row), (b.left, row)])
    canvas.arrow([(middle.x, middle.bottom), (middle.x, discriminator.top)])
    canvas.arrow([(shown.left, low), (discriminator.right, low)])
    canvas.arrow([(discriminator.left, low), (verdict.right, low)])
    canvas.arrow([(source.x, source.top), (source.x, high), (loss.left, high)])
    canvas.arrow([(last.x, last.top), (last.x, high), (loss.right, high)])
    canvas.arrow([(verdict.x, verdict.top), (verdict.x, first.bottom)], INTERNAL)
    lane = bottom + 0.06
    canvas.arrow([(verdict.x, verdict.bottom), (verdict.x, lane), (discriminator.x, lane),
                  (discriminator.x, discriminator.bottom)], EXTERNAL)  # fmt: skip
    turn = (loss.bottom + first.top) / 2
    for box, start in ((first, loss.x - 0.3), (second, loss.x + 0.3)):
        canvas.arrow([(start, loss.bottom), (start, turn), (box.x, turn), (box.x, box.top)],
                     INTERNAL)  # fmt: skip


def _legend(canvas: Canvas) -> None:
    meanings = {MAIN: "data", INTERNAL: "trains a generator", EXTERNAL: "trains the discriminator"}
    handles = [
        Line2D([], [], color=LINES[role][0], ls=LINES[role][1], lw=1.2, label=meaning)
        for role, meaning in meanings.items()
    ] + [
        Patch(facecolor=fill, edgecolor="0.2", linewidth=0.7, label=f"{domain} image")
        for domain, fill in (("visible", VISIBLE_FILL), ("infrared", INFRARED_FILL))
    ]  # fmt: skip
    canvas.axes.legend(
        handles=handles, loc="lower center", bbox_to_anchor=(TEXT_WIDTH / 2, 0.06),
        bbox_transform=canvas.axes.transData, ncols=len(handles), frameon=False, fontsize=SMALL,
        handlelength=2.4, columnspacing=1.6, borderpad=0, borderaxespad=0,
    )  # fmt: skip
