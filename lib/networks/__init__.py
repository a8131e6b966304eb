"""Every network of the kit by name: `build("2dgan")`."""

from torch import nn

from lib.networks.markov_discriminator import MarkovDiscriminator, MarkovDiscriminatorConfig
from lib.networks.two_d_gan import TwoDGAN, TwoDGANConfig

NETWORKS = {
    "2dgan": (TwoDGAN, TwoDGANConfig),
    "markov_discriminator": (MarkovDiscriminator, MarkovDiscriminatorConfig),
}


def build(name: str, **options) -> nn.Module:
    """A freshly initialised network; `options` are the fields of its configuration.

    Raises ValueError for an unknown name, TypeError for an unknown option.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; there are {', '.join(sorted(NETWORKS))}")
    network, config = NETWORKS[name]
    return network(config(**options))
