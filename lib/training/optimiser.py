"""The optimiser of every recipe."""

import torch
from torch import nn

from lib.training.experiments import Adam


def adam(settings: Adam, *modules: nn.Module) -> torch.optim.Adam:
    """One fused Adam for the weights of one or several networks."""
    weights = [weight for module in modules for weight in module.parameters()]
    betas = (settings.beta1, settings.beta2)
    return torch.optim.Adam(weights, settings.learning_rate, betas, fused=True)
