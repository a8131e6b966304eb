"""The traced graphs of the networks, and the figures drawn from them."""

import time
from dataclasses import replace

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.patches import FancyBboxPatch, PathPatch
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
    count_parts,
    join_layers,
    main_path,
    overview,
    readable,
    trace,
    trace_part,
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
}  # fmt: skip


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def legend(figure):
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


@pytest.fixture(scope="module")
def discriminator():
    return overview(build("markov_discriminator"), IMAGE)


@pytest.mark.parametrize("name", COUNTS)
def test_graph_has_the_parts_of_each_variant(name):
    counts = count_parts(overview(TwoDGAN(replace(CONFIGS[name], **NARROW)), IMAGE))
    assert tuple(counts.values()) == COUNTS[name]


@pytest.mark.parametrize("name", CONFIGS)
def test_shapes_are_those_of_a_forward_pass(name):
    network = TwoDGAN(replace(CONFIGS[name], **NARROW)).eval()
    graph = trace(network, IMAGE)
    seen = {}
    for path, module in network.named_modules():
        module.register_forward_hook(
            lambda _, given, out, path=path: seen.update(
                {path: ([tuple(x.shape[1:]) for x in given], tuple(out.shape[1:]))}
            )
        )
    with torch.no_grad():
        network(torch.zeros(1, *IMAGE))
    traced = {node.name: node.shape for node in graph if node.name in seen}
    assert len(traced) > 20
    assert traced == {path: seen[path][1] for path in traced}
    assert {path: list(given) for path, given in graph.graph["arrivals"].items()} == {
        path: given for path, (given, _) in seen.items()
    }


def test_full_size_network_is_traced_quickly_and_left_alone():
    network = build("2dgan").train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    overview(network, IMAGE)  # the first meta operations load what they need
    started = time.perf_counter()
    overview(network, IMAGE)
    assert time.perf_counter() - started < 3
    assert network.training and not network._forward_hooks and not network._forward_pre_hooks
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())


def test_layers_join_but_not_across_branches_or_modules():
    class Branched(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3, stride=2, padding=1)
            self.norm, self.act = nn.BatchNorm2d(2), nn.ReLU(inplace=True)

        def forward(self, x):
            x = self.conv(x)
            return torch.cat([x, self.act(self.norm(x))], dim=1)

    graph = join_layers(trace(Branched(), (1, 8, 8)))
    assert [node.labels for node in graph] == [
        ("x",), ("conv 3×3 /2",), ("BN",), ("ReLU",), ("concat",), ("output",),
    ]  # fmt: skip
    (joined,) = (node for node in graph if node.name == "cat")
    assert [(node.name, node.shape) for node in graph.pred[joined]] == [
        ("conv", (2, 4, 4)), ("act", (2, 4, 4)),
    ]  # fmt: skip


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

    graph = join_layers(trace(Shared(), (1, 8, 8)))
    layer = ("conv 3×3", "ReLU")
    assert [node.labels for node in graph] == [
        ("x",), layer, layer, ("sum",), ("∇",), ("|·|",), ("÷",), ("output",),
    ]  # fmt: skip
    (gradient,) = (node for node in graph if node.name == "grad")
    assert {node.name for node in graph.pred[gradient]} == {"x", "sum"}


def test_residual_blocks_are_parts_and_lie_on_the_main_path():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.InstanceNorm2d(4))

        def forward(self, x):
            return x + self.body(x)

    network = nn.Sequential(nn.ReflectionPad2d(3), nn.Conv2d(1, 4, 7), nn.ReLU(), Block(), Block())
    graph = overview(network, (1, 16, 16))
    assert [node.labels for node in graph] == [
        ("input",), ("pad", "conv 7×7", "ReLU"), ("block",), ("block",), ("output",),
    ]  # fmt: skip
    assert main_path(graph) == list(graph)


def test_class_names_become_words():
    assert readable("CrossLevelAttention") == "cross-level attention"
    assert readable("ExternalSkip") == "external skip"
    assert readable("CBAM") == "CBAM"


def test_discriminator_has_five_layers_and_8x8_scores(discriminator):
    layers = [node for node in discriminator if node.operations]
    assert [node.labels for node in layers[:4]] == [("conv 4×4 /2", "BN", "LeakyReLU")] * 4
    assert layers[4].labels == ("conv 3×3",)
    assert [node.shape for node in discriminator if node.name == "output"] == [(1, 8, 8)]


def test_figure_2_changes_with_the_network(discriminator):
    whole = network_figure(overview(build("2dgan"), IMAGE), discriminator)
    part = network_figure(overview(build("2dgan", internal_skips=False), IMAGE), discriminator)
    assert {"768", "384", "192"} <= set(texts(whole))  # channels where three maps are joined
    assert texts(part).count("512") == 3  # two lowest features, and where two maps are joined
    assert not {"768", "384", "192"} & set(texts(part))
    assert {"128×128", "64×64", "32×32", "16×16", "8×8"} <= set(texts(whole))
    assert "internal skip connection" in legend(whole)
    assert "internal skip connection" not in legend(part)
    assert "cross-level attention" in legend(part)
    plain = network_figure(overview(build("2dgan", attention="none"), IMAGE), discriminator)
    assert "cross-level attention" not in legend(plain)
    assert "external skip connection" in legend(plain)


def test_figures_1_3_and_4_show_what_was_traced(discriminator):
    network = build("2dgan")
    principle = texts(gan_figure(overview(network, IMAGE), discriminator))
    assert any("1×8×8" in text for text in principle)
    skip = texts(module_diagram(join_layers(trace_part(network, "external.0", IMAGE)), "Fig. 3"))
    assert {"concat", "conv 1×1\nBN\nReLU", "conv 3×3 /2", "128×32×32"} <= set(skip)
    graph = join_layers(trace_part(network, "attention.0", IMAGE))
    attention = texts(module_diagram(graph, "Fig. 4", {"gate": "$f$"}))
    assert attention.count("conv 1×1\nBN") == 2
    assert {"+", "sigmoid", "×", "$f$", "feature", "256×16×16"} <= set(attention)


def drawn(name, discriminator):
    if name in EXPERIMENTS:
        return network_figure(overview(TwoDGAN(CONFIGS[name]), IMAGE), discriminator)
    if name == "principle":
        return gan_figure(overview(build("2dgan"), IMAGE), discriminator)
    network, part = TwoDGAN(CONFIGS[name.split()[0]]), name.split()[1]
    return module_diagram(join_layers(trace_part(network, part, IMAGE)), name, {"gate": "$f_d$"})


MODULES = ["C5 external.0", "C5 attention.0", "pixel attention.0", "multi_head attention.0"]


@pytest.mark.parametrize("name", ["C1", "C5", "principle", *MODULES])
def test_nothing_overlaps_and_everything_can_be_read(name, discriminator):
    figure = drawn(name, discriminator)
    figure.draw_without_rendering()
    assert figure.get_figwidth() <= TEXT_WIDTH + 1e-6
    written = figure.axes[0].texts
    if figure.axes[0].get_legend():
        written = [*written, *figure.axes[0].get_legend().get_texts()]
    assert all(text.get_fontsize() >= SMALL >= 7 and not text.get_rotation() for text in written)
    extents = [text.get_window_extent() for text in written]
    for k, extent in enumerate(extents):
        assert not any(extent.overlaps(other) for other in extents[k + 1 :])
        assert figure.bbox.x0 <= extent.x0 and extent.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= extent.y0 and extent.y1 <= figure.bbox.y1
    patches = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    assert len(patches) >= 4
    boxes = [patch.get_window_extent() for patch in patches]
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    lines = [patch for patch in figure.axes[0].patches if isinstance(patch, PathPatch)]
    assert len(lines) >= 4
    for line in lines:  # from border to border, through no box
        path = line.get_path().transformed(figure.axes[0].transData)
        assert not any(path.intersects_bbox(box.padded(-2), filled=False) for box in boxes)


def test_drawn_twice_gives_the_same_bytes(tmp_path, monkeypatch, discriminator):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    contents = []
    for _ in range(2):
        save(network_figure(overview(build("2dgan"), IMAGE), discriminator), "test", "fig", True)
        contents.append((tmp_path / "test" / "figures" / "fig.svg").read_bytes())
    assert contents[0] == contents[1]


def test_statements_agree_but_for_the_two_that_contradict_another():
    table = two_d_gan_facts(build("2dgan", **NARROW), build("markov_discriminator"))
    assert set(table.index[~table["agrees"]]) == {
        "decoder: a step, text", "discriminator: convolutions, in the overview",
    }  # fmt: skip
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
