"""The learned methods that 2D-GAN is compared with in Table 3: FUnIE-GAN and TIECNN."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from lib.evaluation.inference import as_method
from lib.losses import least_squares
from lib.losses.funie import FUnIELosses
from lib.metrics import evaluate
from lib.networks.backbones import VGG16Features
from lib.networks.blocks import count_parameters
from lib.networks.funie_gan import (
    FUnIEDiscriminator, FUnIEDiscriminatorConfig, FUnIEGANConfig, FUnIEGenerator,
)
from lib.networks.tiecnn import TIECNN, TIECNNConfig
from lib.training.experiments import resolve
from lib.training.run import load
from made_runs import need_weights, recipe_of

NARROW = FUnIEGANConfig(widths=(4, 8, 8, 8, 8))
NARROW_DISCRIMINATOR = FUnIEDiscriminatorConfig(widths=(4, 8, 8, 8))
NARROW_TIECNN = TIECNNConfig(widths=(8, 4, 4))
CPU = torch.device("cpu")


def images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1


def without_gradient(network):
    return {n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()}


# FUnIE-GAN's networks


@pytest.mark.parametrize("channels, generator, discriminator", [
    (3, 7_019_587, 696_672), (1, 7_016_513, 694_624),
])
def test_parameters_are_those_of_the_public_code(channels, generator, discriminator):
    config = FUnIEGANConfig(in_channels=channels, out_channels=channels)
    assert count_parameters(FUnIEGenerator(config)) == generator
    config = FUnIEDiscriminatorConfig(in_channels=channels)
    assert count_parameters(FUnIEDiscriminator(config)) == discriminator


def test_multiply_accumulates_are_those_of_the_public_code():
    generator = FUnIEGenerator(FUnIEGANConfig(in_channels=3, out_channels=3)).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        generator(images(1, 3, 128, 128))
    assert counter.get_total_flops() / 2 == pytest.approx(0.895e9, rel=0.001)


@pytest.mark.parametrize("size", [(32, 32), (64, 96)])
def test_generator_keeps_shape_and_range(size):
    enhanced = FUnIEGenerator(NARROW)(images(2, 1, *size))
    assert enhanced.shape == (2, 1, *size)
    assert enhanced.abs().max() <= 1
    colour = FUnIEGenerator(replace(NARROW, in_channels=3, out_channels=2))
    assert colour(images(1, 3, 64, 64)).shape == (1, 2, 64, 64)


def test_every_weight_of_the_generator_gets_a_gradient():
    generator = FUnIEGenerator(NARROW)
    generator(images(2, 1, 64, 64)).square().mean().backward()
    assert without_gradient(generator) == set()


def test_generator_with_three_levels_by_hand():
    generator = FUnIEGenerator(FUnIEGANConfig(widths=(4, 6, 8)))
    image = images(2, 1, 16, 16)
    down1, down2, down3 = generator.downs
    first = down1(image)
    second = down2(first)
    x = generator.ups[0](down3(second))
    x = generator.ups[1](torch.cat([x, second], dim=1))
    by_hand = generator.to_image(torch.cat([x, first], dim=1))
    torch.testing.assert_close(generator(image), by_hand)
    # batch norm in the middle only, so that an image of 32 px may end in a single pixel
    assert [len(step) for step in generator.downs] == [2, 3, 2]


def test_discriminator_scores_8x8_patches():
    assert FUnIEDiscriminator()(*images(2, 1, 1, 128, 128)).shape == (1, 1, 8, 8)


def test_discriminator_sees_image_and_condition():
    discriminator = FUnIEDiscriminator(NARROW_DISCRIMINATOR)
    image, condition = images(2, 2, 1, 64, 64).requires_grad_().unbind()
    scores = discriminator(image, condition)
    gradients = torch.autograd.grad(scores.square().sum(), (image, condition), retain_graph=True)
    assert all(gradient.any() for gradient in gradients)
    assert not torch.equal(scores, discriminator(condition, image))
    scores.square().sum().backward()
    # a bias before a batch norm has a gradient of rounding errors, or none
    assert without_gradient(discriminator) <= {f"layers.{depth}.0.bias" for depth in (1, 2, 3)}


def test_generator_says_what_it_expects():
    with pytest.raises(ValueError, match="multiples of 32"):
        FUnIEGenerator(NARROW)(images(1, 1, 64, 48))
    with pytest.raises(ValueError, match=r"expected images \(B, 1, H, W\)"):
        FUnIEGenerator(NARROW)(images(1, 3, 64, 64))


# Least squares


def test_least_squares_by_hand():
    fake, real = torch.tensor([0.5, 0.0]), torch.tensor([1.0, -1.0])
    # real: (0 + 4) / 2; fake: (0.25 + 0) / 2
    assert least_squares.discriminator_loss(fake, real).item() == 0.5 * (2 + 0.125)
    assert least_squares.generator_loss(fake).item() == (0.25 + 1) / 2


# TIECNN


def test_tiecnn_has_the_layers_of_ten():
    sizes = [(1, 64, 7), (64, 32, 5), (32, 32, 3), (32, 1, 3)]
    assert count_parameters(TIECNN()) == sum(a * b * size**2 + b for a, b, size in sizes)


def test_tiecnn_starts_at_the_identity_and_leaves_it():
    network, image = TIECNN(NARROW_TIECNN), images(2, 1, 33, 47)
    assert torch.equal(network(image), image)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):  # the hidden layers wait for the last one to leave zero
        optimiser.zero_grad()
        (network(image) - 1).square().mean().backward()
        optimiser.step()
    assert without_gradient(network) == set()
    assert not torch.equal(network(image), image)


def test_tiecnn_adds_the_residual_and_does_not_clamp():
    network, image = TIECNN(NARROW_TIECNN), images(1, 1, 16, 16)
    torch.nn.init.constant_(network.residual[-1].bias, 1.0)
    torch.testing.assert_close(network(image), image + 1)
    assert network(image).max() > 1


def test_tiecnn_takes_grey_images_only():
    with pytest.raises(ValueError, match="grey"):
        TIECNN(NARROW_TIECNN)(images(1, 3, 16, 16))


# Training


def make(name, root, **parts):
    config = resolve(name, "test")
    return recipe_of(replace(config, experiment=replace(config.experiment, **parts)), root)


def funie_recipe(root, **weights):
    return make("FUnIE-GAN", root, network=NARROW, discriminator=NARROW_DISCRIMINATOR,
                losses=FUnIELosses(**weights))


def tiecnn_recipe(root):
    return make("TIECNN", root, network=NARROW_TIECNN)


@pytest.mark.parametrize("make_recipe, losses", [
    (lambda root: funie_recipe(root, vgg=0.0), ("l1", "total")), (tiecnn_recipe, ("mse",)),
])
def test_fifteen_steps_lower_the_loss(root, make_recipe, losses):
    recipe = make_recipe(root)
    data = load(recipe.config, root)
    history = [recipe.step(step) for step in range(15)]
    assert all(torch.isfinite(loss) for step in history for loss in step.values())
    epoch = recipe.steps_per_epoch  # whole epochs see the same images
    for name in losses:
        first, last = (sum(s[name] for s in part) for part in (history[:epoch], history[-epoch:]))
        assert last < first
    assert recipe.backbones(recipe.config) == ()
    enhance = as_method(recipe.generator, data, 128, CPU)
    measured = evaluate(enhance(data.validation.degraded), data.validation.reference)
    assert all(len(values) == 4 for values in measured.values())


def test_funie_step_is_the_sum_of_its_losses(root):
    need_weights("vgg16")
    recipe = funie_recipe(root)
    generator, discriminator = deepcopy(recipe.generator), deepcopy(recipe.discriminator)
    losses = recipe.step(0)

    _, degraded, reference = recipe.batch(0)
    with torch.no_grad():
        fake = generator(degraded)  # the generated images before the generator's update
        fake_scores = discriminator(fake, degraded)
        real_scores = discriminator(reference, degraded)
        vgg, k = VGG16Features(), recipe.config.scale.perceptual_images
        expected = {
            "adversarial": (fake_scores - 1).square().mean(),
            "l1": (fake - reference).abs().mean(),
            "vgg": (vgg(fake[:k]) - vgg(reference[:k])).square().mean(),
        }
        expected["total"] = expected["adversarial"] + 7 * expected["l1"] + 3 * expected["vgg"]
        expected["discriminator"] = (
            (real_scores - 1).square().mean() + fake_scores.square().mean()
        ) / 2
    assert k == 1
    assert recipe.backbones(recipe.config) == ("vgg16",)
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss.detach(), expected[name], rtol=1e-4, atol=1e-5)


def test_each_network_is_trained_by_its_own_loss(root):
    """With a generator loss of nothing but zero weights, only the discriminator moves."""
    recipe = funie_recipe(root, adversarial=0.0, l1=0.0, vgg=0.0)
    before = {name: deepcopy(module) for name, module in recipe.modules.items()}
    recipe.step(0)
    moved = {
        name: any(
            not torch.equal(old, new)
            for old, new in zip(before[name].parameters(), module.parameters())
        )
        for name, module in recipe.modules.items()
    }
    assert moved == {"generator": False, "discriminator": True}
