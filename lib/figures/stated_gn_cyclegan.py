"""What GN_CycleGAN's text says of its networks, beside what the built ones are, and their sizes."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from lib.data.pairs import TranslationData
from lib.training.experiments import resolve
from lib.networks import build
from lib.networks.blocks import count_parameters
from lib.networks.gradient_normalisation import GradientNormalised
from lib.figures.network_graph import Node, Shape, join_layers, overview, shared, trace, trace_part
from lib.training.recipes.cycle_gan import make_recipe

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
    rows = {}
    for name, (public, code) in PUBLIC_PARAMETERS.items():
        with torch.device("meta"):
            ours = count_parameters(build(name))
        rows[name] = {"ours": ours, "public reference code": public, "agrees": ours == public,
                      "code": code}  # fmt: skip
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("network")


@dataclass(frozen=True)
class Trained:
    """The networks of an experiment at the paper's size, by name, and the shape of its images."""

    modules: Mapping[str, nn.Module]
    image: Shape

    @property
    def generator(self) -> nn.Module:
        return self.modules["generator"]

    @property
    def discriminator(self) -> nn.Module:
        return self.modules["discriminator_infrared"]


def networks_of(experiment: str) -> Trained:
    """The networks that the training of a CycleGAN experiment makes, as they are at its start."""
    config, split = resolve(experiment, "paper"), {"train": np.array([0]), "test": np.array([0])}
    blank = TranslationData(
        "blank", np.zeros((1, 1, 1, 3), np.uint8), np.zeros((1, 1, 1), np.uint8), ("",), "", split
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        recipe = make_recipe(config, (blank, blank), torch.device("cpu"))
    size = config.scale.image_size
    return Trained(recipe.modules, (3, size, size))


def stated_and_built(method: Trained) -> pd.DataFrame:
    """Columns stated, built, agrees: GN_CycleGAN, sections 2 and 3, of its complete method.

    What is built is read off the traced graphs; the bounds of Eqs. 1 to 3 are measured on random
    images, with the weights the networks start with.
    """
    rows = [*_counts(method), *_attention_facts(method), *_bounds(method)]
    return pd.DataFrame(rows, columns=["what", "stated", "built", "agrees"]).set_index("what")


Row = tuple[str, str, str, bool]


def _compared(what: str, stated: str, built: str) -> Row:
    return what, stated, built, stated == built


def _counts(method: Trained) -> list[Row]:
    generator, judge = (
        overview(network, method.image) for network in (method.generator, method.discriminator)
    )
    makers, judges = (
        str(sum(type(module).__name__ == graph.title for module in method.modules.values()))
        for graph in (generator, judge)
    )
    blocks = sum(node.title.startswith("residual block") for node in generator.nodes.values())
    activations = _distinct(
        step.label for node in judge.nodes.values() for step in node.operations
        if "relu" in step.function
    )  # fmt: skip
    forms = {"eq2": "Eq. 2", "eq3": "Eq. 3"}
    return [
        _compared("generators", "2", makers),
        _compared("discriminators, section 2.1", "2", judges),
        _compared("discriminators, in the flow of Figs. 1 and 3", "1", judges),
        _compared("generator: residual blocks", "9", str(blocks)),
        _compared("discriminator: activation", "LeakyReLU", activations),
        _compared("discriminator: normalisation", "Eq. 3", forms[method.discriminator.form]),
    ]


def _distinct(values: Iterable[str]) -> str:
    return " or ".join(dict.fromkeys(values))


def _attention_facts(method: Trained) -> list[Row]:
    classes = trace(method.generator, method.image).classes
    path = next(path for path, name in classes.items() if name == "CBAM")
    parts = trace_part(method.generator, path, method.image)
    nodes = parts.nodes.values()
    gates = [node for node in nodes if any(step.function == "mul" for step in node.operations)]
    weights = [
        next(edge for edge in parts.into(gate.name) if edge.shape != gate.shape) for gate in gates
    ]
    order = ["channel" if edge.shape[1:] == (1, 1) else "spatial" for edge in weights]
    made_by = _distinct(parts.nodes[edge.source].labels[0] for edge in weights)
    perceptron, (spatial,) = (
        [node for node in nodes for step in node.operations if step.kernel and test(step.kernel)]
        for test in (lambda kernel: kernel == (1, 1), lambda kernel: kernel != (1, 1))
    )
    once = {node.name for node in perceptron} <= shared(parts)
    (arrives,) = parts.into(spatial.name)
    behind = [node for node in join_layers(parts).nodes.values() if spatial.name == node.name]
    norms = [step.label for step in behind[0].operations if step.function.endswith("norm")]
    return [
        _compared("attention: order", "channel, then spatial", ", then ".join(order)),
        _compared("channel attention: pooling", "average and maximum over H, W",
                  _pooling(nodes, "H, W")),
        _compared("channel attention: MLPs", "1", "1" if once else "2"),
        _compared("spatial attention: pooling", "average and maximum over C", _pooling(nodes, "C")),
        _compared("spatial attention: convolution", "conv 7×7", spatial.labels[0]),
        _compared("spatial attention: its channels", "2 to 1",
                  f"{arrives.shape[0]} to {spatial.shape[0]}"),
        _compared("spatial attention: normalisation", "none", _distinct(norms) or "none"),
        _compared("attention: weights by", "sigmoid", made_by),
    ]  # fmt: skip


def _pooling(nodes: Iterable[Node], axes: str) -> str:
    labels = [
        step.label.removesuffix(f" over {axes}") for node in nodes for step in node.operations
        if step.over == axes
    ]  # fmt: skip
    return f"{' and '.join(sorted(labels))} over {axes}"


def _bounds(method: Trained) -> list[Row]:
    network = method.discriminator.discriminator
    images = torch.rand(2, *method.image, generator=torch.Generator().manual_seed(0)) * 2 - 1
    rows = []
    for form, (low, high) in (("eq2", (-1, 1)), ("eq3", (0, 1))):
        with torch.no_grad():
            scores = GradientNormalised(network, form)(images)
        least, most = scores.min().item(), scores.max().item()
        rows.append((f"Eq. {form[-1]}: scores of random images", f"{low} to {high}",
                     f"{least:.3f} to {most:.3f}", low <= least and most <= high))  # fmt: skip
    slope = score_slopes(GradientNormalised(network, "eq2"), images).max().item()
    return [*rows, ("section 2.3: slope of a score, random images", "≤ 1", f"≤ {slope:.4f}",
                    slope <= 1)]  # fmt: skip


def score_slopes(discriminator: nn.Module, images: Tensor) -> Tensor:
    """Norm of the gradient of the score in the middle, for each image (B, C, H, W): (B,)."""
    images = images.detach().requires_grad_()
    scores = discriminator(images)
    middle = scores[:, 0, scores.shape[2] // 2, scores.shape[3] // 2]
    (gradient,) = torch.autograd.grad(middle.sum(), images)
    return gradient.flatten(1).norm(dim=1)
