"""Perceptual losses: distances between features of a frozen network (2D-GAN, Eqs. 6 and 7)."""

import hashlib

import numpy as np
import torch
from torch import Tensor

from lib.data.packs import pack
from lib.networks.backbones import FrozenFeatures
from lib.provenance import identity


def feature_distance(fake: Tensor, real: Tensor, norm: str = "l1") -> Tensor:
    """Mean distance between the features of generated and of target images, a scalar >= 0.

    2D-GAN, Eq. 6 (VGG-16) and Eq. 7 (EfficientNet-B0), averaged over the batch:

        L = 1/(C W H)  sum_i sum_j sum_k  || phi_ijk(y) - phi_ijk(G(x)) ||_2

    The norm stands inside the three sums, around a single number, and the 2-norm of a number is
    its absolute value: taken literally, the loss is the mean absolute difference ("l1", also what
    the authors' public code computes). "l2" is the other reading, the mean squared difference.

    `fake` and `real` are (B, C, H, W) features of one network; the gradient flows to both.

    Raises ValueError where the shapes differ or `norm` is neither "l1" nor "l2".
    """
    if fake.shape != real.shape:
        raise ValueError(f"features differ in shape: {tuple(fake.shape)}, {tuple(real.shape)}")
    if norm == "l1":
        return (real - fake).abs().mean()
    if norm == "l2":
        return (real - fake).square().mean()
    raise ValueError(f"norm must be 'l1' or 'l2', not {norm!r}")


def target_features(
    network: FrozenFeatures,
    images: np.ndarray,
    device: torch.device | str = "cpu",
    chunk: int = 32,
    keep: bool = False,
) -> Tensor:
    """Features phi(y) of all target images, once and for all, instead of in every training step.

    `images` is uint8 (N, H, W), grey; `network` is on `device`. The result is float32
    (N, C, h, w) on the CPU; 131 kB an image of 128x128 with VGG-16, 82 kB with EfficientNet-B0.

    The last bits of a feature can depend on what shares its batch, so the batches are always
    images 0..chunk-1, chunk..2 chunk-1 and so on, never those of training: a resumed run sees the
    same bytes. With `keep` they are read from `lib.data.packs`, mapped from the file, under a
    checksum of the images, the network and its weights, torch's version and the hardware.

    Raises ValueError where `images` is not a uint8 stack.
    """
    if images.dtype != np.uint8 or images.ndim != 3:
        raise ValueError(
            f"expected uint8 images of shape (N, H, W), got {images.dtype} {images.shape}"
        )
    device = torch.device(device)
    if not keep:
        return torch.from_numpy(_compute(network, images, device, chunk))
    kept = pack(
        f"features-{type(network).__name__}", _key(network, images, device, chunk),
        lambda: {"features": _compute(network, images, device, chunk)},
    )  # fmt: skip
    return torch.from_numpy(kept["features"])


@torch.no_grad()
def _compute(
    network: FrozenFeatures, images: np.ndarray, device: torch.device, chunk: int
) -> np.ndarray:
    features = []
    for start in range(0, len(images), chunk):
        batch = torch.from_numpy(images[start : start + chunk]).to(device)
        batch = batch.unsqueeze(1).float() / 127.5 - 1  # (n, 1, H, W) in [-1, 1]
        features.append(network(batch).contiguous().cpu())
    return torch.cat(features).numpy()


def _key(network: FrozenFeatures, images: np.ndarray, device: torch.device, chunk: int) -> list:
    """All that the features depend on."""
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    else:  # the number of threads moves last bits too
        hardware = f"{torch.backends.cpu.get_cpu_capability()} {torch.get_num_threads()}"
    content = hashlib.sha256(np.ascontiguousarray(images))
    for tensor in network.state_dict().values():
        content.update(tensor.cpu().contiguous().numpy())
    code = identity(_compute, "lib.networks.backbones:*")
    return [code, str(network), images.shape, chunk, torch.__version__, hardware,
            content.hexdigest()]  # fmt: skip
