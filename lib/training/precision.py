"""The number format of a training's passes through its networks.

fp32 is the default where nothing is faster; bf16 runs convolutions in bfloat16 (autocast), weights,
optimisers, losses and whatever is differentiated twice staying in fp32. On a processor without
instructions for it (AMX, AVX512-BF16) bf16 is many times slower, so `auto` takes it only where it
is fast. Evaluation is always in fp32. On a GPU PyTorch computes convolutions in fp32 by TF32 where
it has that, which rounds their factors to 10 bits.
"""

import torch
from torch import Tensor, nn

PRECISIONS = ("fp32", "bf16")


def choose_precision(name: str, device: torch.device) -> str:
    """`auto` as one of PRECISIONS: bf16 where the device is made for it.

    Raises ValueError for an unknown name.
    """
    if name not in ("auto", *PRECISIONS):
        raise ValueError(f"unknown precision {name!r}; there are auto, {', '.join(PRECISIONS)}")
    if name != "auto":
        return name
    return "bf16" if is_made_for_bf16(device) else "fp32"


def is_made_for_bf16(device: torch.device) -> bool:
    """Whether a GPU has bf16, or a processor instructions that multiply it."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return torch.cpu._is_amx_tile_supported() or torch.cpu._is_avx512_bf16_supported()


class InPrecision:
    """What recipes have in common: networks run in the precision of their run."""

    device: torch.device
    precision: str

    def autocast(self) -> torch.autocast:
        """Within it convolutions and matrix products are in the precision of the run."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def forward(self, network: nn.Module, *inputs: Tensor) -> Tensor:
        """A network's output, made in the precision of the run, as float32."""
        with self.autocast():
            return network(*inputs).float()
