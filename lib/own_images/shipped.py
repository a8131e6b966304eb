"""The weights that come with the kit: `data/weights/NAME.safetensors` and NAME.json beside it.

NAME is what `--method` calls them. The JSON says which run they are of, how good they are and what
they are not for, and has the settings that build the network; `lib.own_images.ship` writes both.
"""

import json
from dataclasses import fields
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from lib.files import sha256
from lib.networks import NETWORKS
from lib.paths import REPO

FOLDER = REPO / "data" / "weights"
ENHANCEMENT, TRANSLATION = "enhancement", "translation"
KEYS = {"task", "network", "sha256", "limits"}  # besides what only readers want


def names(task: str, folder: Path) -> list[str]:
    """What is shipped for a task, sorted."""
    there = sorted(path.stem for path in folder.glob("*.json"))
    return [name for name in there if about(name, folder)["task"] == task]


def about(name: str, folder: Path) -> dict:
    """What is known of shipped weights. Raises ValueError for a damaged file, or another."""
    path = folder / f"{name}.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error})") from None
    if lacking := KEYS - (known.keys() if isinstance(known, dict) else set()):
        raise ValueError(f"{path} is not what lib.own_images.ship writes: it lacks "
                         f"{', '.join(sorted(lacking))}")
    return known


@lru_cache(maxsize=4)
def load(name: str, folder: Path, device: torch.device, checksum: str) -> nn.Module:
    """Shipped weights in their network, in full precision, ready to evaluate.

    checksum: theirs as `about` has it, so that others of the same name are not taken for them.
    Raises FileNotFoundError where there are none, ValueError where they or what is known of them
    are damaged.
    """
    known, path = about(name, folder), folder / f"{name}.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"no weights are shipped for {name!r}: {path} is missing")
    if sha256(path) != checksum:
        raise ValueError(f"{path} is damaged, or of another network than {name}.json tells of")
    network = build(known["network"])
    network.load_state_dict(load_file(path))  # half precision into single
    # channels last is faster, but not for the group norm of the generators that translate
    layout = torch.channels_last if known["task"] == ENHANCEMENT else torch.contiguous_format
    return network.eval().to(device, memory_format=layout)


def build(settings: dict) -> nn.Module:
    """A network from its settings; one that they do not know yet has its default. Raises ValueError
    where this kit has no network like it."""
    kinds = {config.__name__: (network, config) for network, config, _ in NETWORKS.values()}
    kind = settings.get("kind")
    network, config = kinds.get(kind, (None, None))
    if network is None or settings.keys() - {"kind"} - {field.name for field in fields(config)}:
        raise ValueError(f"this kit has no network with the settings of a {kind}")
    values = {name: tuple(value) if isinstance(value, list) else value
              for name, value in settings.items() if name != "kind"}
    return network(config(**values))
