"""CBAM, attention over channels and then over positions (Woo et al., 2018, arXiv:1807.06521).

GN_CycleGAN, section 2.2 and Fig. 2: "channel attention" and "spatial attention".
"""

import torch
from torch import Tensor, nn

REDUCTION = 16  # of the channels inside the shared MLP


class CBAM(nn.Module):
    """(B, C, H, W) -> the same shape: the feature weighted by two attention maps, one by one.

    x  <- x * sigmoid(MLP(mean over H, W) + MLP(max over H, W))              (B, C, 1, 1)
    x  <- x * sigmoid(BN(conv7x7(concat(max over C, mean over C))))          (B, 1, H, W)

    The batch norm on the one-channel map is that of CBAM's public code; section 2.2 of the paper
    has none, and `norm=False` leaves it out. In a training with batches of one image it normalises
    the map of that image; in `eval()` it takes the stored mean and variance, so both modes weigh
    the positions a little differently. `TranslationRecipe.prepare` sets these before a network is
    judged or stored: plain means over real visible training images, 200 at most. So the momentum,
    PyTorch's 0.1 (0.01 in the public code), changes no number of ours.
    """

    def __init__(self, channels: int, norm: bool = True):
        super().__init__()
        hidden = max(1, channels // REDUCTION)
        self.mlp = nn.Sequential(  # 1x1 convolutions: linear layers on pooled maps
            nn.Conv2d(channels, hidden, 1), nn.ReLU(), nn.Conv2d(hidden, channels, 1)
        )
        self.spatial = nn.Sequential(
            nn.Conv2d(2, 1, 7, padding=3, bias=False), nn.BatchNorm2d(1) if norm else nn.Identity()
        )

    def channel_weights(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, 1, 1) in (0, 1)."""
        mean, peak = x.mean((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
        return torch.sigmoid(self.mlp(mean) + self.mlp(peak))

    def position_weights(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 1, H, W) in (0, 1)."""
        pooled = torch.cat([x.amax(1, keepdim=True), x.mean(1, keepdim=True)], dim=1)
        return torch.sigmoid(self.spatial(pooled))

    def forward(self, x: Tensor) -> Tensor:
        x = x * self.channel_weights(x)
        return x * self.position_weights(x)
