"""What the papers' text says of their networks, beside what the built ones are, and their sizes.

Everything in a column "built" is read off traced graphs, but for the bounds of GN_CycleGAN's Eqs. 2
and 3, which are measured.
"""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from lib.figures.network_graph import (
    Node, Shape, ends, join_layers, overview, shared, stages, trace, trace_part,
)  # fmt: skip
from lib.networks import build
from lib.networks.blocks import count_parameters
from lib.networks.gradient_normalisation import GradientNormalised
from lib.training.experiments import resolve
from lib.training.recipes.cycle_gan import CycleGANRecipe

Row = tuple  # what, stated, built[, agrees]


def _table(*rows: Row) -> pd.DataFrame:
    """Columns stated, built, agrees; `agrees`, where a row lacks it: both are equal."""
    rows = [row if len(row) == 4 else (*row, row[1] == row[2]) for row in rows]
    return pd.DataFrame(rows, columns=["what", "stated", "built", "agrees"]).set_index("what")


def _distinct(values: Iterable) -> str:
    return " or ".join(dict.fromkeys(map(str, values)))


def _layer(node: Node) -> str:
    return ", ".join(step.label for step in node.operations)


def _size(node: Node) -> str:
    return "×".join(map(str, node.shape[1:]))


def _with_kernels(graph: nx.DiGraph) -> list[Node]:
    return [node for node in graph if any(step.kernel for step in node.operations)]


def _parts(network: nn.Module, kind: str, shape: Shape) -> list[nx.DiGraph]:
    """The graph of each module of this class, its layers joined."""
    classes = trace(network, shape).graph["classes"]
    paths = [path for path, name in classes.items() if name == kind]
    return [join_layers(trace_part(network, path, shape)) for path in paths]


def two_d_gan_facts(
    generator: nn.Module, discriminator: nn.Module, shape: Shape = (1, 128, 128)
) -> pd.DataFrame:
    """Columns stated, built, agrees: 2D-GAN's section "Methods", Eqs. 2 and 3, Figs. 2 to 4.

    `generator` is the complete network, with external skips and cross-level attention.
    """
    graph, judge = overview(generator, shape), overview(discriminator, shape)
    stage = stages(graph)
    steps = list(pairwise(stage))
    down = [b for a, b in steps if b.shape[-1] < a.shape[-1]]
    up = {b: b.shape[-1] / a.shape[-1] for a, b in steps if b.shape[-1] > a.shape[-1]}
    bridges = [a for a, b in steps if stage[b] > stage[a]]
    half = dict.fromkeys(up, "decoder") | dict.fromkeys(down, "encoder")
    read = _distinct(
        " and ".join(f"{half[source]} of stage {stage[source]}" for source in graph.pred[node])
        for node in graph if node not in stage
    )  # fmt: skip
    eq2 = _distinct(_layer(node) for node in up if node.shape[0] != shape[0])  # not to an image
    attention = _distinct(
        "; ".join(_layer(node) for node in part if node.operations)
        for part in _parts(generator, "CrossLevelAttention", shape)
    )
    skips = _parts(generator, "ExternalSkip", shape)
    convs, (_, scores) = _with_kernels(judge), ends(judge)

    def change(layer: int) -> str:
        """What a convolution of the external skips does to the channels and to the size."""
        found = []
        for part in skips:
            node = _with_kernels(part)[layer]
            (before,) = part.pred[node]
            channels, size = node.shape[0] / before.shape[0], node.shape[-1] / before.shape[-1]
            found.append(f"channels × {channels:g}, size × {size:g}")
        return _distinct(found)

    return _table(
        ("generator: input", "128×128", _size(ends(graph)[0])),
        ("generator: stages of encoding and decoding", "2", str(max(stage.values()))),
        ("encoder: a step", "conv 4×4 /2, BN, LeakyReLU",
         _distinct(_layer(node) for node in down if stage[node] == 1)),
        ("decoder: a step, Eq. 2", "convT 4×4 ×2, BN, ReLU", eq2),
        ("decoder: a step, text", "convT 4×4 ×2, BN, LeakyReLU", eq2),
        ("decoder: size after a step", "2 times", _distinct(f"{k:g} times" for k in up.values())),
        ("stage 2: input", "an image like the input",
         _distinct("an image like the input" if a.shape == shape else _size(a) for a in bridges)),
        ("attention: reads", "encoder of stage 1 and decoder of stage 2", read),
        ("Eq. 3: conv1 on the decoded", "channels × 0.5, size × 1", change(0)),
        ("Eq. 3: conv1 after concat", "channels × 0.5, size × 1", change(1)),
        ("Eq. 3: conv2", "size × 0.5", _distinct(change(2).split(", ")[1:])),
        ("Fig. 4", "conv 1×1, BN; conv 1×1, BN; +; sigmoid; ×", attention),
        ("discriminator: convolutions, with Fig. 2b", "5", str(len(convs))),
        ("discriminator: convolutions, in the overview", "4", str(len(convs))),
        ("discriminator: first four", "conv 4×4 /2, BN, LeakyReLU",
         _distinct(map(_layer, convs[:4]))),
        ("discriminator: stride of the last", "1",
         _distinct(step.stride for step in convs[-1].operations if step.kernel)),
        ("discriminator: output at 128×128", "8×8", _size(scores)),
    )  # fmt: skip


# trainable parameters of the public reference code, images of three channels on both sides
PUBLIC_PARAMETERS = {
    "unet_128": (41_825_667, "CycleGAN"),
    "unet_256": (54_409_603, "CycleGAN"),
    "resnet_6blocks": (7_837_699, "CycleGAN"),
    "resnet_9blocks": (11_378_179, "CycleGAN"),
    "resnet_9blocks_cbam": (11_455_255, "CycleGAN, CBAM in nine blocks"),
    "cut_generator": (11_378_179, "CUT, whose blur filters are fixed"),
    "patchgan": (2_764_737, "CycleGAN"),
    "cut_discriminator": (2_764_737, "CUT, whose blur filters are fixed"),
    "projection_head": (560_384, "CUT"),
}


def parameter_table() -> pd.DataFrame:
    """Trainable parameters of every network of GN_CycleGAN, ours and the public code's."""
    rows = []
    for name, (public, code) in PUBLIC_PARAMETERS.items():
        with torch.device("meta"):
            ours = count_parameters(build(name))
        rows.append((name, ours, public, ours == public, code))
    columns = ["network", "ours", "public reference code", "agrees", "code"]
    return pd.DataFrame(rows, columns=columns).set_index("network")


def networks_of(experiment: str) -> dict[str, nn.Module]:
    """The networks that the training of a CycleGAN experiment makes at the paper's size, by name.

    As they are at its start, with seed 0.
    """
    black = np.zeros((1, 1, 1, 3), np.uint8)
    pairs = SimpleNamespace(
        visible=black, infrared=black[..., 0], names=("",), split={"train": np.array([0])}
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return CycleGANRecipe(resolve(experiment, "paper"), pairs, torch.device("cpu")).modules


def gn_cyclegan_facts(networks: Mapping[str, nn.Module], image: Shape) -> pd.DataFrame:
    """Columns stated, built, agrees: GN_CycleGAN, sections 2 and 3, of its complete method.

    `networks` are `networks_of("GN_CycleGAN-FLIR")`. The bounds are measured on two random images,
    with the weights the networks start with.
    """
    maker, critic = networks["generator"], networks["discriminator_infrared"]
    graph, judge = overview(maker, image), overview(critic, image)
    classes = [type(module).__name__ for module in networks.values()]
    judges = str(classes.count(type(critic).__name__))
    blocks = sum(node.title.startswith("residual block") for node in graph)
    activations = [
        step.label for node in judge for step in node.operations if "relu" in step.function
    ]
    return _table(
        ("generators", "2", str(classes.count(type(maker).__name__))),
        ("discriminators, section 2.1", "2", judges),
        ("discriminators, in the flow of Figs. 1 and 3", "1", judges),
        ("generator: residual blocks", "9", str(blocks)),
        ("discriminator: activation", "LeakyReLU", _distinct(activations)),
        ("discriminator: normalisation", "Eq. 3", critic.form.replace("eq", "Eq. ")),
        *_cbam_facts(_parts(maker, "CBAM", image)[0]),
        *_bounds(critic.discriminator, image),
    )


def _cbam_facts(graph: nx.DiGraph) -> list[Row]:
    gates = [node for node in graph if "mul" in node.functions]
    weights = [next(b for b in graph.pred[gate] if b.shape != gate.shape) for gate in gates]
    order = ["channel" if node.shape[1:] == (1, 1) else "spatial" for node in weights]
    convs = _with_kernels(graph)
    mlp = [node for node in convs if node.operations[0].kernel == (1, 1)]
    (spatial,) = (node for node in convs if node not in mlp)
    (before,) = graph.pred[spatial]
    norms = [step.label for step in spatial.operations if step.function.endswith("norm")]

    def pooled(axes: str) -> str:
        labels = [node.labels[0] for node in graph for step in node.operations if step.over == axes]
        return " and ".join(sorted(label.split(" over")[0] for label in labels)) + f" over {axes}"

    return [
        ("attention: order", "channel, then spatial", ", then ".join(order)),
        ("channel attention: pooling", "average and maximum over H, W", pooled("H, W")),
        ("channel attention: MLPs", "1", "1" if set(mlp) <= shared(graph) else "2"),
        ("spatial attention: pooling", "average and maximum over C", pooled("C")),
        ("spatial attention: convolution", "conv 7×7", spatial.labels[0]),
        ("spatial attention: its channels", "2 to 1", f"{before.shape[0]} to {spatial.shape[0]}"),
        ("spatial attention: normalisation", "none", _distinct(norms) or "none"),
        ("attention: weights by", "sigmoid", _distinct(node.labels[-1] for node in weights)),
    ]


def _bounds(network: nn.Module, shape: Shape) -> list[Row]:
    images = torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    rows = []
    for form, (low, high) in (("eq2", (-1, 1)), ("eq3", (0, 1))):
        with torch.no_grad():
            scores = GradientNormalised(network, form)(images)
        least, most = scores.min().item(), scores.max().item()
        rows.append((f"Eq. {form[-1]}: scores of random images", f"{low} to {high}",
                     f"{least:.3f} to {most:.3f}", low <= least and most <= high))  # fmt: skip
    slope = score_slopes(GradientNormalised(network, "eq2"), images).max().item()
    what = "section 2.3: slope of a score, random images"
    return [*rows, (what, "≤ 1", f"≤ {slope:.4f}", slope <= 1)]


def score_slopes(discriminator: nn.Module, images: Tensor) -> Tensor:
    """Norm of the gradient of the score in the middle, for each image (B, C, H, W): (B,)."""
    images = images.detach().requires_grad_()
    scores = discriminator(images)
    middle = scores[:, 0, scores.shape[2] // 2, scores.shape[3] // 2]
    (gradient,) = torch.autograd.grad(middle.sum(), images)
    return gradient.flatten(1).norm(dim=1)
