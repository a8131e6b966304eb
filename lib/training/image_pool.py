"""Earlier generated images for the discriminator (Shrivastava et al., 2017; CycleGAN)."""

import numpy as np
import torch
from torch import Tensor


class ImagePool:
    """Up to `size` images. Until it is full, what comes in goes out; then it does with chance 1/2,
    else an old image goes out in its place. Size 0: what comes in goes out."""

    def __init__(self, size: int):
        self.size = size
        self.images: list[Tensor] = []

    def exchange(self, image: Tensor, rng: np.random.Generator) -> Tensor:
        """One image (1, C, H, W) without gradient in, one out."""
        if len(self.images) < self.size:
            self.images.append(image.clone())
            return image
        if self.size == 0 or rng.random() < 0.5:
            return image
        k = int(rng.integers(self.size))
        old, self.images[k] = self.images[k], image.clone()
        return old

    def state(self) -> Tensor | None:
        return torch.cat(self.images) if self.images else None

    def load(self, state: Tensor | None) -> None:
        self.images = [] if state is None else list(state.split(1))
