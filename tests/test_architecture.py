"""The traced graphs of the networks, the figures and the tables made from them."""

import time
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from matplotlib.offsetbox import AnnotationBbox, TextArea
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path
from matplotlib.text import Text
from torch import nn

from lib.evaluation.attention import attention_weights, drawn_maps, most_varied_channels
from lib.figures.images import attention_maps
from lib.figures.network_drawing import (
    SMALL, cycle_figure, gan_figure, main_parts, module_diagram, network_figure
)
from lib.figures.network_facts import (
    gn_cyclegan_facts, networks_of, statements, two_d_gan_facts
)
from lib.figures.network_graph import EXTERNAL, INTERNAL, skip_roles, stages, trace
from lib.figures.style import TEXT_WIDTH, save
from lib.networks import build
from lib.networks.gradient_normalisation import GradientNormalised
from lib.networks.padding import ReflectionPad
from lib.networks.two_d_gan import TwoDGAN, TwoDGANConfig
from lib.training.experiments import EXPERIMENTS

IMAGE = (1, 128, 128)
COLOUR = (3, 128, 128)  # of GN_CycleGAN
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
    started = time.process_time()  # of the processor, so that a busy machine does not count
    trace(network, IMAGE)
    assert time.process_time() - started < 3
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
    if name == "cycle":
        networks = build("resnet_9blocks_cbam"), GradientNormalised(build("patchgan"))
        return cycle_figure(*(trace(network, COLOUR) for network in networks), name)
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


@pytest.mark.parametrize("name", ["C1", "C5", "principle", "cycle", *MODULES])
def test_nothing_overlaps_and_everything_can_be_read(name, discriminator):
    figure = drawn(name, discriminator)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    assert figure.get_tightbbox().width <= TEXT_WIDTH
    frames = axes.findobj(AnnotationBbox)
    boxes = [frame.patch.get_window_extent() for frame in frames]
    assert len(boxes) == 20 if name == "cycle" else len(boxes) >= 4  # nine and a heading each way
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


@pytest.mark.parametrize("name", ["C5", "cycle"])
def test_drawn_twice_gives_the_same_bytes(name, discriminator, results):
    contents = []
    for _ in range(2):
        save(drawn(name, discriminator), "test", "fig", vector=True)
        contents.append((results / "figures" / "fig.svg").read_bytes())
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


# ---- GN_CycleGAN: Figs. 1 to 3 and the table of its networks


@pytest.fixture(scope="module")
def critic():
    return trace(build("patchgan"), COLOUR)


@pytest.fixture(scope="module")
def normalised():
    return trace(GradientNormalised(build("patchgan")), COLOUR)


@pytest.fixture(scope="module")
def ours():
    return trace(build("resnet_9blocks_cbam"), COLOUR)


def test_labels_come_from_the_graphs(critic, normalised, ours):
    unet = texts(cycle_figure(trace(build("unet_128"), COLOUR), critic, "Fig. 1"))
    assert sum("UnetGenerator\n6 × skip connection" in text for text in unet) == 4
    assert sum("PatchGAN\n5 × convolution" in text for text in unet) == 2
    assert unet.count("3×128×128") == 8
    assert "1×14×14" in unet
    drawn = texts(cycle_figure(ours, normalised, "Fig. 3"))
    assert sum("ResnetGenerator\n9 × residual block\nwith CBAM" in text for text in drawn) == 4
    assert sum("GradientNormalised\nPatchGAN\n5 × convolution" in text for text in drawn) == 2
    assert main_parts(trace(build("resnet_6blocks"), COLOUR)) == "6 × residual block"


def test_each_image_has_the_shape_that_its_network_takes_or_makes(critic):
    grey = trace(build("resnet_6blocks", out_channels=1), COLOUR)
    assert texts(cycle_figure(grey, critic, "")).count("1×128×128") == 4  # fakes, reconstructed


def test_padding_and_lists_of_layers_are_one_layer(ours):
    layers = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Sequential(nn.GroupNorm(4, 4), nn.ReLU()))
    graph = trace(nn.Sequential(ReflectionPad(1), *layers), (2, 8, 8))
    assert [node.text for node in graph] == ["input", "pad, conv 3×3, IN, ReLU", "output"]
    stem = [*ours][1]
    assert stem.text == "pad, conv 7×7, IN, ReLU" and stem.shape == (64, 128, 128)


def test_cbam_shows_its_shared_mlp_and_what_it_pools(critic):
    graph = trace(build("resnet_9blocks_cbam").blocks[0].layers[-1], (256, 32, 32))
    assert sum(node.shared for node in graph) == 4
    drawn = texts(module_diagram(graph, "Fig. 2", upright=True))
    assert drawn.count("conv 1×1, ReLU, shared") == drawn.count("conv 1×1, shared") == 2
    assert {"average over H, W", "maximum over H, W", "average over C", "maximum over C"} <= set(
        drawn
    )
    assert not any(node.shared for node in critic)


def test_modules_in_one_node_say_what_is_inside(ours):
    graph = trace(GradientNormalised(build("patchgan")), COLOUR, parts={"PatchGAN": "$f$"})
    assert "$f$" in texts(module_diagram(graph, "Fig. 3"))
    plain = [node.title for node in trace(build("resnet_9blocks"), COLOUR)]
    assert plain.count("residual block") == 9
    assert [node.title for node in ours].count("residual block with CBAM") == 9
    block = trace(build("resnet_9blocks_cbam").blocks[0], (256, 32, 32))
    assert [node.text for node in block][-3:] == ["CBAM", "+", "output"]


def test_statements_agree_if_equal_or_as_said():
    table = statements(("a", "1", "1"), ("b", "1", "2"), ("c", "≤ 1", "0.5", True))
    assert table["agrees"].tolist() == [True, False, True]


def test_statements_on_gn_cyclegan_are_compared_with_what_is_built():
    method = networks_of("GN_CycleGAN-FLIR")
    table = gn_cyclegan_facts(method, COLOUR)
    assert set(table.index[~table["agrees"]]) == {
        "discriminators, in the flow of Figs. 1 and 3", "discriminator: normalisation",
        "spatial attention: normalisation",
    }
    fewer = method | {"generator": build("resnet_9blocks_cbam", blocks=4)}
    table = gn_cyclegan_facts(fewer, COLOUR)
    assert table.loc["generator: residual blocks", "built"] == "4"
    assert not table.loc["generator: residual blocks", "agrees"]
