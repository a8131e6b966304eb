"""What all enhancement recipes share: the images, the batches, batch norm's statistics."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from lib.data.enhancement import EnhancementData
from lib.data.tensors import to_device, to_unit
from lib.losses.perceptual import feature_distance
from lib.networks.backbones import FrozenFeatures
from lib.training.experiments import RunConfig
from lib.training.precision import InPrecision
from lib.training.sampling import batch_indices, steps_per_epoch
from lib.training.target_features import target_features

CHANNELS_LAST = {"memory_format": torch.channels_last}


class EnhancementRecipe(InPrecision):
    """The base of the recipes that enhance grey images; see `lib.training.engine.Recipe`.

    A subclass sets `make_generator`, `generator`, `modules` and `optimisers`, and defines `step`.
    """

    generator: nn.Module

    def __init__(self, config: RunConfig, data: EnhancementData, device: torch.device):
        self.config, self.device, self.precision = config, device, config.precision
        scale = config.scale
        pairs = data.train
        self.image_names, self.reference_bytes = pairs.names, pairs.reference
        self.degraded = to_device(pairs.degraded, device)
        self.reference = to_device(pairs.reference, device)
        self.steps_per_epoch = steps_per_epoch(len(pairs.names), scale.batch_size)
        self.steps = scale.steps or scale.epochs * self.steps_per_epoch

    @staticmethod
    def training_size(config: RunConfig) -> int:
        """Height and width of the images that `data` has to hold."""
        return config.scale.image_size

    @staticmethod
    def backbones(config: RunConfig) -> tuple[str, ...]:
        """The pretrained networks that the losses of a run use, keys of `lib.networks.weights`."""
        names = {"vgg": "vgg16", "efficientnet": "efficientnet_b0"}
        return tuple(
            name for loss, name in names.items() if getattr(config.experiment.losses, loss, 0.0)
        )

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Indices (B,), degraded and reference images (B, 1, H, W) in [-1, 1] of a step."""
        indices = torch.from_numpy(self.indices(step)).to(self.device)
        return indices, to_unit(self.degraded[indices]), to_unit(self.reference[indices])

    def frozen(self, network: FrozenFeatures) -> tuple[FrozenFeatures, Tensor]:
        """A backbone on the device, and its features of all references, computed once."""
        network.to(self.device, **CHANNELS_LAST)
        return network, target_features(network, self.reference_bytes, self.device)

    def feature_loss(
        self, frozen: tuple[FrozenFeatures, Tensor], fake: Tensor, indices: Tensor, norm: str
    ) -> Tensor:
        """Distance of the features of generated images to those of their references.

        Of all images, or of the first of the batch where the profile says so.
        """
        network, features = frozen
        seen = slice(self.config.scale.perceptual_images)
        target = features[indices[seen].to(features.device)].to(self.device)
        return feature_distance(self.forward(network, fake[seen]), target, norm)

    def indices(self, step: int) -> np.ndarray:
        scale = self.config.scale
        return batch_indices(step, len(self.image_names), scale.batch_size, self.config.seed)

    def names(self, step: int) -> list[str]:
        return [self.image_names[i] for i in self.indices(step)]

    def prepare(self, generator: nn.Module) -> None:
        """Give its batch norm the statistics of the first training images and of its weights as
        they are (Wu and Johnson, "Rethinking 'Batch' in BatchNorm", 2021): the moving average has
        those of small batches, by weights that have changed since, and results jump."""
        if n_images := self.config.experiment.batch_norm_images:
            first = self.degraded[:n_images].split(self.config.scale.batch_size)
            update_bn(map(to_unit, first), generator)

    def extra_state(self) -> dict:
        return {}

    def load_extra_state(self, state: dict) -> None:
        pass
