"""Which images a step sees: a new permutation each epoch, drawn from seed and epoch alone."""

import numpy as np


def batch_indices(step: int, n_images: int, batch_size: int, seed: int) -> np.ndarray:
    """Indices (batch_size,) of the images of a step; whole batches only, as a batch norm wants.

    Depends on nothing but its arguments, so a resumed run needs no sampler state.
    Raises ValueError where there are fewer images than one batch holds.
    """
    per_epoch = steps_per_epoch(n_images, batch_size)
    epoch, position = divmod(step, per_epoch)
    order = np.random.default_rng([seed, epoch]).permutation(n_images)
    return order[position * batch_size : (position + 1) * batch_size]


def steps_per_epoch(n_images: int, batch_size: int) -> int:
    if n_images < batch_size:
        raise ValueError(f"{n_images} training images do not fill one batch of {batch_size}")
    return n_images // batch_size
