"""Make the weights that come with the kit from a trained run.

    python -m lib.own_images.ship results/laptop/runs/C5-wide/seed0 --data DIR

Writes data/weights/NAME.safetensors, the generator, and NAME.json, where it comes from and what it
is good for.
"""

import argparse
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from lib.data import catalogue, sources
from lib.files import write_atomically, write_text
from lib.networks.two_d_gan import TwoDGANConfig
from lib.own_images import shipped
from lib.own_images.tone import Tone
from lib.paths import data_root
from lib.training import record
from lib.training.experiments import RunConfig, resolve
from lib.training.identity import settings
from lib.training.protocol_share import protocol_share
from lib.training.recipes.untrained import tone_regression
from lib.training.run import load, make_generator
from lib.training.status import to_do

NAMES = {"shipped-2dgan": "2dgan", "shipped-gn_cyclegan": "gn_cyclegan", "C5-wide": "2dgan",
         "GN_CycleGAN-FLIR": "gn_cyclegan"}
MOST_BYTES = 20e6  # of all shipped weights
FROM_RECORD = ("experiment", "profile", "seed", "steps", "dataset", "data_fingerprint",
               "n_images", "code_commit")


def ship(
    folder: Path, name: str = "", data: Path | None = None, out: Path = shipped.FOLDER
) -> Path:
    """Write the weights of a run and what is known of them; returns the path of the latter.

    folder: of a complete run that today's code and the data under `data` would make again as it is.

    Raises ValueError for any other run, and for a network that needs images of one size or that
    `shipped.build` would not make of its settings.
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
    enhances = config.experiment.paper == "2dgan"
    if enhances and not (isinstance(kind, TwoDGANConfig) and kind.attention != "multi_head"):
        raise ValueError(f"{folder}: only a 2D-GAN without attention over the whole image can be "
                         "used in tiles")
    if type(make_generator(config)) is not type(shipped.build(settings(kind))):
        raise ValueError(f"{folder}: the network of {known['experiment']} is told by its recipe, "
                         "and its settings alone would build another")
    name = name or NAMES.get(known["experiment"], known["experiment"].lower())
    weights = folder / record.WEIGHTS
    others = [file for file in out.glob("*.safetensors") if file.stem != name]
    if (size := sum(file.stat().st_size for file in (*others, weights))) > MOST_BYTES:
        raise ValueError(f"{folder}: with {name} all shipped weights would be {size / 1e6:.1f} MB; "
                         f"a repository should carry {MOST_BYTES / 1e6:.0f} at most")
    dataset = known["dataset"]
    terms = "images of this kit, see data/README.md"
    if sources.OF_YOUR_OWN in described.name:
        terms = "these images are your own"
    elif described.root:
        terms = sources.read()[described.root.name].licence
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
        "network": settings(kind),
        "sha256": known["files"][record.WEIGHTS],
    }
    if enhances:
        train = load(config, root).train
        about["tone"] = asdict(Tone.of(train.degraded))
        about["tone_map"] = tone_regression(train).tolist()
    write_atomically(out / f"{name}.safetensors", lambda part: shutil.copyfile(weights, part))
    return write_text(out / f"{name}.json", json.dumps(about, indent=1) + "\n")


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
            "in flat areas the network's grid of 16 pixels can show as straight steps",
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
    print(f"{path}: {path.with_suffix('.safetensors').stat().st_size / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
