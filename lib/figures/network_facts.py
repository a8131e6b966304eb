"""What the papers' text says of their networks, beside what the traced graphs of ours say."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pandas as pd
import torch
from torch import nn

from lib.figures.network_graph import Node, Shape, modules_of, shape_text, stages, trace
from lib.training.experiments import resolve
from lib.training.recipes.cycle_gan import CycleGANRecipe


def statements(*rows: tuple) -> pd.DataFrame:
    """Rows are what, stated, built and, unless it is that both are equal, whether they agree."""
    rows = [row if len(row) == 4 else (*row, row[1] == row[2]) for row in rows]
    return pd.DataFrame(rows, columns=["what", "stated", "built", "agrees"]).set_index("what")


def _distinct(values: Iterable) -> str:
    return " or ".join(dict.fromkeys(map(str, values)))


def _change(graph: nx.DiGraph, node: Node) -> tuple[str, str]:
    """What a layer does to the channels and to the size."""
    (before,) = graph.pred[node]
    channels, size = node.shape[0] / before.shape[0], node.shape[-1] / before.shape[-1]
    return f"channels × {channels:g}", f"size × {size:g}"


def two_d_gan_facts(
    generator: nn.Module, discriminator: nn.Module, shape: Shape = (1, 128, 128)
) -> pd.DataFrame:
    """Columns stated, built, agrees: 2D-GAN's section "Methods", Eqs. 2 and 3, Figs. 2 to 4, of its
    complete network, with external skips and cross-level attention."""
    graph, layers = trace(generator, shape), trace(generator, shape, parts={})
    judge, stage = trace(discriminator, shape), stages(graph)
    steps = list(pairwise(stage))
    down = [b for a, b in steps if b.shape[-1] < a.shape[-1]]
    up = [b for a, b in steps if b.shape[-1] > a.shape[-1]]
    half = {node: f"decoder of stage {stage[node]}" for node in up}
    half |= {node: f"encoder of stage {stage[node]}" for node in down}
    read = [" and ".join(map(half.get, graph.pred[node])) for node in graph if node not in stage]
    encoder = _distinct(node.text for node in down if stage[node] == 1)
    decoder = _distinct(node.text for node in up if node.shape[0] != shape[0])  # not to an image
    bridges = _distinct(shape_text(a.shape) for a, b in steps if stage[b] > stage[a])
    skips = ([_change(layers, node) for node in part if node.convolves]
             for part in modules_of(layers, "ExternalSkip"))
    reduce, merge, shrink = zip(*skips)  # conv1, conv1, conv2
    attention = ("; ".join(node.text for node in part)
                 for part in modules_of(layers, "CrossLevelAttention"))
    convs, (*_, scores) = [node for node in judge if node.convolves], judge
    step, halved = "conv 4×4 /2, BN, LeakyReLU", "channels × 0.5, size × 1"
    return statements(
        ("generator: input", "128×128", shape_text(next(iter(graph)).shape[1:])),
        ("generator: stages of encoding and decoding", "2", str(max(stage.values()))),
        ("encoder: a step", step, encoder),
        ("decoder: a step, Eq. 2", "convT 4×4 ×2, BN, ReLU", decoder),
        ("decoder: a step, text", "convT 4×4 ×2, BN, LeakyReLU", decoder),
        ("decoder: size after a step", "size × 2", _distinct(_change(graph, n)[1] for n in up)),
        ("stage 2: input", shape_text(shape), bridges),
        ("attention: reads", "encoder of stage 1 and decoder of stage 2", _distinct(read)),
        ("Eq. 3: conv1 on the decoded", halved, _distinct(map(", ".join, reduce))),
        ("Eq. 3: conv1 after concat", halved, _distinct(map(", ".join, merge))),
        ("Eq. 3: conv2", "size × 0.5", _distinct(size for _, size in shrink)),
        ("Fig. 4", "conv 1×1, BN; conv 1×1, BN; +; sigmoid; ×", _distinct(attention)),
        ("discriminator: convolutions, with Fig. 2b", "5", str(len(convs))),
        ("discriminator: convolutions, in the overview", "4", str(len(convs))),
        ("discriminator: first four", step, _distinct(node.text for node in convs[:4])),
        ("discriminator: stride of the last", "1", convs[-1].text.partition("/")[2] or "1"),
        ("discriminator: output at 128×128", "8×8", shape_text(scores.shape[1:])),
    )


def networks_of(experiment: str) -> dict[str, nn.Module]:
    """The networks that the training of a CycleGAN experiment makes, by name."""
    black = np.zeros((1, 1, 1, 3), np.uint8)
    pairs = SimpleNamespace(visible=black, infrared=black[..., 0], names=[""], split={"train": [0]})
    return CycleGANRecipe(resolve(experiment, "paper"), pairs, torch.device("cpu")).modules


def gn_cyclegan_facts(networks: Mapping[str, nn.Module], image: Shape) -> pd.DataFrame:
    """Columns stated, built, agrees: GN_CycleGAN, sections 2.1 and 2.2, of its complete method:
    `networks_of("GN_CycleGAN-FLIR")`."""
    maker, critic = networks["generator"], networks["discriminator_infrared"]
    layers, judge = trace(maker, image, parts={}), trace(critic, image)
    classes = [type(module) for module in networks.values()]
    judges = str(classes.count(type(critic)))
    activations = [label for node in judge for label in node.operations if "ReLU" in label]
    cbam = modules_of(layers, "CBAM")[0]
    labels = [node.text for node in cbam]
    order = ["channel" if "H, W" in label else "spatial" for label in labels if "average" in label]
    weights = [before.operations[-1] for node in cbam if node.text == "×"
               for before in layers.pred[node] if before.shape != node.shape]
    *mlp, spatial = (node for node in cbam if node.convolves)
    (before,) = layers.pred[spatial]
    norms = [label for label in spatial.operations if label in ("BN", "IN")]

    def pooled(axes: str) -> str:
        kinds = [label.split(" over")[0] for label in labels if label.endswith(f"over {axes}")]
        return " and ".join(sorted(kinds)) + f" over {axes}"

    return statements(
        ("generators", "2", str(classes.count(type(maker)))),
        ("discriminators, section 2.1", "2", judges),
        ("discriminators, in the flow of Figs. 1 and 3", "1", judges),
        ("generator: residual blocks", "9", str(len(modules_of(layers, "ResidualBlock")))),
        ("discriminator: activation", "LeakyReLU", _distinct(activations)),
        ("discriminator: normalisation", "Eq. 3", critic.form.replace("eq", "Eq. ")),
        ("attention: order", "channel, then spatial", ", then ".join(order)),
        ("channel attention: pooling", "average and maximum over H, W", pooled("H, W")),
        ("channel attention: MLPs", "1", "1" if all(node.shared for node in mlp) else "2"),
        ("spatial attention: pooling", "average and maximum over C", pooled("C")),
        ("spatial attention: convolution", "conv 7×7", spatial.operations[0]),
        ("spatial attention: its channels", "2 to 1", f"{before.shape[0]} to {spatial.shape[0]}"),
        ("spatial attention: normalisation", "none", _distinct(norms) or "none"),
        ("attention: weights by", "sigmoid", _distinct(weights)),
    )
