"""What the translation recipes share: unpaired images, the learning rate's decline.

Training sees visible and infrared images in two independent orders, so pairs play no part in it;
they are used in the test alone.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from lib.data.pairs import TranslationData
from lib.data.tensors import rgb_tensor, to_unit
from lib.networks.unet_generator import UnetGeneratorConfig
from lib.training.experiments import RunConfig
from lib.training.precision import InPrecision
from lib.training.sampling import batch_indices

INFRARED_STREAM = 1_000_003  # added to the seed, so that the infrared order is another one


class TranslationRecipe(InPrecision):
    """The base of the recipes from visible to infrared; see `lib.training.engine.Recipe`.

    Domain A is visible, B infrared; both have three channels, so that the identity loss can be
    used. A subclass sets `make_generator`, `generator`, `modules` and `optimisers`, and defines
    `step`.
    """

    generator: nn.Module

    def __init__(self, config: RunConfig, pairs: TranslationData, device: torch.device):
        self.config, self.device, self.precision = config, device, config.precision
        train = pairs.split["train"]
        self.visible = rgb_tensor(pairs.visible[train], device)  # (N, 3, H, W) bytes
        self.infrared = rgb_tensor(pairs.infrared[train], device)
        self.train_names = [pairs.names[i] for i in train]
        self.steps_per_epoch = len(train)  # batch 1
        self.steps = config.scale.steps or config.scale.epochs * self.steps_per_epoch

    @staticmethod
    def training_size(config: RunConfig) -> int:
        """Height and width in training: the profile's, or more where the generator needs more.

        unet_256 halves its images eight times and cannot take fewer than 256 pixels; what it makes
        is averaged down to the size at which all methods are compared.
        """
        network, size = config.experiment.network, config.scale.image_size
        if isinstance(network, UnetGeneratorConfig):
            return max(size, 2 ** len(network.widths))
        return size

    @staticmethod
    def backbones(config: RunConfig) -> tuple[str, ...]:
        """No loss of theirs uses a pretrained network."""
        return ()

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """A visible and an infrared image of a step, unpaired: (1, 3, H, W) in [-1, 1].

        Each is mirrored with chance 1/2, as in CycleGAN's public code.
        """
        flips = np.random.default_rng([self.config.seed, step]).random(2) < 0.5
        images = []
        for source, index, flip in zip((self.visible, self.infrared), self.indices(step), flips):
            image = to_unit(source[index : index + 1].contiguous())  # the networks' fast layout
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

    def prepare(self, generator: nn.Module) -> None:
        """Give its batch norm, where there is one, the statistics of the first training images
        (`EnhancementRecipe.prepare` says why)."""
        if n_images := self.config.experiment.batch_norm_images:
            update_bn(map(to_unit, self.visible[:n_images].split(1)), generator)

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


def gradient_norm(*modules: nn.Module) -> Tensor:
    """The norm of the gradients that the modules' weights hold, one number for all."""
    norms = [w.grad.norm() for module in modules for w in module.parameters()]
    return torch.stack(norms).norm()
