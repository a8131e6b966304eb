"""What the networks of CUT share: anti-aliased sampling (Zhang, 2019, arXiv:1904.11486), its start.

CUT (Park et al., 2020, arXiv:2007.15651), one of the networks that GN_CycleGAN compares itself
with in Table 2, blurs before it drops pixels and after it doubles them.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.networks.padding import ReflectionPad


class BlurDown(nn.Module):
    """(B, C, H, W) -> (B, C, ceil(H/2), ceil(W/2)): 1-2-1 filter, then every second pixel."""

    def __init__(self, channels: int):
        super().__init__()
        self.pad = ReflectionPad(1)
        self.register_buffer("kernel", _kernel(channels, (1, 2, 1)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(self.pad(x), self.kernel, stride=2, groups=len(self.kernel))


class BlurUp(nn.Module):
    """(B, C, H, W) -> (B, C, 2H, 2W): pixels apart, then a 1-3-3-1 filter, the edge repeated.

    The values are those of bilinear interpolation; on the CPU it takes three quarters of its time.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.register_buffer("kernel", 4 * _kernel(channels, (1, 3, 3, 1)), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        # slices, since the gradient of replication padding is not deterministic on CUDA
        x = torch.cat([x[:, :, :1], x, x[:, :, -1:]], dim=2)
        x = torch.cat([x[..., :1], x, x[..., -1:]], dim=3)  # (B, C, H + 2, W + 2)
        return F.conv_transpose2d(x, self.kernel, stride=2, padding=3, groups=len(self.kernel))


def _kernel(channels: int, weights: tuple[int, ...]) -> Tensor:
    """The outer product of `weights` with itself, of sum 1, for each channel: (C, 1, k, k)."""
    line = torch.tensor(weights, dtype=torch.float32)
    kernel = torch.outer(line, line) / line.sum() ** 2
    return kernel.repeat(channels, 1, 1, 1)


def init_xavier(network: nn.Module) -> nn.Module:
    """Weights Xavier normal with gain 0.02, biases 0: CUT's start, used in place."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.xavier_normal_(module.weight, gain=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network
