"""CUT's projection head F (Park et al., 2020, arXiv:2007.15651): features of patches to vectors.

A two-layer MLP for each compared layer of the generator. The public code makes the MLPs when it
first sees features; here their channels are said beforehand, so that an optimiser can be made and
a checkpoint loaded before the first step.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lib.networks.cut_blocks import init_xavier


@dataclass(frozen=True)
class ProjectionHeadConfig:
    channels: tuple[int, ...] = (3, 128, 256, 256, 256)  # ResnetGenerator.feature_channels
    dimensions: int = 256  # of the vectors


class ProjectionHead(nn.Module):
    """For each layer l: feature (B, C_l, H_l, W_l), positions (P_l,) -> vectors (B, P_l, 256).

    The vectors have length 1. A position is row * W_l + column (`draw_positions`).
    """

    def __init__(self, config: ProjectionHeadConfig = ProjectionHeadConfig()):
        super().__init__()
        self.config = config
        size = config.dimensions
        self.mlps = nn.ModuleList(
            nn.Sequential(nn.Linear(channels, size), nn.ReLU(), nn.Linear(size, size))
            for channels in config.channels
        )
        init_xavier(self)

    def forward(self, features: list[Tensor], positions: list[Tensor]) -> list[Tensor]:
        vectors = []
        for mlp, feature, where in zip(self.mlps, features, positions, strict=True):
            patches = feature.flatten(2)[:, :, where].transpose(1, 2)  # (B, P, C)
            vectors.append(F.normalize(mlp(patches), dim=2))
        return vectors


def draw_positions(features: list[Tensor], patches: int = 256) -> list[Tensor]:
    """Up to `patches` different positions (P_l,) in 0 .. H_l * W_l - 1 for each layer.

    The same for all images of a batch; the generated images' patches have to be taken where the
    input's were. Drawn on the CPU from torch's random state, so alike on every device.
    """
    sizes = [feature.shape[2] * feature.shape[3] for feature in features]
    return [
        torch.randperm(size)[:patches].to(feature.device)
        for size, feature in zip(sizes, features)
    ]
