"""The record of a run, `run.json`, and what lies beside it.

    run.json              configuration, code, data, machine, length, metrics on the test images
    history.csv           losses and validation metrics along the way
    test_images.csv       metrics of every test image
    samples.png           input, output, reference of the first test images
    weights.safetensors   the generator
"""

import json
import platform
import resource
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from safetensors.torch import save_file

from lib.evaluation.enhancement import Evaluation
from lib.files import write_atomically, write_text

PACKAGES = ("torch", "torchvision", "numpy", "scikit-image", "opencv-contrib-python-headless")
SAMPLES = 6


def versions() -> dict[str, str]:
    """Python's version and those of the packages that numbers depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except ImportError:  # e.g. a GPU machine with another OpenCV build
            found[package] = "not installed"
    return found


def describe_device(device: torch.device) -> str:
    """The device as a reader would name it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu, {torch.get_num_threads()} threads, {platform.machine()}"


def peak_memory_mb(device: torch.device) -> int:
    """Peak memory of this process so far, in MiB: on the GPU where it trains, else resident."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) // 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 2**10


def read(folder: Path) -> dict | None:
    """The record in a run's folder, None where there is none."""
    path = folder / "run.json"
    return json.loads(path.read_text()) if path.is_file() else None


def write(folder: Path, record: dict, generator: torch.nn.Module, test: Evaluation) -> None:
    """Write weights, samples and metrics, and last the record that vouches for them."""
    weights = {key: value.cpu().contiguous() for key, value in generator.state_dict().items()}
    write_atomically(
        folder / "weights.safetensors", lambda temporary: save_file(weights, temporary)
    )
    samples = _samples(test)
    write_atomically(folder / "samples.png", lambda temporary: samples.save(temporary, "PNG"))
    write_text(folder / "test_images.csv", _per_image(test))
    write_text(folder / "run.json", json.dumps(record, indent=2) + "\n")


def _samples(test: Evaluation) -> Image.Image:
    rows = [images[:SAMPLES] for images in (test.inputs, test.outputs, test.references)]
    if test.inputs.ndim == 4:  # visible images have colours; infrared ones are then shown so too
        rows = [r if r.ndim == 4 else np.repeat(r[..., None], 3, axis=-1) for r in rows]
    return Image.fromarray(np.vstack([np.hstack(list(row)) for row in rows]))


def _per_image(test: Evaluation) -> str:
    frame = pd.DataFrame({"image": test.names, **test.metrics})
    return frame.to_csv(index=False, float_format="%.6g", lineterminator="\n")


def settings(config) -> dict:
    """A configuration dataclass as plain JSON values."""
    return json.loads(json.dumps(asdict(config)))
