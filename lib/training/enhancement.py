"""What all enhancement recipes share: the images, the batches, validation and test."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lib.data import enhancement
from lib.data.enhancement import EnhancementData, Pairs, crops, load
from lib.data.fingerprint import DataSet
from lib.data.tensors import to_device, to_unit
from lib.evaluation.enhancement import Evaluation, evaluate_enhancement
from lib.training.experiments import Adam, RunConfig
from lib.losses.perceptual import feature_distance, target_features
from lib.networks.backbones import FrozenFeatures
from lib.paths import cache_dir
from lib.training.batch_norm import estimate_statistics
from lib.training.sampling import batch_indices, steps_per_epoch

CHANNELS_LAST = {"memory_format": torch.channels_last}


def describe(config: RunConfig, root: Path) -> DataSet:
    """The data set that `load_data` takes its images from."""
    return enhancement.describe(root)


def load_data(config: RunConfig, root: Path) -> EnhancementData:
    """The images of a run, as many as its profile takes."""
    scale = config.scale
    return load(root, scale.image_size, scale.n_train, scale.n_validation, scale.n_test)


class EnhancementRecipe:
    """The base of the recipes that enhance grey images; see `lib.training.engine.Recipe`.

    A subclass sets `generator`, `modules`, `optimisers` and `pretrained`, and defines `step`.
    """

    generator: nn.Module

    def __init__(self, config: RunConfig, data: EnhancementData, device: torch.device):
        self.config, self.data, self.device = config, data, device
        scale = config.scale
        pairs = crops(data.train, scale.crop_size, seed=0)
        self.image_names, self.reference_bytes = pairs.names, pairs.reference
        self.degraded = to_device(pairs.degraded, device)
        self.reference = to_device(pairs.reference, device)
        self.steps_per_epoch = steps_per_epoch(len(pairs.names), scale.batch_size)
        self.steps = scale.steps or scale.epochs * self.steps_per_epoch
        self.pretrained = ()

    def batch(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Indices (B,), degraded and reference images (B, 1, H, W) in [-1, 1] of a step."""
        indices = torch.from_numpy(self.indices(step)).to(self.device)
        return indices, to_unit(self.degraded[indices]), to_unit(self.reference[indices])

    def frozen(self, network: FrozenFeatures) -> tuple[FrozenFeatures, Tensor]:
        """A backbone on the device, and its features of all references, computed once."""
        network.to(self.device, **CHANNELS_LAST)
        features = target_features(
            network, self.reference_bytes, self.device, folder=cache_dir("features")
        )
        return network, features

    def feature_loss(
        self, frozen: tuple[FrozenFeatures, Tensor], fake: Tensor, indices: Tensor, norm: str
    ) -> Tensor:
        """Distance of the features of generated images to those of their references.

        Of all images, or of the first of the batch where the profile says so.
        """
        network, features = frozen
        seen = slice(self.config.scale.perceptual_images)
        target = features[indices[seen].to(features.device)].to(self.device)
        return feature_distance(network(fake[seen]), target, norm)

    def indices(self, step: int) -> np.ndarray:
        scale = self.config.scale
        return batch_indices(step, len(self.image_names), scale.batch_size, self.config.seed)

    def names(self, step: int) -> list[str]:
        return [self.image_names[i] for i in self.indices(step)]

    def validate(self) -> dict[str, float]:
        return self.evaluate(self.data.validation).means()

    def test(self) -> Evaluation:
        return self.evaluate(self.data.test)

    def evaluate(self, pairs: Pairs) -> Evaluation:
        """Metrics of the enhanced images, batch norm's statistics being those of the first crops."""
        n_images, batch_size = self.config.experiment.batch_norm_images, self.config.scale.batch_size
        first = self.degraded[:n_images].split(batch_size) if n_images else ()
        estimate_statistics(self.generator, (to_unit(batch) for batch in first))
        return evaluate_enhancement(self.generator, pairs, self.device)

    def extra_state(self) -> dict:
        return {}

    def load_extra_state(self, state: dict) -> None:
        pass


def adam(module: nn.Module, settings: Adam) -> torch.optim.Adam:
    betas = (settings.beta1, settings.beta2)
    return torch.optim.Adam(module.parameters(), settings.learning_rate, betas, fused=True)
