"""Make the weights that come with the kit from a trained run.

    python -m lib.own_images.ship results/laptop/runs/C5-wide/seed0 --data DIR

Writes data/weights/NAME.safetensors, the generator in half precision, and NAME.json, where it comes
from and what it is good for.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lib.data import catalogue, sources
from lib.data.enhancement import EnhancementData
from lib.data.tensors import rgb_tensor, to_device, to_unit
from lib.files import sha256, write_atomically, write_text
from lib.networks.two_d_gan import TwoDGANConfig
from lib.own_images import shipped
from lib.own_images.tone import Tone
from lib.paths import data_root
from lib.training import record
from lib.training.experiments import RunConfig, resolve
from lib.training.protocol_share import protocol_share
from lib.training.recipes.untrained import tone_regression
from lib.training.run import load, load_generator
from lib.training.status import to_do

NAMES = {"shipped-2dgan": "2dgan", "shipped-gn_cyclegan": "gn_cyclegan", "C5-wide": "2dgan",
         "GN_CycleGAN-FLIR": "gn_cyclegan"}
HALF = torch.float16  # three bits finer than bf16, and no weight here is large
MOST_DIFFERENCE = 0.5  # grey levels, on average, between half and full precision
COMPARED = 20  # training images on which it is measured
MOST_BYTES = 20e6  # of all shipped weights
FROM_RECORD = ("experiment", "profile", "seed", "steps", "dataset", "data_fingerprint",
               "n_images", "code_commit")


def ship(
    folder: Path, name: str = "", data: Path | None = None, out: Path = shipped.FOLDER
) -> Path:
    """Write the weights of a run and what is known of them; returns the path of the latter.

    folder: of a complete run that today's code and the data under `data` would make again as it is.

    Raises ValueError for any other run, for a network that cannot be used on images of any size,
    and where half precision changes the result by half a grey level or more.
    """
    known = record.read(folder)
    if known is None:
        raise ValueError(f"{folder} holds no run")
    config = resolve(known["experiment"], known["profile"], known["seed"])
    kind = config.experiment.network
    if kind is None:
        raise ValueError(f"{folder}: {known['experiment']} has no network of its own")
    root = data_root(data)
    described = catalogue.describe(config.experiment.data, root)
    todo = to_do(folder, config, described)
    if todo.what != "nothing":
        raise ValueError(f"{folder}: {todo.why}; python -m lib.train --experiment "
                         f"{config.experiment.name} --profile {config.profile} --seed {config.seed}"
                         " makes it again")
    network, images = load_generator(folder), load(config, root)
    enhances = isinstance(images, EnhancementData)
    if enhances and not (isinstance(kind, TwoDGANConfig) and kind.attention != "multi_head"):
        raise ValueError(f"{folder}: only a 2D-GAN without attention over the whole image can be "
                         "used in tiles")
    name = name or NAMES.get(known["experiment"], known["experiment"].lower())
    weights = {key: value.to(HALF) if value.is_floating_point() else value
               for key, value in network.state_dict().items()}
    difference = _difference(network, weights, images)
    if not difference < MOST_DIFFERENCE:
        raise ValueError(f"{folder}: half precision changes the result by {difference:.2f} grey "
                         "levels on average")
    dataset = known["dataset"]
    source = described.root and sources.read().get(described.root.name)
    terms = source.licence if source else "images of this kit, see data/README.md"
    about = {
        "task": shipped.ENHANCEMENT if enhances else shipped.TRANSLATION,
        **{key: known[key] for key in FROM_RECORD},
        "trained": protocol_share(known),
        "metrics": {key: value for key, value in known["metrics"].items()
                    if not key.startswith("last ")},  # of other weights
        "title": config.experiment.title,
        "licence": "The kit's MIT licence covers its code. These weights were trained on "
                   f"{dataset}; the source's terms: {terms}. Mind these when you use the weights.",
        "limits": _limits(config, dataset, enhances),
        "network": shipped.settings(network),
        "half_precision": {"format": str(HALF).removeprefix("torch."),
                           "mean_difference_in_grey_levels": difference},
    }
    if enhances:
        about["tone"] = asdict(Tone.of(images.train.degraded))
        about["tone_map"] = tone_regression(images.train).tolist()
    others = [file for file in out.glob("*.safetensors") if file.stem != name]
    size = sum(file.stat().st_size for file in others) + sum(w.nbytes for w in weights.values())
    if size > MOST_BYTES:
        raise ValueError(f"{folder}: with {name} all shipped weights would be {size / 1e6:.1f} MB; "
                         f"a repository should carry {MOST_BYTES / 1e6:.0f} at most")
    path = write_atomically(out / f"{name}.safetensors", lambda part: save_file(weights, part))
    about["sha256"] = sha256(path)
    return write_text(out / f"{name}.json", json.dumps(about, indent=1) + "\n")


@torch.inference_mode()
def _difference(network: nn.Module, weights: dict[str, Tensor], images) -> float:
    """Mean absolute difference in grey levels between a network and its rounded copy."""
    cpu = torch.device("cpu")
    if isinstance(images, EnhancementData):
        inputs = to_device(images.train.degraded[:COMPARED], cpu)
    else:
        inputs = rgb_tensor(images.visible[images.split["train"][:COMPARED]], cpu)
    rounded = shipped.build(shipped.settings(network))
    rounded.load_state_dict(weights)
    rounded.eval()
    return float(np.mean([(network(x) - rounded(x)).abs().mean().item() * 127.5
                          for x in to_unit(inputs).split(1)]))


def _limits(config: RunConfig, dataset: str, enhances: bool) -> list[str]:
    """What a user has to know before trusting a result."""
    size = config.scale.image_size
    limits = [f"trained and tested on images of {size}x{size} pixels"]
    if config.scale.width_divisor > 1:
        limits.append(f"1/{config.scale.width_divisor} of the paper's channels")
    if enhances:
        return limits + [
            "trained on photographs that were made dim and noisy by computation, not on recorded "
            "infrared images; what it adds looks natural and need not be there",
            "results are pictures to look at: no longer counts or temperatures",
        ]
    return limits + [
        f"what looks warm is guessed from the scenes of {dataset}: no measurement",
        "depends on the whole image, so that a part of it, cut out, is translated otherwise",
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lib.own_images.ship",
                                     description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="e.g. results/laptop/runs/C5-wide/seed0")
    parser.add_argument("--name", default="", help="what --method will call it; default: 2dgan or "
                        "gn_cyclegan for what ships, else the experiment's name")
    parser.add_argument("--data", type=Path, help="data root; default $IR_DATA, else data/")
    parser.add_argument("--out", type=Path, default=shipped.FOLDER, help="default data/weights")
    options = parser.parse_args(arguments)
    try:
        path = ship(options.run, options.name, options.data, options.out)
    except (ValueError, OSError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    about = json.loads(path.read_text(encoding="utf-8"))
    size = path.with_suffix(".safetensors").stat().st_size
    print(f"{path}: {size / 1e6:.2f} MB, half precision changes "
          f"{about['half_precision']['mean_difference_in_grey_levels']:.3f} grey levels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
