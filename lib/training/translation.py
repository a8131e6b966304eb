"""What the translation recipes share: unpaired images, the learning rate's decline, the test.

Training sees visible and infrared images in two independent orders, so pairs play no part in it;
they are used in the test alone.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lib.data import pairs as translation
from lib.data.fingerprint import DataSet
from lib.data.tensors import to_unit
from lib.data.pairs import TranslationData, load_pairs
from lib.evaluation.enhancement import Evaluation
from lib.training.experiments import Adam, RunConfig
from lib.networks.unet_generator import UnetGeneratorConfig
from lib.training.batch_norm import estimate_statistics
from lib.training.sampling import batch_indices
from lib.evaluation.translation import evaluate_translation, rgb_tensor

INFRARED_STREAM = 1_000_003  # added to the seed, so that the infrared order is another one


def describe(config: RunConfig, root: Path) -> DataSet:
    """The data set that `load_data` takes its images from."""
    return translation.describe(config.experiment.data, root)


def load_data(config: RunConfig, root: Path) -> tuple[TranslationData, TranslationData]:
    """The pairs at the size that the generator needs, and at the size that is evaluated."""
    key, scale = config.experiment.data, config.scale
    shown = load_pairs(key, root, scale.image_size, scale.n_pairs)
    size = training_size(config)
    if size == scale.image_size:
        return shown, shown
    return load_pairs(key, root, size, scale.n_pairs), shown


def training_size(config: RunConfig) -> int:
    """Height and width in training: the profile's, or more where the generator needs more.

    unet_256 halves its images eight times and cannot take fewer than 256 pixels; what it makes is
    averaged down to the size at which all methods are compared.
    """
    network, size = config.experiment.network, config.scale.image_size
    return max(size, 2 ** len(network.widths)) if isinstance(network, UnetGeneratorConfig) else size


class TranslationRecipe:
    """The base of the recipes from visible to infrared; see `lib.training.engine.Recipe`.

    Domain A is visible, B infrared; both have three channels, so that the identity loss can be
    used. A subclass sets `generator`, `modules` and `optimisers`, and defines `step`.
    """

    generator: nn.Module
    pretrained = ()

    def __init__(self, config: RunConfig, data, device: torch.device):
        self.config, self.device = config, device
        pairs, self.shown = data
        train, test = pairs.split["train"], pairs.split["test"]
        self.visible = rgb_tensor(pairs.visible[train], device)  # (N, 3, H, W) bytes
        self.infrared = rgb_tensor(pairs.infrared[train], device)
        self.train_names = [pairs.names[i] for i in train]
        self.test_inputs = pairs.visible[test]
        self.steps_per_epoch = len(train)  # batch 1
        self.steps = config.scale.steps or config.scale.epochs * self.steps_per_epoch

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """A visible and an infrared image of a step, unpaired: (1, 3, H, W) in [-1, 1].

        Each is mirrored with chance 1/2, as in CycleGAN's public code.
        """
        flips = np.random.default_rng([self.config.seed, step]).random(2) < 0.5
        images = []
        for source, index, flip in zip((self.visible, self.infrared), self.indices(step), flips):
            image = to_unit(source[index : index + 1])
            images.append(image.flip(-1) if flip else image)
        return images[0], images[1]

    def indices(self, step: int) -> tuple[int, int]:
        """Which visible and which infrared image a step sees."""
        n, seed = len(self.train_names), self.config.seed
        return tuple(int(batch_indices(step, n, 1, s)[0]) for s in (seed, seed + INFRARED_STREAM))

    def names(self, step: int) -> list[str]:
        return [self.train_names[i] for i in self.indices(step)]

    def set_learning_rate(self, step: int) -> None:
        """Constant for the first half of the run, then linear decline (GN_CycleGAN, 4.1)."""
        factor = decline(step, self.steps, self.config.scale.epochs)
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = self.config.experiment.optimiser.learning_rate * factor

    def validate(self) -> dict[str, float]:
        """No metrics along the way: all pairs are training or test pairs, and no choice is made."""
        return {}

    def test(self) -> Evaluation:
        visible = self.visible[: self.config.experiment.batch_norm_images]
        estimate_statistics(self.generator, (to_unit(image) for image in visible.split(1)))
        test = self.shown.split["test"]
        return evaluate_translation(
            self.generator, self.test_inputs, self.shown.visible[test], self.shown.infrared[test],
            tuple(self.shown.names[i] for i in test), self.device,
        )  # fmt: skip

    def extra_state(self) -> dict:
        return {}

    def load_extra_state(self, state: dict) -> None:
        pass


def decline(step: int, steps: int, epochs: int | None) -> float:
    """The learning rate's factor: 1 in the first half, then linearly towards 0.

    Of runs that count epochs it changes once an epoch e: 1 - max(0, e - E/2) / (E/2 + 1), which is
    CycleGAN's public code at E = 200; of runs that count steps, at each step.
    """
    total = epochs or steps
    position = step * total // steps
    return 1 - max(0, position - total // 2) / (total - total // 2 + 1)


def adam(settings: Adam, *modules: nn.Module) -> torch.optim.Adam:
    """One optimiser for the weights of several networks."""
    weights = [weight for module in modules for weight in module.parameters()]
    betas = (settings.beta1, settings.beta2)
    return torch.optim.Adam(weights, settings.learning_rate, betas, fused=True)


def gradient_norm(*modules: nn.Module) -> Tensor:
    """The norm of the gradients that the modules' weights hold, one number for all."""
    norms = [w.grad.norm() for module in modules for w in module.parameters()]
    return torch.stack(norms).norm()
