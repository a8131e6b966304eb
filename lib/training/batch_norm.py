"""Batch norm's statistics for evaluation, from training images and the weights as they are.

While a network trains, batch norm keeps a moving average of the statistics of small batches, made
by weights that have changed since. Evaluated with it, results jump from one evaluation to the next;
statistics of many images and the present weights do not (Wu and Johnson, "Rethinking 'Batch' in
BatchNorm", 2021). Training itself is not touched: it never reads them.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn


@torch.no_grad()
def estimate_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replace the running statistics by the mean of those of `batches`, inputs of the network.

    Mode and momentum of the network are left as they were; one without batch norm sees no batch.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        return
    momenta, training = [norm.momentum for norm in norms], network.training
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's way to say: the plain mean of all batches
    network.train()
    for batch in batches:
        network(batch)
    network.train(training)
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
