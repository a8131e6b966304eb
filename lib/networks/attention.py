"""Attention modules of 2D-GAN: the paper's own (Fig. 4) and two to compare it with (Table 5).

All three change the first encoder's feature before it joins the second decoder; two weigh it,
multi-head attention adds to it:

    attention(feature, gate) -> feature, all (B, C, H, W)

`gate` is the second decoder's feature, brought to the resolution of `feature` by the transposed
convolution. The paper describes the cross-level module only; of the others it gives the names.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class CrossLevelAttention(nn.Module):
    """Fig. 4: a weight in (0, 1) for every channel and position, from both features.

    1x1 convolution and batch norm on both inputs, sum, sigmoid, product.
    """

    def __init__(self, channels: int, bn_momentum: float):
        super().__init__()

        def project() -> nn.Sequential:
            return nn.Sequential(
                nn.Conv2d(channels, channels, 1, bias=False),
                nn.BatchNorm2d(channels, momentum=bn_momentum),
            )

        self.project_feature = project()
        self.project_gate = project()

    def weights(self, feature: Tensor, gate: Tensor) -> Tensor:
        """The attention map itself, (B, C, H, W) in (0, 1)."""
        return torch.sigmoid(self.project_feature(feature) + self.project_gate(gate))

    def forward(self, feature: Tensor, gate: Tensor) -> Tensor:
        return feature * self.weights(feature, gate)


class PixelAttention(nn.Module):
    """A weight for every channel and position from the feature itself (Zhao et al., PAN, 2020).

    1x1 convolution, sigmoid, product; the gate is not looked at, which is what "cross-level" adds.
    """

    def __init__(self, channels: int, bn_momentum: float):
        super().__init__()
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, feature: Tensor, gate: Tensor) -> Tensor:
        return feature * torch.sigmoid(self.project(feature))


class MultiHeadAttention(nn.Module):
    """Multi-head attention over positions (Vaswani et al., 2017): gate asks, feature answers.

    Queries from every position of the gate; keys and values from the feature pooled to 16x16
    positions at 128 px and to at most 31x31 at other sizes, so that the memory grows with H x W and
    not with its square. The result is added to the feature, as in a transformer block.
    """

    HEADS = 4
    KEY_SIDE = 16

    def __init__(self, channels: int, bn_momentum: float):
        super().__init__()
        self.query = nn.Conv2d(channels, channels, 1, bias=False)
        self.key_value = nn.Conv2d(channels, 2 * channels, 1, bias=False)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, feature: Tensor, gate: Tensor) -> Tensor:
        height, width = feature.shape[2:]
        pool = max(1, max(height, width) // self.KEY_SIDE)
        pooled = F.avg_pool2d(feature, pool)  # 16x16 positions at 128 px, at most 31x31
        query = self._heads(self.query(gate))  # (B, heads, H W, C / heads)
        key, value = (self._heads(part) for part in self.key_value(pooled).chunk(2, dim=1))
        mixed = F.scaled_dot_product_attention(query, key, value)
        mixed = mixed.transpose(2, 3).reshape(feature.shape)  # (B, C, H, W)
        return feature + self.out(mixed)

    def _heads(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, heads, H W, C / heads)."""
        return x.flatten(2).unflatten(1, (self.HEADS, -1)).transpose(2, 3)


ATTENTION = {
    "cross_level": CrossLevelAttention,
    "pixel": PixelAttention,
    "multi_head": MultiHeadAttention,
}
