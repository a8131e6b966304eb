"""TIECNN (Lee et al., 2017, "Brightness-Based CNN for Thermal Image Enhancement", IEEE Access).

Re-implemented from the description; no public implementation was found. What its abstract says is
here: residual learning, on brightness. What it does not say, the layers, is taken from its nearest
relative TEN (Choi et al., 2016, "Thermal Image Enhancement using CNN", IROS):

    1 -> 64 (7x7) -> 32 (5x5) -> 32 (3x3) -> 1 (3x3), ReLU between

The original takes the brightness of colour photographs for training; the images of this kit are
grey to begin with.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from lib.networks.blocks import check_grey

KERNELS = (7, 5, 3)


@dataclass(frozen=True)
class TIECNNConfig:
    widths: tuple[int, int, int] = (64, 32, 32)


class TIECNN(nn.Module):
    """Grey images (B, 1, H, W) in [-1, 1] of any size -> enhanced ones, x + residual(x).

    The sum may leave [-1, 1]: a clamp would stop the gradient there. `lib.data.tensors.to_bytes`
    clamps. The last layer starts at zero, so training starts at the identity; the others start as
    He et al. (2015) propose for ReLU. Raises ValueError for anything but grey images.
    """

    def __init__(self, config: TIECNNConfig = TIECNNConfig()):
        super().__init__()
        self.config = config
        widths = config.widths
        layers = []
        for a, b, size in zip((1, *widths[:-1]), widths, KERNELS, strict=True):
            hidden = nn.Conv2d(a, b, size, padding=size // 2)
            nn.init.kaiming_normal_(hidden.weight, nonlinearity="relu")
            nn.init.zeros_(hidden.bias)
            layers += [hidden, nn.ReLU(inplace=True)]
        last = nn.Conv2d(widths[-1], 1, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.residual = nn.Sequential(*layers, last)

    def forward(self, x: Tensor) -> Tensor:
        check_grey(x, 1)
        return x + self.residual(x)
