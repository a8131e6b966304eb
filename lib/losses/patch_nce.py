"""The contrastive loss of CUT (Park et al., 2020), and the weights of CUT's losses."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

TEMPERATURE = 0.07


@dataclass(frozen=True)
class CUTLosses:
    """CUT's defaults: least-squares GAN and PatchNCE at weight 1, identity PatchNCE averaged in."""

    adversarial: float = 1.0
    nce: float = 1.0
    identity: bool = True
    patches: int = 256


def patch_nce(query: Tensor, key: Tensor) -> Tensor:
    """Cross-entropy of telling each patch's own key among all keys of the image.

    `query`, `key`: (B, P, C) of unit length, the same P places of the generated and of the input
    image. Keys take no gradient, as in CUT.
    """
    logits = query @ key.detach().transpose(1, 2) / TEMPERATURE  # (B, P, P)
    own = torch.arange(query.shape[1], device=query.device).expand(len(query), -1)
    return F.cross_entropy(logits.flatten(0, 1), own.flatten())
