"""Training step of TIECNN: mean squared error between enhanced and reference images, no more."""

import torch
from torch import Tensor

from lib.data.enhancement import EnhancementData
from lib.losses.pixel import mse
from lib.networks.tiecnn import TIECNN
from lib.training.enhancement import CHANNELS_LAST, EnhancementRecipe
from lib.training.experiments import RunConfig
from lib.training.optimiser import adam


class TIECNNRecipe(EnhancementRecipe):
    """See `lib.training.engine.Recipe`."""

    make_generator = TIECNN

    def __init__(self, config: RunConfig, data: EnhancementData, device: torch.device):
        super().__init__(config, data, device)
        self.generator = self.make_generator(config.experiment.network).to(device, **CHANNELS_LAST)
        self.modules = {"generator": self.generator}
        self.optimisers = {"generator": adam(config.experiment.optimiser, self.generator)}

    def step(self, step: int) -> dict[str, Tensor]:
        _, degraded, reference = self.batch(step)
        loss = mse(self.forward(self.generator, degraded), reference)
        self.optimisers["generator"].zero_grad()
        loss.backward()
        self.optimisers["generator"].step()
        return {"mse": loss}
