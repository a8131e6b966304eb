"""What 2D-GAN's text says of its networks, beside what the built ones are."""

from collections.abc import Iterable

import pandas as pd
from torch import nn

from lib.figures.network_graph import (
    Graph,
    Node,
    Shape,
    join_layers,
    main_path,
    overview,
    stages,
    trace,
    trace_part,
)


def stated_and_built(
    generator: nn.Module, discriminator: nn.Module, shape: Shape = (1, 128, 128)
) -> pd.DataFrame:
    """Columns stated, built, agrees: 2D-GAN's section "Methods", Eqs. 2 and 3, Figs. 2 to 4.

    `generator` is the complete network, with external skips and cross-level attention; every entry
    of "built" is read off the traced graphs.
    """
    facts = [
        *_generator_facts(generator, shape),
        *_part_facts(generator, shape),
        *_discriminator_facts(discriminator, shape),
    ]
    rows = [(what, stated, built, stated == built) for what, stated, built in facts]
    return pd.DataFrame(rows, columns=["what", "stated", "built", "agrees"]).set_index("what")


def _distinct(values: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(values))


def _layer(node: Node) -> str:
    return ", ".join(step.label for step in node.operations)


def _size(node: Node) -> str:
    return "×".join(map(str, node.shape[1:]))


def _with_weights(nodes: Iterable[Node]) -> list[Node]:
    return [node for node in nodes if any(step.kernel for step in node.operations)]


def _generator_facts(generator: nn.Module, shape: Shape) -> list[tuple[str, str, str]]:
    graph = overview(generator, shape)
    path, stage = [graph.nodes[name] for name in main_path(graph)], stages(graph)
    steps = list(zip(path, path[1:]))
    down = [b for a, b in steps if b.shape[-1] < a.shape[-1]]
    up = [(a, b) for a, b in steps if b.shape[-1] > a.shape[-1]]
    encoder = [node for node in down if stage[node.name] == 1]
    decoder = [b for _, b in up if b.shape[0] != shape[0]]  # those not to an image
    bridges = [a for a, b in steps if stage[b.name] > stage[a.name]]
    middle = _distinct("an image like the input" if a.shape == shape else _size(a) for a in bridges)
    half = {node.name: "decoder" for _, node in up} | {node.name: "encoder" for node in down}
    read = _distinct(
        " and ".join(
            f"{half[e.source]} of stage {stage[e.source]}" for e in graph.into(node.name)
        )
        for node in graph.nodes.values()
        if node.name not in stage
    )
    eq2 = _distinct(map(_layer, decoder))
    growth = _distinct(f"{b.shape[-1] / a.shape[-1]:g} times" for a, b in up)
    return [
        ("generator: input", "128×128", _size(path[0])),
        ("generator: stages of encoding and decoding", "2", str(max(stage.values()))),
        ("encoder: a step", "conv 4×4 /2, BN, LeakyReLU", _distinct(map(_layer, encoder))),
        ("decoder: a step, Eq. 2", "convT 4×4 ×2, BN, ReLU", eq2),
        ("decoder: a step, text", "convT 4×4 ×2, BN, LeakyReLU", eq2),
        ("decoder: size after a step", "2 times", growth),
        ("stage 2: input", "an image like the input", middle),
        ("attention: reads", "encoder of stage 1 and decoder of stage 2", read),
    ]


def _part_facts(generator: nn.Module, shape: Shape) -> list[tuple[str, str, str]]:
    classes = trace(generator, shape).classes

    def parts_of(kind: str) -> list[Graph]:
        paths = [path for path, name in classes.items() if name == kind]
        return [join_layers(trace_part(generator, path, shape)) for path in paths]

    def change(graph: Graph, layer: int) -> tuple[str, str]:
        node = _with_weights(graph.nodes.values())[layer]
        (edge,) = graph.into(node.name)
        channels, size = node.shape[0] / edge.shape[0], node.shape[-1] / edge.shape[-1]
        return f"channels × {channels:g}", f"size × {size:g}"

    skips = parts_of("ExternalSkip")
    conv1a, conv1b = (_distinct(", ".join(change(graph, k)) for graph in skips) for k in (0, 1))
    conv2 = _distinct(change(graph, 2)[1] for graph in skips)
    attention = _distinct(
        "; ".join(_layer(node) for node in graph.nodes.values() if node.operations)
        for graph in parts_of("CrossLevelAttention")
    )
    return [
        ("Eq. 3: conv1 on the decoded", "channels × 0.5, size × 1", conv1a),
        ("Eq. 3: conv1 after concat", "channels × 0.5, size × 1", conv1b),
        ("Eq. 3: conv2", "size × 0.5", conv2),
        ("Fig. 4", "conv 1×1, BN; conv 1×1, BN; +; sigmoid; ×", attention),
    ]


def _discriminator_facts(discriminator: nn.Module, shape: Shape) -> list[tuple[str, str, str]]:
    graph = overview(discriminator, shape)
    layers = _with_weights(graph.nodes.values())
    (scores,) = (node for node in graph.nodes.values() if not graph.out_of(node.name))
    strides = [step.stride[0] for step in layers[-1].operations if step.kernel]
    return [
        ("discriminator: convolutions, with Fig. 2b", "5", str(len(layers))),
        ("discriminator: convolutions, in the overview", "4", str(len(layers))),
        ("discriminator: first four", "conv 4×4 /2, BN, LeakyReLU",
         _distinct(map(_layer, layers[:4]))),
        ("discriminator: stride of the last", "1", _distinct(map(str, strides))),
        ("discriminator: output at 128×128", "8×8", _size(scores)),
    ]  # fmt: skip
