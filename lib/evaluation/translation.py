"""From visible images to infrared ones by a trained generator, and how good they are."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.data.tensors import to_bytes, to_unit
from lib.evaluation.enhancement import Evaluation
from lib.metrics import evaluate


def rgb_tensor(images: np.ndarray, device: torch.device) -> Tensor:
    """Bytes (N, H, W, 3), or grey (N, H, W), repeated -> bytes (N, 3, H, W) on the device."""
    if images.ndim == 3:
        return torch.from_numpy(images).to(device)[:, None].expand(-1, 3, -1, -1)
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2)


def grey_bytes(images: Tensor, size: int) -> np.ndarray:
    """(N, C, H, W) in [-1, 1] -> rounded bytes (N, size, size), the mean of the channels.

    Where H is a multiple of `size`, squares of pixels are averaged.
    """
    grey = images.mean(dim=1, keepdim=True)
    return to_bytes(F.avg_pool2d(grey, images.shape[-1] // size))


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


def evaluate_translation(
    generator: nn.Module, inputs: np.ndarray, visible: np.ndarray, infrared: np.ndarray,
    names: tuple[str, ...], device: torch.device,
) -> Evaluation:
    """AG, IE, PSNR and SSIM of generated against real infrared images (N, size, size).

    `inputs` are the visible images as the generator takes them, `visible` as they are shown.
    """  # fmt: skip
    outputs = translate(generator, inputs, infrared.shape[-1], device)
    return Evaluation(names, visible, outputs, infrared, evaluate(outputs, infrared))
