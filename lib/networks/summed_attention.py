"""The other reading of Fig. 4's output: cross-level attention as 2D-GAN's authors publish it.

The text has the first encoder's feature, weighted, and nothing else (`lib.networks.attention`). The
authors' code (see the ledger, `attention-output`) weighs its first input, "high", and adds its
second, "low". With the deeper feature as the high one, the gate is weighted, and all of the
encoder's feature passes.

It belongs among `ATTENTION`; there it would change the identity of every 2D-GAN, and train
all of them anew.
"""

from torch import Tensor, nn

from lib.networks.attention import CrossLevelAttention
from lib.networks.blocks import init_normal
from lib.networks.two_d_gan import TwoDGAN, TwoDGANConfig


class SummedCrossLevelAttention(CrossLevelAttention):
    """The weights of Fig. 4 on the gate, and the feature added: (B, C, H, W) as both inputs."""

    def forward(self, feature: Tensor, gate: Tensor) -> Tensor:
        return gate * self.weights(feature, gate) + feature


class SummedTwoDGAN(TwoDGAN):
    """`TwoDGAN` with the sum in its attention. Raises ValueError for a network without Fig. 4's."""

    def __init__(self, config: TwoDGANConfig = TwoDGANConfig()):
        super().__init__(config)
        if config.attention != "cross_level":
            raise ValueError(f"the sum is one of cross-level attention, not of {config.attention}")
        self.attention = nn.ModuleList(
            SummedCrossLevelAttention(width, config.bn_momentum)
            for width in reversed(config.widths[:-1])
        )
        init_normal(self.attention)
