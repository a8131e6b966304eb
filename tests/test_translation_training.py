"""CycleGAN, GN_CycleGAN and CUT: losses, image pool, learning rate, steps, resume."""

import math
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lib.data.tensors import to_unit
from lib.evaluation.inference import as_method, grey_bytes
from lib.losses import least_squares
from lib.losses.cycle_gan import CycleGANLosses, discriminator_loss, generator_loss
from lib.losses.patch_nce import TEMPERATURE, patch_nce
from lib.networks.gradient_normalisation import GradientNormalised
from lib.networks.patchgan import PatchGANConfig
from lib.training import checkpoint
from lib.training.experiments import resolve
from lib.training.image_pool import ImagePool
from lib.training.recipes import RECIPES
from lib.training.recipes.cycle_gan import make_discriminator
from lib.training.run import load, training_size
from lib.training.translation import decline
from made_runs import recipe_of

CPU = torch.device("cpu")


def values(losses):
    return {name: loss.item() for name, loss in losses.items()}


# losses


def test_least_squares_and_wasserstein_losses_by_hand():
    fake, real = torch.tensor([0.5, 0.0]), torch.tensor([1.0, 0.0])
    lsgan = CycleGANLosses()
    assert discriminator_loss(lsgan, fake, real).item() == pytest.approx(0.5 * (0.5 + 0.125))
    assert generator_loss(lsgan, fake).item() == pytest.approx((0.25 + 1) / 2)
    wasserstein = CycleGANLosses(adversarial="wasserstein")
    assert discriminator_loss(wasserstein, fake, real).item() == pytest.approx(0.25 - 0.5)
    assert generator_loss(wasserstein, fake).item() == pytest.approx(-0.25)


@pytest.mark.parametrize("normalisation, score, probability", [
    ("none", 0.0, 0.5), ("eq2", 0.5, 0.75), ("eq3", 0.25, 0.25),
])
def test_log10_losses_take_scores_as_probabilities(normalisation, score, probability):
    losses = CycleGANLosses(adversarial="log10", normalisation=normalisation)
    scores = torch.full((1, 1, 2, 2), score)
    by_hand = -math.log10(probability) - math.log10(1 - probability)
    assert discriminator_loss(losses, scores, scores).item() == pytest.approx(by_hand)
    assert generator_loss(losses, scores).item() == pytest.approx(-math.log10(probability))


def test_log10_loss_stays_finite_at_the_ends_of_the_range():
    losses = CycleGANLosses(adversarial="log10", normalisation="eq3")
    ends = torch.tensor([0.0, 1.0], requires_grad=True)
    loss = discriminator_loss(losses, ends, ends)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(ends.grad).all()


def test_unknown_forms_are_refused():
    with pytest.raises(ValueError, match="lsgan, log10, wasserstein"):
        CycleGANLosses(adversarial="hinge")
    with pytest.raises(ValueError, match="none, eq2, eq3"):
        CycleGANLosses(normalisation="spectral")
    with pytest.raises(ValueError, match="beside normalised ones"):
        CycleGANLosses(plain=1.0)


def test_patch_nce_is_the_cross_entropy_of_the_own_key():
    """Among the keys of its own image only, here of two; keys get no gradient."""
    query, key = F.normalize(
        torch.randn(2, 2, 5, 3, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    by_hand = 0.0
    for image in range(2):
        for p in range(5):
            own = query[image, p] @ key[image].T / TEMPERATURE
            logits = own.tolist()
            by_hand += math.log(sum(map(math.exp, logits))) - logits[p]
    query.requires_grad_(), key.requires_grad_()
    loss = patch_nce(query, key)
    assert loss.item() == pytest.approx(by_hand / 10, rel=1e-5)
    loss.backward()
    assert key.grad is None and query.grad.any()


# image pool and learning rate


def test_a_pool_gives_back_old_images_half_of_the_time_and_keeps_its_size():
    pool, rng = ImagePool(3), np.random.default_rng(0)
    images = [torch.full((1, 1, 1, 1), float(k)) for k in range(403)]
    out = [pool.exchange(image, rng).item() for image in images]
    assert out[:3] == [0, 1, 2] and len(pool.images) == 3
    assert 150 < sum(a == b for a, b in zip(out[3:], range(3, 403))) < 250
    assert len(set(out[3:])) == 400  # each image once, at once or later
    assert any(2 < a < b for a, b in zip(out[3:], range(3, 403)))  # stored when it was full


def test_a_pool_of_size_0_passes_everything_on():
    pool, rng = ImagePool(0), np.random.default_rng(0)
    image = torch.ones(1, 1, 1, 1)
    assert all(pool.exchange(image, rng) is image for _ in range(4)) and not pool.images


def test_learning_rate_declines_as_in_the_public_code_of_cyclegan():
    for epoch in (0, 99, 100, 101, 150, 199):
        step = epoch * 500 + 250
        assert decline(step, 100_000, 200) == pytest.approx(1 - max(0, epoch - 100) / 101)
    assert decline(0, 20, None) == 1 and 0 < decline(19, 20, None) < 0.2


# steps


def test_unet_256_trains_on_256_pixels_and_is_compared_at_the_others_size(root):
    config = resolve("unet_256-FLIR", "test")
    assert training_size(config) == 256 and training_size(resolve("unet_128-FLIR", "test")) == 128
    data = load(config, root)
    assert data.visible.shape[1:] == (256, 256, 3)
    recipe = RECIPES["cycle_gan"](config, data, CPU)
    visible = data.visible[data.split["test"]]
    assert as_method(recipe.generator, data, 128, CPU)(visible).shape == (4, 128, 128)
    # squares of four pixels are averaged, and the channels: all from -1 to 0.1, mean -0.45
    image = torch.linspace(-1, 0.1, 12).reshape(1, 3, 2, 2)
    assert grey_bytes(image, 1).tolist() == [[[round(0.55 * 127.5)]]]


def test_visible_and_infrared_images_come_unpaired(root):
    recipe = recipe_of(resolve("resnet_9blocks-FLIR", "test"), root)
    drawn = [recipe.indices(step) for step in range(16)]
    assert any(a != b for a, b in drawn)
    for side in zip(*drawn):  # each side shows all its images in every epoch of 4
        assert all(sorted(side[k : k + 4]) == [0, 1, 2, 3] for k in range(0, 16, 4))


def test_each_side_is_mirrored_half_of_the_time_by_itself(root):
    recipe = recipe_of(resolve("unet_128-FLIR", "test"), root)
    mirrored = []
    for step in range(40):
        sides = zip(recipe.batch(step), (recipe.visible, recipe.infrared), recipe.indices(step))
        pairs = [(shown, to_unit(images[[index]])) for shown, images, index in sides]
        mirrored.append([torch.equal(shown, image.flip(-1)) for shown, image in pairs])
        assert all(torch.equal(shown.flip(-1) if mirror else shown, image)
                   for (shown, image), mirror in zip(pairs, mirrored[-1]))
    assert all(10 < sum(side) < 30 for side in zip(*mirrored))
    assert any(one != other for one, other in mirrored)


def test_a_discriminator_is_normalised_as_the_losses_say():
    losses = CycleGANLosses("lsgan", "eq3", score="mean", zeta=2.0)
    judge = make_discriminator(losses, PatchGANConfig(widths=(4, 4, 4, 4)))
    image = torch.randn(1, 3, 32, 32)
    by_hand = GradientNormalised(judge.discriminator, "eq3", "mean", zeta=2.0)(image)
    assert by_hand.shape == (1, 1, 1, 1) and torch.equal(judge(image), by_hand)


class Mirror:
    """In the place of a pool: tells what the discriminators are shown from what was generated."""

    def exchange(self, image, rng):
        return image.flip(-1)


def update(loss, *networks):
    """A step of Adam (GN_CycleGAN, section 4.1; CycleGAN); leaves the gradient in `grad`."""
    weights = [weight for network in networks for weight in network.parameters()]
    for weight, gradient in zip(weights, torch.autograd.grad(loss, weights, retain_graph=True)):
        weight.grad = gradient
    torch.optim.Adam(weights, 2e-4, (0.5, 0.999)).step()


def gradient(*networks):
    return torch.cat([w.grad.flatten() for network in networks for w in network.parameters()])


def assert_same_step(recipe, losses, expected, copies, within=1e-4):
    """The recipe's step against that of the copies, by their losses and gradients."""
    assert losses.keys() == expected.keys()
    for name, loss in losses.items():
        torch.testing.assert_close(loss.detach(), expected[name].detach(), rtol=1e-4, atol=1e-6)
    for network, by_hand in zip(recipe.modules.values(), copies, strict=True):
        away = gradient(network) - gradient(by_hand)
        assert away.norm() < within * gradient(by_hand).norm()


def plain(judge, image):
    return judge(image)


def eq2(judge, image):
    """f / (||grad f|| + |f|), f each score, the gradient that of their sum."""
    image = image if image.requires_grad else image.clone().requires_grad_()
    scores = judge.discriminator(image)
    (slope,) = torch.autograd.grad(scores.sum(), image, create_graph=True)
    return scores / (slope.square().sum().sqrt() + scores.abs())


def least_squares_by_hand(fake, real):
    return (real - 1).square().mean() / 2 + fake.square().mean() / 2


@pytest.mark.parametrize("name, score, of_judge, of_generator", [
    ("resnet_9blocks-FLIR", plain, least_squares_by_hand, lambda fake: (fake - 1).square().mean()),
    ("GN_CycleGAN-FLIR", eq2, lambda fake, real: fake.mean() - real.mean(),
     lambda fake: -fake.mean()),
], ids=["CycleGAN", "GN_CycleGAN"])
def test_a_step_of_a_cycle_is_the_sum_of_its_losses(name, score, of_judge, of_generator, root):
    """Eq. 7 with CycleGAN's lambda and identity loss; discriminators come first, Eqs. 4 and 5."""
    recipe = recipe_of(resolve(name, "test"), root)
    recipe.pools = dict.fromkeys(recipe.pools, Mirror())
    copies = to_infrared, to_visible, of_visible, of_infrared = [
        deepcopy(network) for network in recipe.modules.values()
    ]
    losses = recipe.step(0)

    visible, infrared = recipe.batch(0)
    fake_infrared, fake_visible = to_infrared(visible), to_visible(infrared)
    expected = {}
    for side, judge, fake, real in (
        ("visible", of_visible, fake_visible, visible),
        ("infrared", of_infrared, fake_infrared, infrared),
    ):
        shown = fake.detach().flip(-1)
        expected[f"discriminator_{side}"] = of_judge(score(judge, shown), score(judge, real))
    update(sum(expected.values()), of_visible, of_infrared)
    expected["discriminator_gradient"] = gradient(of_visible, of_infrared).norm()

    expected["adversarial_infrared"] = of_generator(score(of_infrared, fake_infrared))
    expected["adversarial_visible"] = of_generator(score(of_visible, fake_visible))
    expected["cycle_a"] = (to_visible(fake_infrared) - visible).abs().mean()
    expected["cycle_b"] = (to_infrared(fake_visible) - infrared).abs().mean()
    kept = to_infrared(infrared) - infrared, to_visible(visible) - visible
    expected["identity"] = sum(away.abs().mean() for away in kept)
    expected["total"] = (
        expected["adversarial_infrared"] + expected["adversarial_visible"]
        + 10 * (expected["cycle_a"] + expected["cycle_b"]) + 5 * expected["identity"]
    )
    update(expected["total"], to_infrared, to_visible)
    assert_same_step(recipe, losses, expected, copies)


@pytest.mark.parametrize("weights", [{}, {"adversarial": 1e4}])  # where PatchNCE does not hide it
def test_a_step_of_cut_is_the_sum_of_its_losses(weights, root):
    """L_GAN and the mean PatchNCE of five layers and of both images, the infrared one kept."""
    config = resolve("CUT-FLIR", "test")
    losses = replace(config.experiment.losses, **weights)
    recipe = recipe_of(
        replace(config, experiment=replace(config.experiment, losses=losses)), root
    )
    copies = generator, discriminator, head = list(map(deepcopy, recipe.modules.values()))
    torch.manual_seed(5)  # of the places
    losses = recipe.step(0)

    visible, infrared = recipe.batch(0)
    made = generator(visible), generator(infrared)
    scores = discriminator(made[0].detach()), discriminator(infrared)
    expected = {"discriminator": least_squares_by_hand(*scores)}
    update(expected["discriminator"], discriminator)
    expected["discriminator_gradient"] = gradient(discriminator).norm()

    expected["adversarial"] = (discriminator(made[0]) - 1).square().mean()
    torch.manual_seed(5)
    places = [torch.randperm(f[0, 0].numel())[:256] for f in generator.features(visible)]
    terms = []
    for output, image in zip(made, (visible, infrared)):
        features = zip(generator.features(output), generator.features(image))
        for maps, where, mlp in zip(features, places, head.mlps, strict=True):
            query, key = (F.normalize(mlp(map_[0].flatten(1)[:, where].T), dim=1) for map_ in maps)
            logits = query @ key.detach().T / 0.07
            terms.append(-logits.log_softmax(dim=1).diagonal().mean())
    assert len(terms) == 10
    expected["nce"] = sum(terms) / 10
    expected["total"] = weights.get("adversarial", 1) * expected["adversarial"] + expected["nce"]
    update(expected["total"], generator, head)
    # of features that are small at the start, vectors of length 1 enlarge what is rounded
    assert_same_step(recipe, losses, expected, copies, within=0.01)


@pytest.mark.parametrize("name", ["unet_128-FLIR", "CUT-FLIR"])
def test_a_late_step_takes_the_declined_learning_rate(name, root):
    """The last of ten steps: 1 - 4 / 6. Adam's first update is as long as the rate."""
    recipe = recipe_of(resolve(name, "test"), root)
    recipe.steps = 10
    before = deepcopy(recipe.modules)
    recipe.step(9)
    for network, old in zip(recipe.modules.values(), before.values()):
        pairs = zip(network.parameters(), old.parameters())
        longest = max((a - b).abs().max().item() for a, b in pairs)
        assert longest == pytest.approx(2e-4 / 3, rel=1e-2)


@pytest.mark.parametrize("name", ["resnet_9blocks-FLIR", "unet_128-FLIR"])
def test_a_joint_pass_gives_the_losses_of_two_passes(name, root):
    histories = []
    for joint in (True, False):
        recipe = recipe_of(resolve(name, "test"), root)
        assert recipe.joint
        recipe.joint = joint
        histories.append([values(recipe.step(step)) for step in range(2)])
    for together, apart in zip(*histories):
        assert together == pytest.approx(apart, rel=1e-3, abs=1e-5)


def test_cbam_keeps_its_two_images_apart(root):
    assert not recipe_of(resolve("GN_CycleGAN-FLIR", "test"), root).joint


def test_discriminators_take_k_steps_on_images_of_their_own(root):
    config = resolve("unet_128-FLIR", "test")
    losses = replace(config.experiment.losses, discriminator_steps=3)
    config = replace(config, experiment=replace(config.experiment, losses=losses))
    recipe = recipe_of(config, root)
    recipe.step(0)
    counts = {name: {int(s["step"]) for s in optimiser.state.values()}
              for name, optimiser in recipe.optimisers.items()}
    assert counts == {"generators": {1}, "discriminators": {3}}
    assert len(recipe.names(0)) == 6


def test_the_plain_scores_have_a_loss_of_their_own_where_it_is_asked_for(root):
    """Beside that of the normalised ones, half of the least squares of what the PatchGAN says."""
    config = resolve("GN_CycleGAN-FLIR", "test")
    losses = replace(config.experiment.losses, plain=0.5)
    asked = replace(config, experiment=replace(config.experiment, losses=losses))
    recipe = recipe_of(asked, root)
    visible, infrared = recipe.batch(0)
    with torch.no_grad():
        fake, real = (recipe.judge_visible.discriminator(image) for image in (-visible, visible))
    found = recipe.train_discriminators(0, visible, infrared, -visible, -infrared)
    expected = 0.5 * least_squares.discriminator_loss(fake, real)
    torch.testing.assert_close(found["plain_visible"], expected)


@pytest.mark.parametrize("name", ["GN_CycleGAN-FLIR", "CUT-FLIR"])
def test_a_resumed_run_goes_on_with_the_same_bytes(name, root, tmp_path):
    config = resolve(name, "test")
    if name != "CUT-FLIR":  # a pool that is full after one step, so that the next ones draw from it
        losses = replace(config.experiment.losses, pool=1)
        config = replace(config, experiment=replace(config.experiment, losses=losses))
    whole = recipe_of(config, root)
    expected = [values(whole.step(step)) for step in range(4)]
    first = recipe_of(config, root)
    for step in range(2):
        first.step(step)
    checkpoint.save(tmp_path, first, {"step": 2})
    second = recipe_of(config, root)
    assert checkpoint.restore(checkpoint.read_last(tmp_path), second) == {"step": 2}
    assert [values(second.step(step)) for step in (2, 3)] == expected[2:]
