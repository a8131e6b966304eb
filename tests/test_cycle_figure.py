"""GN_CycleGAN's Figs. 1 to 3 and the table of its networks: all of it from the built networks."""

import matplotlib
import pytest
import torch
from matplotlib.offsetbox import AnnotationBbox, TextArea
from torch import nn

matplotlib.use("Agg")

from lib.figures.network_drawing import cycle_figure, main_parts, module_diagram  # noqa: E402
from lib.figures.network_facts import gn_cyclegan_facts, networks_of, statements  # noqa: E402
from lib.figures.network_graph import trace  # noqa: E402
from lib.figures.style import TEXT_WIDTH, save  # noqa: E402
from lib.networks import build  # noqa: E402
from lib.networks.gradient_normalisation import GradientNormalised  # noqa: E402
from lib.networks.padding import ReflectionPad  # noqa: E402

IMAGE = (3, 128, 128)


@pytest.fixture(scope="module")
def critic():
    return trace(build("patchgan"), IMAGE)


@pytest.fixture(scope="module")
def normalised():
    return trace(GradientNormalised(build("patchgan")), IMAGE)


@pytest.fixture(scope="module")
def ours():
    return trace(build("resnet_9blocks_cbam"), IMAGE)


def texts(figure):
    """What the boxes say, their notes included."""
    boxes = figure.axes[0].findobj(AnnotationBbox)
    return [area.get_text() for box in boxes for area in box.findobj(TextArea)]


def test_labels_come_from_the_graphs(critic, normalised, ours):
    unet = texts(cycle_figure(trace(build("unet_128"), IMAGE), critic, "Fig. 1"))
    assert sum("UnetGenerator\n6 × skip connection" in text for text in unet) == 4
    assert sum("PatchGAN\n5 × convolution" in text for text in unet) == 2
    assert unet.count("3×128×128") == 8
    assert "1×14×14" in unet
    drawn = texts(cycle_figure(ours, normalised, "Fig. 3"))
    assert sum("ResnetGenerator\n9 × residual block\nwith CBAM" in text for text in drawn) == 4
    assert sum("GradientNormalised\nPatchGAN\n5 × convolution" in text for text in drawn) == 2
    assert main_parts(trace(build("resnet_6blocks"), IMAGE)) == "6 × residual block"


def test_each_image_has_the_shape_that_its_network_takes_or_makes(critic):
    grey = trace(build("resnet_6blocks", out_channels=1), IMAGE)
    assert texts(cycle_figure(grey, critic, "")).count("1×128×128") == 4  # fakes, reconstructed


def test_nothing_overlaps(ours, normalised):
    figure = cycle_figure(ours, normalised, "Fig. 3")
    figure.draw_without_rendering()
    assert figure.get_tightbbox().width <= TEXT_WIDTH
    boxes = [box.patch.get_window_extent() for box in figure.axes[0].findobj(AnnotationBbox)]
    assert len(boxes) == 20  # nine and a heading in each direction
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])


def test_drawn_twice_gives_the_same_bytes(tmp_path, monkeypatch, critic):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    contents = []
    for _ in range(2):
        figure = cycle_figure(trace(build("unet_128"), IMAGE), critic, "Fig. 1")
        save(figure, "test", "fig", vector=True)
        contents.append((tmp_path / "test" / "figures" / "fig.svg").read_bytes())
    assert contents[0] == contents[1]


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
    graph = trace(GradientNormalised(build("patchgan")), IMAGE, parts={"PatchGAN": "$f$"})
    assert "$f$" in texts(module_diagram(graph, "Fig. 3"))
    plain = [node.title for node in trace(build("resnet_9blocks"), IMAGE)]
    assert plain.count("residual block") == 9
    assert [node.title for node in ours].count("residual block with CBAM") == 9
    block = trace(build("resnet_9blocks_cbam").blocks[0], (256, 32, 32))
    assert [node.text for node in block][-3:] == ["CBAM", "+", "output"]


def test_statements_agree_if_equal_or_as_said():
    table = statements(("a", "1", "1"), ("b", "1", "2"), ("c", "≤ 1", "0.5", True))
    assert table["agrees"].tolist() == [True, False, True]


def test_statements_are_compared_with_what_is_built():
    method = networks_of("GN_CycleGAN-FLIR")
    table = gn_cyclegan_facts(method, IMAGE)
    assert set(table.index[~table["agrees"]]) == {
        "discriminators, in the flow of Figs. 1 and 3", "discriminator: normalisation",
        "spatial attention: normalisation",
    }
    fewer = method | {"generator": build("resnet_9blocks_cbam", blocks=4)}
    table = gn_cyclegan_facts(fewer, IMAGE)
    assert table.loc["generator: residual blocks", "built"] == "4"
    assert not table.loc["generator: residual blocks", "agrees"]
