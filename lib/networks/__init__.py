"""Networks by name, `build("2dgan")`; without one: `summed_attention`, `unweighted_skips`."""

from torch import nn

from lib.networks.funie_gan import (
    FUnIEDiscriminator,
    FUnIEDiscriminatorConfig,
    FUnIEGANConfig,
    FUnIEGenerator,
)
from lib.networks.markov_discriminator import MarkovDiscriminator, MarkovDiscriminatorConfig
from lib.networks.patchgan import PatchGAN, PatchGANConfig
from lib.networks.projection_head import ProjectionHead, ProjectionHeadConfig
from lib.networks.resnet_generator import ResnetGenerator, ResnetGeneratorConfig
from lib.networks.tiecnn import TIECNN, TIECNNConfig
from lib.networks.two_d_gan import TwoDGAN, TwoDGANConfig
from lib.networks.unet_generator import UnetGenerator, UnetGeneratorConfig

# name -> network, configuration, and what the name sets in it
NETWORKS = {
    "2dgan": (TwoDGAN, TwoDGANConfig, {}),
    "markov_discriminator": (MarkovDiscriminator, MarkovDiscriminatorConfig, {}),
    "funiegan": (FUnIEGenerator, FUnIEGANConfig, {}),
    "funiegan_discriminator": (FUnIEDiscriminator, FUnIEDiscriminatorConfig, {}),
    "tiecnn": (TIECNN, TIECNNConfig, {}),
    "unet_128": (UnetGenerator, UnetGeneratorConfig, {}),
    "unet_256": (UnetGenerator, UnetGeneratorConfig,
                 {"widths": (64, 128, 256, 512, 512, 512, 512, 512)}),
    "resnet_6blocks": (ResnetGenerator, ResnetGeneratorConfig, {"blocks": 6}),
    "resnet_9blocks": (ResnetGenerator, ResnetGeneratorConfig, {}),
    "resnet_9blocks_cbam": (ResnetGenerator, ResnetGeneratorConfig, {"cbam": True}),
    "cut_generator": (ResnetGenerator, ResnetGeneratorConfig, {"antialias": True}),
    "patchgan": (PatchGAN, PatchGANConfig, {}),
    "cut_discriminator": (PatchGAN, PatchGANConfig, {"antialias": True}),
    "projection_head": (ProjectionHead, ProjectionHeadConfig, {}),
}


def build(name: str, **options) -> nn.Module:
    """A freshly initialised network; `options` are the fields of its configuration.

    Raises ValueError for an unknown name, TypeError for an unknown option.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; there are {', '.join(sorted(NETWORKS))}")
    network, config, preset = NETWORKS[name]
    return network(config(**{**preset, **options}))
