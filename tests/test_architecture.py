"""The traced graphs of the networks, and the figures drawn from them."""

import time
from dataclasses import replace
from itertools import pairwise

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.offsetbox import AnnotationBbox, TextArea
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path
from matplotlib.text import Text
from torch import nn

matplotlib.use("Agg")

from lib.evaluation.attention import (  # noqa: E402
    attention_weights,
    drawn_maps,
    most_varied_channels,
)
from lib.figures.images import attention_maps  # noqa: E402
from lib.figures.network_drawing import (  # noqa: E402
    SMALL,
    gan_figure,
    module_diagram,
    network_figure,
)
from lib.figures.network_facts import two_d_gan_facts  # noqa: E402
from lib.figures.network_graph import (  # noqa: E402
    EXTERNAL,
    INTERNAL,
    skip_roles,
    stages,
    trace,
)
from lib.figures.style import TEXT_WIDTH, save  # noqa: E402
from lib.networks import build  # noqa: E402
from lib.networks.two_d_gan import TwoDGAN, TwoDGANConfig  # noqa: E402
from lib.training.experiments import EXPERIMENTS  # noqa: E402

IMAGE = (1, 128, 128)
NARROW = {"widths": (4, 8, 16, 32)}
LEVELS = 4
CONFIGS = {
    **{name: EXPERIMENTS[name].network for name in ("C1", "C2", "C3", "C4", "C5")},
    "pixel": EXPERIMENTS["pixel_attention"].network,
    "multi_head": EXPERIMENTS["multi_head_attention"].network,
    "no internal": TwoDGANConfig(internal_skips=False),
}
SKIPS = LEVELS - 1
COUNTS = {  # stages, internal skips, external skips, attention
    "C1": (1, 0, 0, 0), "C2": (1, SKIPS, 0, 0), "C3": (2, 2 * SKIPS, SKIPS, 0),
    "C4": (2, 2 * SKIPS, 0, SKIPS), "C5": (2, 2 * SKIPS, SKIPS, SKIPS),
    "multi_head": (2, 2 * SKIPS, SKIPS, SKIPS), "no internal": (2, 0, SKIPS, SKIPS),
}


def texts(figure):
    """What the boxes say, their notes included."""
    boxes = figure.axes[0].findobj(AnnotationBbox)
    return [area.get_text() for box in boxes for area in box.findobj(TextArea)]


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


@pytest.fixture(scope="module")
def discriminator():
    return trace(build("markov_discriminator"), IMAGE)


@pytest.mark.parametrize("name", COUNTS)
def test_graph_has_the_parts_of_each_variant(name):
    graph = trace(TwoDGAN(replace(CONFIGS[name], **NARROW)), IMAGE)
    roles = list(skip_roles(graph).values())
    attention = sum("attention" in node.title for node in graph)
    assert COUNTS[name] == (max(stages(graph).values()), roles.count(INTERNAL),
                            roles.count(EXTERNAL), attention)


@pytest.mark.parametrize("name", CONFIGS)
def test_shapes_are_those_of_a_forward_pass(name):
    network = TwoDGAN(replace(CONFIGS[name], **NARROW)).eval()
    seen = {}
    for path, module in network.named_modules():
        module.register_forward_hook(
            lambda _, given, out, path=path: seen.update({path: tuple(out.shape[1:])})
        )
    with torch.no_grad():
        network(torch.zeros(1, *IMAGE))
    kinds = {"ExternalSkip": "", "CrossLevelAttention": "", "PixelAttention": ""}
    traced = {node.name: node.shape for node in trace(network, IMAGE, parts=kinds)}
    parts = {path: shape for path, shape in traced.items() if path in seen}
    assert parts == {path: seen[path] for path in parts}
    assert len(parts) == sum(path.count(".") == 1 and type(module).__name__ in kinds
                             for path, module in network.named_modules())
    layers = [node.shape for node in trace(network, IMAGE, parts={}) if node.convolves]
    counted = [path for path, module in network.named_modules() if hasattr(module, "kernel_size")]
    assert sorted(layers) == sorted(seen[path] for path in counted if path in seen)


def test_full_size_network_is_traced_quickly_and_left_alone():
    network = build("2dgan").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trace(network, IMAGE)  # the first export loads what it needs
    started = time.perf_counter()
    trace(network, IMAGE)
    assert time.perf_counter() - started < 3
    assert network.training and not network._forward_hooks and not network._forward_pre_hooks
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_layers_join_but_not_across_branches():
    class Branched(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3, stride=2, padding=1)
            self.norm, self.act = nn.BatchNorm2d(2), nn.ReLU(inplace=True)

        def forward(self, x):
            x = self.conv(x)
            return torch.cat([x, self.act(self.norm(x))], dim=1)

    graph = trace(Branched(), (1, 8, 8))
    assert [node.text for node in graph] == [
        "x", "conv 3×3 /2", "BN", "ReLU", "concat", "output",
    ]
    (joined,) = (node for node in graph if node.text == "concat")
    assert [(node.text, node.shape) for node in graph.pred[joined]] == [
        ("conv 3×3 /2", (2, 4, 4)), ("ReLU", (2, 4, 4)),
    ]


def test_gradients_shared_modules_and_what_is_not_used():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.ReLU(inplace=True))

        def forward(self, x):
            x = x.detach().requires_grad_()
            score = self.conv(self.conv(x))
            score.mean()  # leads nowhere
            return score / torch.autograd.grad(score.sum(), x, create_graph=True)[0].abs()

    graph = trace(Shared(), (1, 8, 8))
    layer = "conv 3×3, ReLU"
    assert [node.text for node in graph] == [
        "x", layer, layer, "sum", "∇", "|·|", "÷", "output",
    ]
    assert [node.shared for node in graph] == [node.text == layer for node in graph]
    (gradient,) = (node for node in graph if node.text == "∇")
    assert {node.text for node in graph.pred[gradient]} == {"x", "sum"}


def test_residual_blocks_are_parts_and_lie_on_the_main_path():
    graph = trace(build("resnet_6blocks", blocks=2), (3, 16, 16))
    assert [node.text for node in graph] == [
        "x", "pad, conv 7×7, IN, ReLU", *["conv 3×3 /2, IN, ReLU"] * 2, *["residual block"] * 2,
        *["convT 3×3 ×2, IN, ReLU"] * 2, "pad, conv 7×7, tanh", "output",
    ]
    assert list(stages(graph)) == list(graph)


def test_discriminator_has_five_layers_and_8x8_scores(discriminator):
    layers = [node for node in discriminator if node.operations]
    assert [node.text for node in layers[:4]] == ["conv 4×4 /2, BN, LeakyReLU"] * 4
    assert layers[4].text == "conv 3×3"
    assert [node.shape for node in discriminator if node.title == "output"] == [(1, 8, 8)]


def drawn_network(**options):
    return network_figure(trace(build("2dgan", **options), IMAGE), "Fig. 2a")


def test_figure_2_changes_with_the_network():
    whole, part = drawn_network(), drawn_network(internal_skips=False)
    assert {"768", "384", "192"} <= set(texts(whole))  # channels where three maps are joined
    assert texts(part).count("512") == 3  # two lowest features, and where two maps are joined
    assert not {"768", "384", "192"} & set(texts(part))
    assert {"128×128", "64×64", "32×32", "16×16", "8×8"} <= set(texts(whole))
    assert "internal skip connection" in legend(whole)
    assert "internal skip connection" not in legend(part)
    assert "cross-level attention" in legend(part)
    plain = drawn_network(attention="none")
    assert "cross-level attention" not in legend(plain)
    assert "external skip connection" in legend(plain)


def test_figures_1_3_and_4_show_what_was_traced(discriminator):
    network = build("2dgan")
    principle = texts(gan_figure(trace(network, IMAGE), discriminator, "Fig. 1"))
    assert {"1×8×8", "generator $G$\nTwoDGAN"} <= set(principle)
    graph = trace(network.external[0], (128, 64, 64), (64, 64, 64))
    skip = texts(module_diagram(graph, "Fig. 3"))
    assert {"concat", "conv 1×1\nBN\nReLU", "conv 3×3 /2", "128×32×32"} <= set(skip)
    graph = trace(network.attention[0], (256, 16, 16), (256, 16, 16))
    attention = texts(module_diagram(graph, "Fig. 4", {"gate": "$f$"}))
    assert attention.count("conv 1×1\nBN") == 2
    assert {"+", "sigmoid", "×", "$f$", "feature", "256×16×16"} <= set(attention)


def drawn(name, discriminator):
    if name in EXPERIMENTS:
        return network_figure(trace(TwoDGAN(CONFIGS[name]), IMAGE), name)
    if name == "discriminator":
        return module_diagram(discriminator, name)
    if name == "principle":
        return gan_figure(trace(build("2dgan"), IMAGE), discriminator, name)
    if name == "skip":
        return module_diagram(trace(build("2dgan").external[0], (128, 64, 64), (64, 64, 64)), name)
    module = build("2dgan", attention=name).attention[0]
    graph = trace(module, *2 * [(256, 16, 16)])
    return module_diagram(graph, name, {"gate": "$f_d$"}, upright=name == "multi_head")


MODULES = ["discriminator", "skip", "cross_level", "pixel", "multi_head"]


@pytest.mark.parametrize("name", ["C1", "C5", "principle", *MODULES])
def test_nothing_overlaps_and_everything_can_be_read(name, discriminator):
    figure = drawn(name, discriminator)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert figure.get_tightbbox().width <= TEXT_WIDTH
    frames = axes.findobj(AnnotationBbox)
    boxes = [frame.patch.get_window_extent() for frame in frames]
    assert len(boxes) >= 4
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    written = []
    for frame, box in zip(frames, boxes):
        inside = [area.findobj(Text)[0] for area in frame.findobj(TextArea)]
        extents = [text.get_window_extent() for text in inside]
        assert all(box.contains(*extent.min) and box.contains(*extent.max) for extent in extents)
        assert not any(a.overlaps(b) for a, b in pairwise(extents))
        written += inside
    written += [axes.title, *(axes.get_legend().get_texts() if axes.get_legend() else [])]
    assert all(text.get_fontsize() >= SMALL >= 7 and not text.get_rotation() for text in written)
    lines = axes.findobj(FancyArrowPatch)
    assert len(lines) >= 4
    for line in lines:  # from border to border, through no box
        vertices = line.get_path().vertices[:-1]  # the last closes nothing and lies nowhere
        path = Path(vertices).transformed(axes.transData)
        assert not any(path.intersects_bbox(box.padded(-2), filled=False) for box in boxes)


def test_drawn_twice_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    contents = []
    for _ in range(2):
        save(drawn_network(), "test", "fig", True)
        contents.append((tmp_path / "test" / "figures" / "fig.svg").read_bytes())
    assert contents[0] == contents[1]


def test_statements_agree_but_for_the_two_that_contradict_another():
    table = two_d_gan_facts(build("2dgan", **NARROW), build("markov_discriminator"))
    assert set(table.index[~table["agrees"]]) == {
        "decoder: a step, text", "discriminator: convolutions, in the overview",
    }
    leaky = build("2dgan", **NARROW, decoder_activation="leaky_relu")
    table = two_d_gan_facts(leaky, build("markov_discriminator", widths=(8, 8, 8)))
    assert not table.loc["decoder: a step, Eq. 2", "agrees"]
    assert table.loc["decoder: a step, text", "agrees"]
    assert table.loc["discriminator: output at 128×128", "built"] == "16×16"


def test_attention_weights_are_those_the_network_uses():
    torch.manual_seed(0)
    network = build("2dgan", **NARROW).train()
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32), dtype=np.uint8)
    levels = attention_weights(network, images)
    assert [weights.shape for weights in levels] == [(2, 4, 16, 16), (2, 8, 8, 8), (2, 16, 4, 4)]
    assert all(0 < weights.min() and weights.max() < 1 for weights in levels)
    assert network.training and not network.attention[0]._forward_pre_hooks
    with torch.no_grad():  # weights of 1/2 everywhere where the projections are zero
        for parameter in network.attention.parameters():
            parameter.zero_()
    assert all(np.allclose(weights, 0.5) for weights in attention_weights(network, images))
    assert attention_weights(build("2dgan", **NARROW, attention="none"), images) == []


def test_attention_figure_shows_image_and_levels():
    weights = np.zeros((3, 2, 2))
    weights[2], weights[0, 0, 0] = [[0, 1], [1, 0]], 0.5
    assert most_varied_channels(weights, 2) == [2, 0]
    degraded, output = np.random.default_rng(0).integers(0, 256, (2, 1, 32, 32), dtype=np.uint8)
    maps = drawn_maps(build("2dgan", **NARROW), degraded)
    figure = attention_maps({"input": degraded, "output": output}, maps, 0, "title")
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles[:4] == ["input", "16×16, mean", "8×8, mean", "4×4, mean"]
    for axes, image in zip(figure.axes[:2], (degraded[0], maps["mean_0"][0])):
        np.testing.assert_array_equal(axes.images[0].get_array(), image)
