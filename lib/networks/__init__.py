"""Every network of the kit by name: `build("2dgan")`."""

from importlib import import_module

from torch import nn

# name -> module here, network, configuration, and what the name sets in it; imported when built, so
# that a run depends on the code of its own networks only
NETWORKS = {
    "2dgan": ("two_d_gan", "TwoDGAN", "TwoDGANConfig"),
    "markov_discriminator": (
        "markov_discriminator", "MarkovDiscriminator", "MarkovDiscriminatorConfig",
    ),
    "funiegan": ("funie_gan", "FUnIEGenerator", "FUnIEGANConfig"),
    "funiegan_discriminator": ("funie_gan", "FUnIEDiscriminator", "FUnIEDiscriminatorConfig"),
    "tiecnn": ("tiecnn", "TIECNN", "TIECNNConfig"),
    "unet_128": ("unet_generator", "UnetGenerator", "UnetGeneratorConfig"),
    "unet_256": (
        "unet_generator", "UnetGenerator", "UnetGeneratorConfig",
        {"widths": (64, 128, 256, 512, 512, 512, 512, 512)},
    ),
    "resnet_6blocks": (
        "resnet_generator", "ResnetGenerator", "ResnetGeneratorConfig", {"blocks": 6},
    ),
    "resnet_9blocks": ("resnet_generator", "ResnetGenerator", "ResnetGeneratorConfig"),
    "resnet_9blocks_cbam": (
        "resnet_generator", "ResnetGenerator", "ResnetGeneratorConfig", {"cbam": True},
    ),
    "cut_generator": (
        "resnet_generator", "ResnetGenerator", "ResnetGeneratorConfig", {"antialias": True},
    ),
    "patchgan": ("patchgan", "PatchGAN", "PatchGANConfig"),
    "cut_discriminator": ("patchgan", "PatchGAN", "PatchGANConfig", {"antialias": True}),
    "projection_head": ("projection_head", "ProjectionHead", "ProjectionHeadConfig"),
}  # fmt: skip


def build(name: str, **options) -> nn.Module:
    """A freshly initialised network; `options` are the fields of its configuration.

    Raises ValueError for an unknown name, TypeError for an unknown option.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; there are {', '.join(sorted(NETWORKS))}")
    module, network, config, *preset = NETWORKS[name]
    module = import_module(f"lib.networks.{module}")
    options = {**dict(*preset), **options}
    return getattr(module, network)(getattr(module, config)(**options))
