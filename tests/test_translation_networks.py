"""The networks of GN_CycleGAN: counts of the public codes, and independent references."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lib.networks import build
from lib.networks.blocks import count_parameters
from lib.networks.cbam import CBAM
from lib.networks.cut_blocks import BlurDown, BlurUp
from lib.networks.gradient_normalisation import GradientNormalised
from lib.networks.padding import ReflectionPad, reflect_by_slices
from lib.networks.projection_head import draw_positions

NARROW = {"widths": (4, 6, 8)}  # of a ResNet generator
SHALLOW = {"widths": (4, 6, 8, 8)}  # of a U-Net, for multiples of 16 px
GENERATORS = {
    "resnet_6blocks": NARROW,
    "resnet_9blocks": NARROW,
    "resnet_9blocks_cbam": NARROW,
    "cut_generator": NARROW,
    "unet_128": SHALLOW,
}
CHANNELS = [(3, 3), (3, 1), (1, 1)]


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def parameters(name, **options):
    with torch.device("meta"):
        return count_parameters(build(name, **options))


# ---------------------------------------------------------------- sizes


@pytest.mark.parametrize(
    ("name", "counts"),
    {
        "resnet_6blocks": (7_837_699, 7_831_425, 7_825_153),
        "resnet_9blocks": (11_378_179, 11_371_905, 11_365_633),
        "unet_128": (41_825_667, 41_821_569, 41_819_521),
        "unet_256": (54_409_603, 54_405_505, 54_403_457),
    }.items(),
)
def test_generators_have_the_public_codes_parameter_counts(name, counts):
    ours = [parameters(name, in_channels=a, out_channels=b) for a, b in CHANNELS]
    assert ours == list(counts)


def test_other_parameter_counts():
    assert parameters("resnet_9blocks_cbam") == 11_378_179 + 9 * 8_564 == 11_455_255
    assert parameters("cut_generator") == parameters("resnet_9blocks")  # blurring learns nothing
    assert [parameters("patchgan", in_channels=c) for c in (3, 1)] == [2_764_737, 2_762_689]
    assert parameters("cut_discriminator") == 2_764_737
    assert parameters("projection_head") == 560_384


@pytest.mark.parametrize(("name", "gmac"), [
    ("resnet_6blocks", 35.06), ("resnet_9blocks", 49.55), ("unet_128", 6.02), ("unet_256", 6.05),
    ("patchgan", 3.147),
])
def test_multiply_accumulates_at_256_pixels(name, gmac):
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        build(name)(torch.empty(1, 3, 256, 256))
    assert counter.get_total_flops() / 2e9 == pytest.approx(gmac, rel=1e-3)


@pytest.mark.parametrize("name", GENERATORS)
def test_generators_keep_size_and_range(name):
    out = build(name, out_channels=1, **GENERATORS[name])(torch.rand(2, 3, 48, 32) * 2 - 1)
    assert out.shape == (2, 1, 48, 32)
    assert out.abs().max() <= 1


@pytest.mark.parametrize("name", ["patchgan", "cut_discriminator"])
@pytest.mark.parametrize(("size", "scores"), [(128, 14), (256, 30)])
def test_patchgan_scores(name, size, scores):
    with torch.device("meta"):
        assert build(name)(torch.empty(2, 3, size, size)).shape == (2, 1, scores, scores)


@pytest.mark.parametrize(("name", "pixels"), [("patchgan", 70), ("cut_discriminator", 84)])
def test_a_patchgan_score_sees_70_pixels_or_84_by_way_of_blurs(name, pixels):
    """Without the norms, which look at the whole image."""
    layers = build(name, in_channels=1, widths=(2, 2, 2, 2)).layers
    convolutions = nn.Sequential(*(m for m in layers if not isinstance(m, nn.GroupNorm)))
    image = torch.randn(1, 1, 128, 128, requires_grad=True)
    convolutions(image)[0, 0, 7, 7].backward()
    rows = image.grad[0, 0].abs().sum(dim=1).nonzero().flatten()
    assert rows.max() - rows.min() + 1 == pixels


# ---------------------------------------------------------------- padding and blurring


@pytest.mark.parametrize("pad", [ReflectionPad, lambda p: lambda x: reflect_by_slices(x, p)])
@pytest.mark.parametrize(("size", "padding"), [((7, 9), 3), ((4, 4), 3), ((32, 30), 1)])
def test_reflection_padding_is_torchs_bit_for_bit(pad, size, padding):
    """Gradients of whole numbers add up exactly in any order, so they have to be equal too."""
    x = torch.randn(2, 3, *size, requires_grad=True)
    ours, theirs = pad(padding)(x), nn.ReflectionPad2d(padding)(x)
    assert torch.equal(ours, theirs)
    incoming = torch.randint(-9, 10, theirs.shape).float()
    (a,), (b,) = (torch.autograd.grad(out, x, incoming) for out in (ours, theirs))
    assert torch.equal(a, b)


def test_reflection_padding_needs_a_larger_image():
    for pad in (ReflectionPad(3), lambda x: reflect_by_slices(x, 3)):
        with pytest.raises(RuntimeError):
            pad(torch.zeros(1, 1, 3, 8))


class BlurDownByHand(nn.Module):
    """Nine shifted copies of the mirrored image, every second pixel of their weighted sum."""

    def forward(self, x):
        height, width = x.shape[2:]
        x = F.pad(x, (1, 1, 1, 1), mode="reflect")
        shifted = (
            (2 - abs(i - 1)) * (2 - abs(j - 1)) / 16 * x[:, :, i : i + height, j : j + width]
            for i in range(3)
            for j in range(3)
        )
        return sum(shifted)[:, :, ::2, ::2]


class BlurUpByHand(nn.Module):
    """Three quarters of the nearest pixel, one quarter of the next: bilinear interpolation."""

    def forward(self, x):
        return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


@pytest.mark.parametrize(
    ("ours", "by_hand"), [(BlurDown, BlurDownByHand), (BlurUp, BlurUpByHand)]
)
@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_blurred_sampling(ours, by_hand, size):
    x = torch.randn(2, 3, *size)
    torch.testing.assert_close(ours(3)(x), by_hand()(x))
    torch.testing.assert_close(ours(1)(torch.ones(1, 1, *size)).unique(), torch.ones(1))


# ---------------------------------------------------------------- references


class PlainBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), nn.InstanceNorm2d(c), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(c, c, 3), nn.InstanceNorm2d(c),
        )

    def forward(self, x):
        return x + self.layers(x)


def plain_resnet(a, b, widths, blocks, antialias):
    """One flat sequence, numbered as CUT numbers its layers."""

    def norm_relu(c):
        return [nn.InstanceNorm2d(c), nn.ReLU()]

    w0, w1, w2 = widths
    layers = [nn.ReflectionPad2d(3), nn.Conv2d(a, w0, 7), *norm_relu(w0)]
    for c, d in ((w0, w1), (w1, w2)):
        if antialias:
            layers += [nn.Conv2d(c, d, 3, padding=1), *norm_relu(d), BlurDownByHand()]
        else:
            layers += [nn.Conv2d(c, d, 3, stride=2, padding=1), *norm_relu(d)]
    layers += [PlainBlock(w2) for _ in range(blocks)]
    for c, d in ((w2, w1), (w1, w0)):
        if antialias:
            layers += [BlurUpByHand(), nn.Conv2d(c, d, 3, padding=1), *norm_relu(d)]
        else:
            up = nn.ConvTranspose2d(c, d, 3, stride=2, padding=1, output_padding=1)
            layers += [up, *norm_relu(d)]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(w0, b, 7), nn.Tanh())


def copy_weights(source, target):
    with torch.no_grad():
        for a, b in zip(source.parameters(), target.parameters(), strict=True):
            b.copy_(a)


@pytest.mark.parametrize(("blocks", "antialias"), [(6, False), (9, False), (9, True)])
def test_resnet_equals_a_plain_sequence(blocks, antialias):
    ours = build("resnet_9blocks", **NARROW, blocks=blocks, antialias=antialias, out_channels=1)
    plain = plain_resnet(3, 1, NARROW["widths"], blocks, antialias)
    copy_weights(ours, plain)
    image = torch.rand(2, 3, 32, 24) * 2 - 1
    torch.testing.assert_close(ours(image), plain(image), rtol=1e-4, atol=1e-5)


def test_cut_features_are_layers_0_4_8_12_16():
    ours, plain = build("cut_generator", **NARROW), plain_resnet(3, 3, NARROW["widths"], 9, True)
    copy_weights(ours, plain)
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    expected, x = [], image
    for index, layer in enumerate(plain):
        x = layer(x)
        if index in (0, 4, 8, 12, 16):
            expected.append(x)
    features = ours.features(image)
    for feature, reference in zip(features, expected, strict=True):
        torch.testing.assert_close(feature, reference, rtol=1e-4, atol=1e-5)
    assert tuple(f.shape[1] for f in features) == ours.feature_channels


def test_features_and_image_in_one_pass():
    generator = build("cut_generator", **NARROW)
    passes = []
    for part in (generator.stem, generator.blocks[4], generator.blocks[5]):
        part.register_forward_hook(lambda module, *_: passes.append(module))
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    features = generator.features(image)
    assert passes == [generator.stem, generator.blocks[4]]  # not a step further
    passes.clear()
    out, again = generator.forward_with_features(image)
    assert passes == [generator.stem, generator.blocks[4], generator.blocks[5]]
    assert torch.equal(out, generator(image))
    assert all(torch.equal(a, b) for a, b in zip(features, again, strict=True))


def test_unet_equals_the_recursive_one():
    """Isola et al.'s nesting: x beside what the step inside makes of it, activations in front."""
    ours = build("unet_128", **SHALLOW, out_channels=1)
    weights = iter([(m.weight, m.bias) for m in ours.modules() if hasattr(m, "stride")])
    downs = [next(weights) for _ in SHALLOW["widths"]]
    ups = list(weights)[::-1]  # from the outermost inwards

    def step(x, depth):
        inner = F.leaky_relu(x, 0.2) if depth > 0 else x
        inner = F.conv2d(inner, *downs[depth], stride=2, padding=1)
        if 0 < depth < 3:
            inner = F.instance_norm(inner)
        if depth < 3:
            inner = torch.cat([inner, step(inner, depth + 1)], dim=1)
        out = F.conv_transpose2d(F.relu(inner), *ups[depth], stride=2, padding=1)
        return F.instance_norm(out) if depth > 0 else torch.tanh(out)

    image = torch.rand(2, 3, 32, 48) * 2 - 1
    torch.testing.assert_close(ours(image), step(image, 0), rtol=1e-4, atol=1e-5)


# ---------------------------------------------------------------- CBAM


@pytest.mark.parametrize(("channels", "count"), [(64, 680), (128, 2284), (256, 8564), (512, 33412)])
def test_cbam_parameter_counts(channels, count):
    assert count_parameters(CBAM(channels)) == count


def test_cbam_of_few_channels_keeps_a_hidden_unit():
    assert CBAM(8).mlp[0].out_channels == 1
    assert CBAM(32).mlp[0].out_channels == 2


def test_cbam_by_hand():
    cbam = CBAM(16).eval()
    first, _, second = cbam.mlp
    convolution, norm = cbam.spatial
    norm.running_mean.fill_(0.3), norm.running_var.fill_(2.0)
    x = torch.randn(1, 16, 9, 9)

    def mlp(v):
        hidden = torch.relu(first.weight[:, :, 0, 0] @ v + first.bias)
        return second.weight[:, :, 0, 0] @ hidden + second.bias

    by_channel = x[0].flatten(1)  # (C, HW)
    weights = torch.sigmoid(mlp(by_channel.mean(1)) + mlp(by_channel.max(1).values))
    y = x[0] * weights[:, None, None]
    pooled = F.pad(torch.stack([y.max(0).values, y.mean(0)]), (3, 3, 3, 3))
    scores = torch.zeros(9, 9)
    for i in range(9):
        for j in range(9):
            scores[i, j] = (pooled[:, i : i + 7, j : j + 7] * convolution.weight[0]).sum()
    scores = (scores - 0.3) / (2.0 + norm.eps) ** 0.5
    torch.testing.assert_close(cbam(x)[0], y * torch.sigmoid(scores))


def test_cbam_without_batch_norm_is_selectable():
    x = torch.randn(1, 16, 9, 9)
    with_norm, without = CBAM(16).eval(), CBAM(16, norm=False)
    without.load_state_dict(with_norm.state_dict(), strict=False)
    with_norm.spatial[1].eps = 0.0  # at its start it changes nothing else
    torch.testing.assert_close(without(x), with_norm(x))
    generator = build("resnet_9blocks_cbam", **NARROW, cbam_norm=False)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in generator.modules())


def test_cbam_weighs_what_a_block_adds():
    """With all weights of the branch's attention at nought, x passes a block unchanged."""
    block = build("resnet_9blocks_cbam", **NARROW).blocks[0].eval()
    *_, cbam = block.layers
    cbam.spatial[1].bias.data.fill_(-200.0)  # sigmoid of it is 0
    x = torch.randn(1, 8, 8, 8)
    assert torch.equal(block(x), x)
    cbam.spatial[1].bias.data.zero_()
    assert not torch.equal(block(x), x)


# ---------------------------------------------------------------- gradient normalisation


class Linear(nn.Module):
    """f(x) = <a, x> + b, one score an image."""

    def __init__(self, a, b):
        super().__init__()
        self.a, self.b = nn.Parameter(a), b

    def forward(self, x):
        return ((self.a * x).sum((1, 2, 3)) + self.b).view(-1, 1, 1, 1)


def test_gradient_normalisation_of_a_linear_function():
    """a = (3, 4): the gradient's norm is 5 everywhere."""
    linear = Linear(torch.tensor([3.0, 4.0]).view(1, 1, 2), b=1.0)
    x = torch.tensor([[1.0, 1.0], [-2.0, 0.0], [0.0, -0.25]]).view(3, 1, 1, 2)  # f = 8, -5, 0
    expected = torch.tensor([8 / 13, -5 / 10, 0.0]).view(3, 1, 1, 1)
    torch.testing.assert_close(GradientNormalised(linear)(x), expected)
    torch.testing.assert_close(GradientNormalised(linear, "eq3")(x), expected.square())
    constant = torch.tensor([8 / 7, -5 / 7, 0.0]).view(3, 1, 1, 1).square()
    torch.testing.assert_close(GradientNormalised(linear, "eq3", zeta=2.0)(x), constant)


def test_gradient_of_the_summed_map_with_respect_to_the_whole_image():
    """A 1x1 convolution of weight 2: the gradient of the sum is 2 at each of 12 pixels."""
    score = nn.Conv2d(1, 1, 1, bias=False)
    nn.init.constant_(score.weight, 2.0)
    x = torch.randn(2, 1, 3, 4)
    expected = 2 * x / (2 * 12**0.5 + (2 * x).abs())
    torch.testing.assert_close(GradientNormalised(score)(x), expected)
    mean = 2 * x.mean((1, 2, 3), keepdim=True)
    expected = mean / (12**0.5 / 6 + mean.abs())
    torch.testing.assert_close(GradientNormalised(score, score="mean")(x), expected)


def test_no_score_and_no_slope_is_nan_unless_zeta_is_a_constant():
    linear, x = Linear(torch.zeros(1, 1, 2), b=0.0), torch.ones(1, 1, 1, 2)
    assert all(GradientNormalised(linear, form)(x).isnan().all() for form in ("eq2", "eq3"))
    assert GradientNormalised(linear, "eq3", zeta=2.0)(x).item() == 0
    patchgan = build("patchgan", widths=(4, 8, 8, 8))
    for level in (-1.0, 0.0, 0.5):  # what no image has, constant, stays finite
        scores = GradientNormalised(patchgan)(torch.full((1, 3, 32, 32), level))
        scores.sum().backward()
        assert scores.isfinite().all()
        assert all(weight.grad.isfinite().all() for weight in patchgan.parameters())


def test_gradient_flows_into_a_generator():
    """f = 5s + 1 at x = s * (3, 4) / 5; d/ds of f / (5 + f) is 5 * 5 / (5 + f)^2."""
    linear = Linear(torch.tensor([3.0, 4.0]).view(1, 1, 2), b=1.0)
    s = torch.tensor(2.0, requires_grad=True)
    GradientNormalised(linear)(s * torch.tensor([0.6, 0.8]).view(1, 1, 1, 2)).sum().backward()
    torch.testing.assert_close(s.grad, torch.tensor(25 / 256))


@pytest.mark.parametrize("form", ["eq2", "eq3"])
def test_double_backward_is_exact(form):
    """Against finite differences, with respect to image and weights, through the norm."""
    smooth = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Tanh(), nn.Conv2d(2, 1, 2)).double()
    normalised = GradientNormalised(smooth, form)

    def of_both(x, weight):
        replaced = {"discriminator.0.weight": weight}
        return torch.func.functional_call(normalised, replaced, (x,))

    x = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    weight = smooth[0].weight.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(of_both, (x, weight))


@pytest.mark.parametrize(("form", "low"), [("eq2", -1), ("eq3", 0)])
def test_normalised_patchgan(form, low):
    patchgan = build("patchgan", widths=(4, 8, 8, 8))
    for p in patchgan.parameters():
        p.data.mul_(20)  # far from the start, the range holds as well
    normalised = GradientNormalised(patchgan, form)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    scores = normalised(images)
    assert scores.shape == (2, 1, 6, 6)
    assert low <= scores.min() and scores.max() <= 1
    alone = torch.cat([normalised(image[None]) for image in images])
    torch.testing.assert_close(scores, alone, rtol=1e-4, atol=1e-6)

    scores.square().mean().backward()
    assert all(p.grad.any() for n, p in patchgan.named_parameters() if n.endswith("weight"))
    with torch.no_grad():
        again = normalised(images)
    assert not again.requires_grad
    torch.testing.assert_close(again, scores.detach())


def test_gradient_normalisation_runs_the_discriminator_once():
    patchgan, passes = build("patchgan", widths=(4, 4, 4, 4)), []
    patchgan.register_forward_hook(lambda *_: passes.append(1))
    GradientNormalised(patchgan)(torch.randn(1, 3, 32, 32))
    assert passes == [1]


# ---------------------------------------------------------------- projection head


def test_projection_head_is_its_formula():
    generator = build("cut_generator", **NARROW)
    head = build("projection_head", channels=generator.feature_channels, dimensions=16)
    features = generator.features(torch.rand(2, 3, 32, 32) * 2 - 1)
    positions = draw_positions(features, 20)
    vectors = head(features, positions)
    assert [v.shape for v in vectors] == [(2, 20, 16)] * 5
    for feature, where, mlp, vector in zip(features, positions, head.mlps, vectors):
        row, column = divmod(where[7].item(), feature.shape[3])
        by_hand = mlp(feature[1, :, row, column])
        torch.testing.assert_close(vector[1, 7], by_hand / by_hand.norm(), rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError):
        head(features[:4], positions[:4])


def test_positions_are_different_and_inside():
    features = [torch.empty(1, 3, 6, 5), torch.empty(1, 8, 40, 40)]
    few, many = draw_positions(features)
    assert sorted(few.tolist()) == list(range(30))
    assert len(set(many.tolist())) == 256 and 0 <= many.min() and many.max() < 1600


# ---------------------------------------------------------------- all


@pytest.mark.parametrize("name", GENERATORS)
def test_every_weight_learns(name):
    # of few hidden units in CBAM, all may be dead from the start
    options = {"widths": (4, 6, 128)} if name == "resnet_9blocks_cbam" else GENERATORS[name]
    generator = build(name, **options)
    (generator(torch.randn(1, 3, 32, 32)) - 0.5).square().mean().backward()
    weights = {n: p.grad for n, p in generator.named_parameters() if n.endswith("weight")}
    assert [n for n, gradient in weights.items() if gradient is None or not gradient.any()] == []


def test_starting_weights():
    """N(0, 0.02) for CycleGAN, Xavier normal of gain 0.02 for CUT; biases 0."""
    normal, xavier = build("resnet_6blocks"), build("cut_generator", blocks=1)
    for network, expected in ((normal, 0.02), (xavier, 0.02 * (2 / (2 * 256 * 9)) ** 0.5)):
        convolution = network.blocks[0].layers[1]
        assert convolution.weight.std().item() == pytest.approx(expected, rel=0.02)
        assert not convolution.bias.any()


def test_messages_say_what_to_do():
    with pytest.raises(ValueError, match="unet_256 .* multiples of 256, got 128x128; .*unet_128"):
        build("unet_256", widths=(2,) * 8)(torch.zeros(1, 3, 128, 128))
    with pytest.raises(ValueError, match=r"images \(B, 1, H, W\)"):
        build("unet_128", in_channels=1, **SHALLOW)(torch.zeros(1, 3, 64, 64))
    with pytest.raises(ValueError, match="multiples of 4"):
        build("resnet_6blocks", **NARROW)(torch.zeros(1, 3, 30, 32))
    with pytest.raises(ValueError, match="5 residual blocks or more, this generator has 3"):
        build("cut_generator", **NARROW, blocks=3).features(torch.zeros(1, 3, 32, 32))
    with pytest.raises(ValueError, match="form must be"):
        GradientNormalised(nn.Identity(), "eq4")
    with pytest.raises(ValueError, match="only Eq. 3 has a zeta"):
        GradientNormalised(nn.Identity(), zeta=1.0)
