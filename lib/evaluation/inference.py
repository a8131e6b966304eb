"""From images through a trained network to images, all as bytes: the inference of both papers."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.data.enhancement import EnhancementData
from lib.data.pairs import TranslationData
from lib.data.tensors import rgb_tensor, to_bytes, to_device, to_unit

Method = Callable[[np.ndarray], np.ndarray]  # bytes (N, H, W) or (N, H, W, 3) -> bytes (N, H, W)


def as_method(
    generator: nn.Module, data: EnhancementData | TranslationData, size: int, device: torch.device
) -> Method:
    """A generator as a function on the images of its data; results are of `size` pixels."""
    generator = generator.to(device)
    if isinstance(data, EnhancementData):
        generator.to(memory_format=torch.channels_last)  # the layout it was trained in, and faster
        return partial(enhance, generator, device=device)
    return partial(translate, generator, size=size, device=device)


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


@torch.no_grad()
def translate(
    generator: nn.Module, visible: np.ndarray, size: int, device: torch.device
) -> np.ndarray:
    """RGB bytes (N, H, W, 3) -> generated infrared bytes (N, size, size), one image at a time.

    The generator is left in the mode it was in.
    """
    training = generator.training
    generator.eval()
    images = rgb_tensor(visible, device)
    outputs = [grey_bytes(generator(to_unit(image)), size) for image in images.split(1)]
    generator.train(training)
    return np.concatenate(outputs)


def grey_bytes(images: Tensor, size: int) -> np.ndarray:
    """(N, C, H, W) in [-1, 1] -> rounded bytes (N, size, size), the mean of the channels.

    Where H is a multiple of `size`, squares of pixels are averaged.
    """
    grey = images.mean(dim=1, keepdim=True)
    return to_bytes(F.avg_pool2d(grey, images.shape[-1] // size))
