"""The generator of Fig. 2 with its parts, and the Markov discriminator."""

import pytest
import torch

from lib.networks import build
from lib.networks.attention import (
    ATTENTION, CrossLevelAttention, MultiHeadAttention, PixelAttention,
)
from lib.networks.blocks import count_parameters
from lib.networks.summed_attention import SummedTwoDGAN
from lib.networks.two_d_gan import ExternalSkip, TwoDGANConfig
from lib.networks.unweighted_skips import UnweightedTwoDGAN

NARROW = {"widths": (4, 8, 16, 32)}
PARTS = {
    "C1": {"dual": False, "internal_skips": False, "external_skips": False, "attention": "none"},
    "C2": {"dual": False, "external_skips": False, "attention": "none"},
    "C3": {"attention": "none"},
    "C4": {"external_skips": False},
    "C5": {},
}


def convolution(a, b, size):
    return a * b * size**2


def parameters_by_hand(widths, dual, internal, external, attention):
    """Weights of Fig. 2a counted from the text: every batch norm has two a channel."""
    total, levels = 0, list(zip((1, *widths), widths))
    encoder = sum(convolution(a, b, 4) + 2 * b for a, b in levels)

    def decoder(maps):
        count, channels = 0, widths[-1]
        for width in reversed(widths[:-1]):
            count += convolution(channels, width, 4) + 2 * width
            channels = width * (1 + maps)
        return count + convolution(channels, 1, 4) + 1

    total = encoder + decoder(internal)
    if dual:
        total += convolution(1, widths[0], 4) + 2 * widths[0]
        for a, b in zip(widths, widths[1:]):
            if external:
                total += convolution(a * (1 + internal), a, 1) + convolution(2 * a, a, 1) + 2 * a
                total += convolution(a, b, 3)
            else:
                total += convolution(a, b, 4) + 2 * b
        total += decoder(internal + attention)
        if attention:
            total += sum(2 * (convolution(a, a, 1) + 2 * a) for a in widths[:-1])
    return total


@pytest.mark.parametrize("name", PARTS)
def test_parameter_count_of_every_variant(name):
    parts = PARTS[name]
    generator = build("2dgan", **parts)
    expected = parameters_by_hand(
        (64, 128, 256, 512), parts.get("dual", True), parts.get("internal_skips", True),
        parts.get("external_skips", True), parts.get("attention", "x") != "none",
    )
    assert count_parameters(generator) == expected


def test_complete_network_is_near_table_2():
    assert count_parameters(build("2dgan")) == pytest.approx(12.18e6, rel=0.011)
    assert count_parameters(build("markov_discriminator")) == pytest.approx(1.46e6, rel=0.005)


@pytest.mark.parametrize("name", PARTS)
def test_generator_keeps_shape_and_range(name):
    out = build("2dgan", **NARROW, **PARTS[name])(torch.rand(2, 1, 64, 96) * 2 - 1)
    assert out.shape == (2, 1, 64, 96)
    assert out.abs().max() <= 1


@pytest.mark.parametrize("name", PARTS)
def test_every_weight_gets_a_gradient(name):
    generator = build("2dgan", **NARROW, **PARTS[name])
    generator(torch.randn(2, 1, 64, 64)).square().mean().backward()
    without = [n for n, p in generator.named_parameters() if p.grad is None or not p.grad.any()]
    # decoder1's image reaches the loss only through the second encoder; nothing may be cut off
    assert without == []


def test_external_skip_is_equation_3():
    skip = ExternalSkip(decoder_channels=8, channels=4, out_channels=6, bn_momentum=0.8)
    decoded, encoded = torch.randn(2, 8, 16, 16), torch.randn(2, 4, 16, 16)
    conv1a, (conv1b, bn, relu, conv2) = skip.reduce, skip.merge
    by_hand = conv2(torch.relu(bn(conv1b(torch.cat([conv1a(decoded), encoded], dim=1)))))
    torch.testing.assert_close(skip(decoded, encoded), by_hand)
    assert skip(decoded, encoded).shape == (2, 6, 8, 8)
    assert conv1a.out_channels * 2 == conv1a.in_channels == 8  # halves the channels
    assert conv1b.out_channels * 2 == conv1b.in_channels
    assert isinstance(relu, torch.nn.ReLU)


def test_attention_weights_lie_between_0_and_1_and_multiply():
    attention = CrossLevelAttention(4, bn_momentum=0.8)
    feature, gate = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    weights = attention.weights(feature, gate)
    assert weights.shape == feature.shape
    assert 0 < weights.min() and weights.max() < 1
    torch.testing.assert_close(attention(feature, gate), feature * weights)


def test_second_decoder_weighs_the_first_encoder_by_its_own_feature():
    """Fig. 4's attention to f_e1 joins, and Eq. 2's skip of f_e2 as it is."""
    generator, image = build("2dgan", **NARROW).eval(), torch.rand(2, 1, 64, 64) * 2 - 1
    first = generator.encode1(image)
    second = generator.encode2(*generator.decode1(first))
    x = second[3]
    for depth, level in enumerate((2, 1, 0)):
        x = generator.decoder2.ups[depth](x)
        weights = generator.attention[depth].weights(first[level], x)
        x = torch.cat([x, first[level] * weights, second[level]], dim=1)
    torch.testing.assert_close(generator(image), generator.decoder2.to_image(x))


@pytest.mark.parametrize("name", ATTENTION)
def test_each_attention_keeps_the_shape_and_trains(name):
    generator = build("2dgan", **NARROW, attention=name)
    image = torch.rand(2, 1, 64, 64) * 2 - 1
    assert generator(image).shape == image.shape
    generator(image).square().mean().backward()
    parts = [p for n, p in generator.named_parameters() if n.startswith("attention")]
    assert parts and all(p.grad.any() for p in parts)


def test_the_summed_attention_weighs_the_gate_and_lets_the_feature_pass():
    generator = SummedTwoDGAN(TwoDGANConfig(**NARROW)).eval()
    attention, width = generator.attention[0], NARROW["widths"][-2]
    feature, gate = torch.randn(2, width, 4, 5), torch.randn(2, width, 4, 5)
    weights = attention.weights(feature, gate)
    torch.testing.assert_close(attention(feature, gate), gate * weights + feature)
    with pytest.raises(ValueError, match="not of pixel"):
        SummedTwoDGAN(TwoDGANConfig(**NARROW, attention="pixel"))


def test_the_summed_network_is_c5_but_for_the_sum():
    summed, product = SummedTwoDGAN(TwoDGANConfig(**NARROW)).eval(), build("2dgan", **NARROW).eval()
    product.load_state_dict(summed.state_dict())
    image = torch.rand(1, 1, 64, 64) * 2 - 1
    assert not torch.allclose(summed(image), product(image))
    for depth, attention in enumerate(product.attention):
        attention.forward = summed.attention[depth].forward
    torch.testing.assert_close(product(image), summed(image))


def test_the_unweighted_network_is_c5_whose_attention_weighs_nothing():
    unweighted = UnweightedTwoDGAN(TwoDGANConfig(**NARROW)).eval()
    c5, c3 = build("2dgan", **NARROW).eval(), build("2dgan", **NARROW, attention="none")
    assert c3.state_dict().keys() == unweighted.state_dict().keys()
    c5.load_state_dict(unweighted.state_dict(), strict=False)
    image = torch.rand(1, 1, 64, 64) * 2 - 1
    assert not torch.allclose(unweighted(image), c5(image))
    for attention in c5.attention:
        attention.weights = lambda feature, gate: torch.ones_like(feature)
    torch.testing.assert_close(c5(image), unweighted(image))
    with pytest.raises(ValueError, match="no feature"):
        UnweightedTwoDGAN(TwoDGANConfig(**NARROW, attention="none"))


def test_pixel_attention_is_a_sigmoid_of_the_feature_itself():
    attention = PixelAttention(3, bn_momentum=0.8)
    feature, gate = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    weight, bias = attention.project.weight[:, :, 0, 0], attention.project.bias
    by_hand = torch.empty_like(feature)
    for image in range(2):
        for i in range(4):
            for j in range(5):
                pixel = feature[image, :, i, j]
                by_hand[image, :, i, j] = pixel / (1 + torch.exp(-(weight @ pixel + bias)))
    torch.testing.assert_close(attention(feature, gate), by_hand)
    assert torch.equal(attention(feature, gate), attention(feature, -gate))


def test_multi_head_attention_is_the_textbook_formula():
    """Softmax of scaled products, worked with plain loops over heads; no pooling at 8x8."""
    attention = MultiHeadAttention(8, bn_momentum=0.8)
    feature, gate = torch.randn(1, 8, 8, 8), torch.randn(1, 8, 8, 8)
    query = attention.query(gate).flatten(2)[0]  # (C, HW)
    key, value = attention.key_value(feature).flatten(2)[0].split(8)
    heads = []
    for k in range(4):
        q, ky, v = (part[2 * k : 2 * k + 2].T for part in (query, key, value))  # (HW, C / heads)
        heads.append((torch.softmax(q @ ky.T / 2**0.5, dim=1) @ v).T)
    by_hand = feature + attention.out(torch.cat(heads).view(1, 8, 8, 8))
    torch.testing.assert_close(attention(feature, gate), by_hand)


def test_discriminator_scores_8x8_patches():
    assert build("markov_discriminator")(torch.randn(1, 1, 128, 128)).shape == (1, 1, 8, 8)


def test_a_score_sees_its_patch_only():
    critic = build("markov_discriminator", widths=(4, 4, 4, 4)).eval()
    image = torch.randn(1, 1, 128, 128, requires_grad=True)
    critic(image)[0, 0, 4, 4].backward()
    rows = image.grad[0, 0].abs().sum(dim=1).nonzero().flatten()
    # receptive field of four 4x4 stride-2 layers and a 3x3 one: 46 + 2 * 16 pixels
    assert rows.max() - rows.min() + 1 == 78


def test_decoder_activation_is_selectable():
    text, equation = (build("2dgan", **NARROW, decoder_activation=a) for a in ("leaky_relu", "relu"))
    kinds = [type(g.decoder1.ups[0][2]) for g in (text, equation)]
    assert kinds == [torch.nn.LeakyReLU, torch.nn.ReLU]


def test_errors_are_clear():
    with pytest.raises(ValueError, match="unknown network"):
        build("3dgan")
    with pytest.raises(ValueError, match="multiples of 16"):
        build("2dgan", **NARROW)(torch.zeros(1, 1, 40, 40))
    with pytest.raises(ValueError, match="grey"):
        build("2dgan", **NARROW)(torch.zeros(1, 3, 64, 64))
    with pytest.raises(ValueError, match="need the dual network"):
        build("2dgan", dual=False)
    with pytest.raises(ValueError, match="attention must be"):
        build("2dgan", attention="self")
    with pytest.raises(ValueError, match="activation must be"):
        build("2dgan", decoder_activation="gelu")
