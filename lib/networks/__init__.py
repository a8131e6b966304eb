"""Every network of the kit by name: `build("2dgan")`."""

from importlib import import_module

from torch import nn

# name -> module here, network, configuration; imported when built, so that a run depends on the
# code of its own networks only
NETWORKS = {
    "2dgan": ("two_d_gan", "TwoDGAN", "TwoDGANConfig"),
    "markov_discriminator": (
        "markov_discriminator", "MarkovDiscriminator", "MarkovDiscriminatorConfig",
    ),
    "funiegan": ("funie_gan", "FUnIEGenerator", "FUnIEGANConfig"),
    "funiegan_discriminator": ("funie_gan", "FUnIEDiscriminator", "FUnIEDiscriminatorConfig"),
    "tiecnn": ("tiecnn", "TIECNN", "TIECNNConfig"),
}  # fmt: skip


def build(name: str, **options) -> nn.Module:
    """A freshly initialised network; `options` are the fields of its configuration.

    Raises ValueError for an unknown name, TypeError for an unknown option.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; there are {', '.join(sorted(NETWORKS))}")
    module, network, config = NETWORKS[name]
    module = import_module(f"lib.networks.{module}")
    return getattr(module, network)(getattr(module, config)(**options))
