"""From a network and images to metrics: the same few lines for training, tables and figures."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from lib.data.enhancement import Pairs
from lib.data.tensors import to_bytes, to_device, to_unit
from lib.metrics import evaluate


@dataclass(frozen=True)
class Evaluation:
    """What a model made of some images, and how good each one is.

    `inputs` (N, H, W), or RGB (N, H, W, 3); `outputs`, `references` (N, H, W): bytes. `metrics`:
    name -> (N,) values.
    """

    names: tuple[str, ...]
    inputs: np.ndarray
    outputs: np.ndarray
    references: np.ndarray
    metrics: dict[str, np.ndarray]

    def means(self) -> dict[str, float]:
        return {name: float(np.mean(values)) for name, values in self.metrics.items()}


@torch.no_grad()
def enhance(
    generator: nn.Module, degraded: np.ndarray, device: torch.device, batch_size: int = 10
) -> np.ndarray:
    """Grey bytes (N, H, W) -> enhanced grey bytes (N, H, W), batch norm at its running statistics.

    The generator is left in the mode it was in.
    """
    training = generator.training
    generator.eval()
    batches = np.split(degraded, range(batch_size, len(degraded), batch_size))
    outputs = [to_bytes(generator(to_unit(to_device(batch, device)))) for batch in batches]
    generator.train(training)
    return np.concatenate(outputs)


def evaluate_enhancement(
    generator: nn.Module, pairs: Pairs, device: torch.device
) -> Evaluation:
    """AG, IE, PSNR and SSIM of the enhanced images of `pairs`."""
    outputs = enhance(generator, pairs.degraded, device)
    return Evaluation(
        pairs.names, pairs.degraded, outputs, pairs.reference, evaluate(outputs, pairs.reference)
    )
