"""Metrics of every image for what no run holds: inputs, classical methods.

    tables/<paper>_<item>_images.csv     a line for each column and image: the metrics
    tables/<paper>_<item>_images.json    data, code, versions that they come from

A run keeps its own in `test_images.csv`. With both, `lib.verify` can compute every number again.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib.data.fingerprint import DataSet
from lib.files import write_text
from lib.paths import results_dir
from lib.provenance import code_hash, git_commit, module_closure
from lib.training.record import describe_device, versions


def store_images(
    profile: str, paper: str, item: str, names: Sequence[str],
    columns: Mapping[str, Mapping[str, np.ndarray]], data: DataSet, modules: Sequence[str],
) -> dict[str, dict[str, np.ndarray]]:
    """Store the metrics of each image and return them as stored, to 6 significant digits.

    What is computed from the returned values can be computed again from the file to the last
    digit. `names`: of the N images; `columns`: printed column -> metric -> (N,) values; `modules`:
    those of lib that the values depend on.
    """  # fmt: skip
    frames = {column: pd.DataFrame({"image": names, **metrics})
              for column, metrics in columns.items()}  # fmt: skip
    frame = pd.concat(frames, names=["column", None]).reset_index(level="column")
    path = _path(profile, paper, item)
    write_text(path, frame.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    record = {
        "dataset": data.name,
        "data": data.key,
        "data_fingerprint": data.fingerprint,
        "n_images": len(names),
        "modules": list(modules),
        "code_commit": git_commit(),
        "code_hash": modules_hash(modules),
        "device": describe_device(torch.device("cpu")),
        "versions": versions(),
    }
    write_text(path.with_suffix(".json"), json.dumps(record, indent=2) + "\n")
    stored = read_images(profile, paper, item)
    return {column: {metric: stored[column][metric].to_numpy() for metric in metrics}
            for column, metrics in columns.items()}  # fmt: skip


def read_images(profile: str, paper: str, item: str) -> dict[str, pd.DataFrame]:
    """Printed column -> metrics of each image, indexed by image; empty where none are stored."""
    path = _path(profile, paper, item)
    if not path.is_file():
        return {}
    frame = pd.read_csv(path, index_col="image")
    return {column: part.drop(columns="column")
            for column, part in frame.groupby("column", sort=False)}  # fmt: skip


def read_record(profile: str, paper: str, item: str) -> dict | None:
    """What the stored metrics come from, None where none are stored."""
    path = _path(profile, paper, item).with_suffix(".json")
    return json.loads(path.read_text()) if path.is_file() else None


def modules_hash(modules: Sequence[str]) -> str:
    """`code_hash` of everything that `modules` run on."""
    return code_hash({path for module in modules for path in module_closure(module)})


def _path(profile: str, paper: str, item: str) -> Path:
    return results_dir(profile) / "tables" / f"{paper}_{item}_images.csv"
