"""GN_CycleGAN's Figs. 1 to 3 and the table of its networks: all of it from the built networks."""

import matplotlib
import pytest
import torch
from matplotlib.patches import FancyBboxPatch
from torch import nn

matplotlib.use("Agg")

from lib.figures.network_drawing import (  # noqa: E402
    cycle_figure,
    main_parts,
    module_diagram,
    network_name,
)
from lib.figures.network_facts import (  # noqa: E402
    gn_cyclegan_facts,
    networks_of,
    parameter_table,
    score_slopes,
)
from lib.figures.network_graph import (  # noqa: E402
    collapse,
    join_layers,
    overview,
    shared,
    trace,
)
from lib.figures.style import save  # noqa: E402
from lib.networks import build  # noqa: E402
from lib.networks.gradient_normalisation import GradientNormalised  # noqa: E402
from lib.networks.padding import ReflectionPad  # noqa: E402

IMAGE = (3, 128, 128)


@pytest.fixture(scope="module")
def critic():
    return overview(build("patchgan"), IMAGE)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_labels_come_from_the_graphs(critic):
    unet = texts(cycle_figure(overview(build("unet_128"), IMAGE), critic, "Fig. 1"))
    assert sum("UnetGenerator\n6 skip connections" in text for text in unet) == 4
    assert sum("PatchGAN\n5 convolutions" in text for text in unet) == 2
    assert sum("3×128×128" in text for text in unet) == 8
    assert any("1×14×14" in text for text in unet)
    normalised = overview(GradientNormalised(build("patchgan")), IMAGE)
    ours = texts(cycle_figure(overview(build("resnet_9blocks_cbam"), IMAGE), normalised, "Fig. 3"))
    assert sum("ResnetGenerator\n9 residual blocks\nwith CBAM" in text for text in ours) == 4
    assert sum("PatchGAN\ngradient-normalised\n5 convolutions" in text for text in ours) == 2
    assert main_parts(overview(build("resnet_6blocks"), IMAGE)) == "6 residual blocks"
    assert network_name(critic) == ["PatchGAN"]


def test_images_must_pass_from_network_to_network(critic):
    generator = overview(build("resnet_6blocks", out_channels=1), IMAGE)
    with pytest.raises(ValueError, match="makes 1×128×128 of 3×128×128"):
        cycle_figure(generator, critic, "")
    other = overview(build("patchgan"), (3, 64, 64))
    with pytest.raises(ValueError, match="discriminator takes 3×64×64"):
        cycle_figure(overview(build("resnet_6blocks"), IMAGE), other, "")


def test_nothing_overlaps_and_texts_fit_their_boxes():
    normalised = overview(GradientNormalised(build("patchgan")), IMAGE)
    figure = cycle_figure(overview(build("resnet_9blocks_cbam"), IMAGE), normalised, "Fig. 3")
    figure.draw_without_rendering()
    extents = [text.get_window_extent() for text in figure.axes[0].texts]
    extents += [text.get_window_extent() for text in figure.axes[0].get_legend().get_texts()]
    assert not any(a.overlaps(b) for k, a in enumerate(extents) for b in extents[k + 1 :])
    patches = [patch for patch in figure.axes[0].patches if isinstance(patch, FancyBboxPatch)]
    boxes = [patch.get_window_extent() for patch in patches]
    assert len(boxes) == 18
    assert not any(a.overlaps(b) for k, a in enumerate(boxes) for b in boxes[k + 1 :])
    inside = [
        any(box.x0 <= e.x0 and e.x1 <= box.x1 and box.y0 <= e.y0 and e.y1 <= box.y1
            for box in boxes)
        for e in extents
    ]  # fmt: skip
    assert sum(inside) == 28  # ten of the boxes have a shape below their text
    assert all(text.get_fontsize() >= 7 for text in figure.axes[0].texts)


def test_drawn_twice_gives_the_same_bytes(tmp_path, monkeypatch, critic):
    monkeypatch.setenv("IR_RESULTS", str(tmp_path))
    contents = []
    for _ in range(2):
        figure = cycle_figure(overview(build("unet_128"), IMAGE), critic, "Fig. 1")
        save(figure, "test", "fig", vector=True)
        contents.append((tmp_path / "test" / "figures" / "fig.svg").read_bytes())
    assert contents[0] == contents[1]


def test_padding_from_slices_and_lists_of_layers_are_one_layer():
    layers = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Sequential(nn.InstanceNorm2d(4), nn.ReLU()))
    graph = join_layers(trace(nn.Sequential(ReflectionPad(1), *layers), (2, 8, 8)))
    assert [node.labels for node in graph] == [
        ("input",), ("pad", "conv 3×3", "IN", "ReLU"), ("output",),
    ]  # fmt: skip
    stem = [*overview(build("resnet_6blocks"), IMAGE)][1]
    assert stem.labels == ("pad", "conv 7×7", "IN", "ReLU") and stem.shape == (64, 128, 128)


def test_cbam_shows_its_shared_mlp_and_what_it_pools():
    graph = join_layers(trace(build("resnet_9blocks_cbam").blocks[0].layers[-1], (256, 32, 32)))
    assert len(shared(graph)) == 4
    drawn = texts(module_diagram(graph, "Fig. 2"))
    assert drawn.count("conv 1×1, ReLU, shared") == drawn.count("conv 1×1, shared") == 2
    assert {"average over H, W", "maximum over H, W", "average over C", "maximum over C"} <= set(
        drawn
    )
    assert not shared(join_layers(trace(build("patchgan"), IMAGE)))


def test_collapsed_modules_say_what_is_inside():
    normalised = join_layers(trace(GradientNormalised(build("patchgan")), IMAGE))
    assert "PatchGAN" in texts(module_diagram(collapse(normalised, ["discriminator"]), "Fig. 3"))
    blocks = [
        [node.title for node in overview(build(name), IMAGE)]
        for name in ("resnet_9blocks", "resnet_9blocks_cbam")
    ]
    assert [titles.count("residual block") for titles in blocks] == [9, 0]
    assert blocks[1].count("residual block with CBAM") == 9


def test_parameters_are_those_of_the_public_code():
    table = parameter_table()
    assert table["agrees"].all()
    assert table.loc["resnet_9blocks_cbam", "ours"] == 11_455_255


def test_statements_are_compared_with_what_is_built():
    method = networks_of("GN_CycleGAN-FLIR")
    table = gn_cyclegan_facts(method, IMAGE)
    assert set(table.index[~table["agrees"]]) == {
        "discriminators, in the flow of Figs. 1 and 3", "discriminator: normalisation",
        "spatial attention: normalisation",
    }  # fmt: skip
    fewer = method | {"generator": build("resnet_9blocks_cbam", blocks=4)}
    table = gn_cyclegan_facts(fewer, IMAGE)
    assert table.loc["generator: residual blocks", "built"] == "4"
    assert not table.loc["generator: residual blocks", "agrees"]


def test_slopes_are_those_of_a_linear_score():
    linear = nn.Conv2d(1, 1, 2, bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[[[1.0, 2.0], [2.0, 4.0]]]]))
    torch.testing.assert_close(score_slopes(linear, torch.rand(3, 1, 6, 6)), torch.full((3,), 5.0))
