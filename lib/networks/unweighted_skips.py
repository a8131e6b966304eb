"""C3 as Table 4 can also be read: what cross-level attention weighs joins as it is.

C3 "does not add cross-level attention". Whether the first encoder's features then reach the second
decoder unweighted, or not at all as in `TwoDGAN`, the paper leaves open (ledger,
`attention-absent`).
"""

from torch import Tensor, nn

from lib.networks.two_d_gan import TwoDGAN, TwoDGANConfig


class Unweighted(nn.Module):
    """In the place of an attention: the feature, (B, C, H, W) as the gate."""

    def forward(self, feature: Tensor, gate: Tensor) -> Tensor:
        return feature


class UnweightedTwoDGAN(TwoDGAN):
    """`TwoDGAN` without the weights of its attention. Raises ValueError for one without any."""

    def __init__(self, config: TwoDGANConfig = TwoDGANConfig()):
        super().__init__(config)
        if config.attention == "none":
            raise ValueError("without attention no feature of the first encoder has a way in")
        self.attention = nn.ModuleList(Unweighted() for _ in self.attention)
