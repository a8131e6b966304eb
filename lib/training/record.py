"""What is kept of a run, and whether it is whole.

    run.json              configuration, identities, data, machine, length, metrics, checksums
    history.csv           losses and validation metrics along the way
    test_images.csv       metrics of every test image
    samples.png           input, output, reference of the example images
    attention.npz         of networks with cross-level attention: its maps for the example images
    weights.safetensors   the generator, its weights averaged along the way, and as they stood at
                          the last step in last_weights.safetensors; neither is published

run.json is written last and holds the SHA-256 of the others: what does not agree with it is damage.
"""

import io
import json
import os
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save
from torch import nn

from lib.evaluation.judge import Evaluation
from lib.files import sha256, write_atomically, write_text

WEIGHTS, LAST_WEIGHTS = STORED_WEIGHTS = ("weights.safetensors", "last_weights.safetensors")
TRAINED = (*STORED_WEIGHTS, "history.csv")  # what only training makes
# the form of run.json: {str: kind} has these fields, {str} any fields of that kind, [str] a list
IDENTITY = {"code": str, "configuration": str, "data": str}
FORM = {
    "experiment": str, "profile": str, "seed": int, "status": str, "trained": str, "steps": int,
    "dataset": str, "data_fingerprint": str, "n_images": int, "metrics": {float}, "examples": [str],
    "trained_by": {str}, "evaluated_by": IDENTITY, "code_commit": str, "evaluated_at_commit": str,
    "config": {"precision": str, "experiment": {"title": str}}, "files": {str}, "device": str,
    "versions": {str}, "not_measured": str,
}
OF_SOME = {  # where they are there
    "definitions": {"trained": {str}, "evaluated": {str}}, "weights": str, "unpublished": {str},
    "pretrained_weights": {str}, "checkpoint_rule": str, "steps_total": int, "wall_time_s": float,
    "peak_memory_mb": int,
}
ROWS = ("input", "output", "reference")
STRIP = 14  # pixels above each row of a sheet, for its label


class Damaged(ValueError):
    """A file of a run is not what it was when it was written; the message names it."""


def read(folder: Path) -> dict | None:
    """The record in a run's folder, None where there is none. Raises Damaged where it is there and
    cannot be read, or is not in today's form."""
    path = folder / "run.json"
    if not path.is_file():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise Damaged(f"{path} is damaged ({error})") from None
    lacks = sorted(FORM.keys() - record.keys()) if isinstance(record, dict) else ["everything"]
    if lacks:
        raise Damaged(f"{path} is damaged or of an older kit (it lacks {', '.join(lacks)})")
    form = FORM | {key: kind for key, kind in OF_SOME.items() if key in record}
    if "weights" not in record:
        form |= {"trained_by": IDENTITY}
    if odd := [key for key, kind in form.items() if not _fits(record[key], kind)]:
        raise Damaged(f"{path} is damaged ({', '.join(odd)}: of another form)")
    return record


def _fits(value, kind) -> bool:
    """Whether a JSON value is of a kind, as in FORM."""
    if isinstance(kind, dict):
        return isinstance(value, dict) and all(
            key in value and _fits(value[key], its) for key, its in kind.items())
    if isinstance(kind, set):
        return isinstance(value, dict) and all(_fits(one, *kind) for one in value.values())
    if isinstance(kind, list):
        return isinstance(value, list) and all(_fits(one, *kind) for one in value)
    if kind is float:  # a whole one will do
        kind = int | float
    return isinstance(value, kind) and not isinstance(value, bool)


def damage(folder: Path, record: dict, only: Collection[str] = (),
           without: Collection[str] = ()) -> str | None:
    """The first file of a run that is gone or altered, in words; None where all are whole. All that
    the record vouches for are looked at: or `only` these, or those `without` some."""
    for name, digest in record["files"].items():
        if name in (only or record["files"]) and name not in without:
            if not (folder / name).is_file():
                return f"{name} is missing"
            if sha256(folder / name) != digest:
                return f"{name} is damaged"
    return None


def write_weights(path: Path, generator: nn.Module) -> None:
    """Store a generator."""
    weights = {key: value.cpu().contiguous() for key, value in generator.state_dict().items()}
    # not save_file: it puts a file in the place of what it is given, and knows errors of its own
    write_atomically(path, lambda part: part.write_bytes(save(weights)))


def fill(generator: nn.Module, weights: Path) -> nn.Module:
    """Put weights that were just written into a generator; returns it, ready to evaluate."""
    generator.load_state_dict(load_file(weights))
    return generator.eval()


def load_weights(folder: Path, record: dict, generator: nn.Module) -> nn.Module:
    """`fill` from a run. Raises Damaged where the weights are not those it was recorded with, or
    not there at all, as in a published run."""
    wrong = damage(folder, record, only=[WEIGHTS])
    if wrong or WEIGHTS not in record["files"]:
        raise Damaged(f"{folder}: {wrong or f'{WEIGHTS} was not published'}")
    return fill(generator, folder / WEIGHTS)


def is_complete(folder: Path) -> bool:
    """Whether a whole run that came to its end is there, whatever made it."""
    try:
        known = read(folder)
    except Damaged:
        return False
    return bool(known) and known["status"] == "complete" and not damage(folder, known)


def write(work: Path, folder: Path, record: dict, test: Evaluation, examples: list[int],
          attention: dict[str, np.ndarray]) -> None:
    """Write what an evaluation gave into `work`, and the record that vouches for it.

    `examples`: positions of the test images that are kept as images; `attention`: arrays to keep.
    What was not made anew (weights and history, where nothing was trained) lies in `folder`.
    """
    metrics = pd.DataFrame({"image": test.names, **test.metrics})
    write_text(work / "test_images.csv",
               metrics.to_csv(index=False, float_format="%.6g", lineterminator="\n"))
    sheet = _sheet([images[examples] for images in (test.inputs, test.outputs, test.references)])
    write_atomically(work / "samples.png", lambda path: sheet.save(path, "PNG"))
    made = ["test_images.csv", "samples.png"]
    if attention:
        packed = io.BytesIO()  # np.savez gives a file another name
        np.savez_compressed(packed, **attention)
        write_atomically(work / "attention.npz", lambda path: path.write_bytes(packed.getvalue()))
        made.append("attention.npz")
    trained = TRAINED if record["steps"] and "weights" not in record else ()
    files = {name: work / name if (work / name).is_file() else folder / name
             for name in (*made, *trained)}
    record["examples"] = [test.names[k] for k in examples]
    record["files"] = {name: sha256(path) for name, path in files.items()}
    write_text(work / "run.json", json.dumps(record, indent=1) + "\n")


def install(work: Path, folder: Path) -> None:
    """Move what was made in `work` to where it is read, the record last."""
    names = json.loads((work / "run.json").read_text(encoding="utf-8"))["files"]
    for name in (*names, "run.json"):
        if (work / name).is_file():
            os.replace(work / name, folder / name)


def read_samples(folder: Path, n_images: int) -> dict[str, np.ndarray]:
    """The images of samples.png, bytes: input (n, H, W) or RGB (n, H, W, 3), output, reference."""
    sheet = np.asarray(Image.open(folder / "samples.png"))
    size = sheet.shape[1] // n_images
    images = {}
    for k, row in enumerate(ROWS):
        top = k * (size + STRIP) + STRIP
        images[row] = np.stack(np.split(sheet[top : top + size], n_images, axis=1))
        if images[row].ndim == 4 and row != "input":  # infrared in a sheet with colours
            images[row] = images[row][..., 0]
    return images


def _sheet(rows: list[np.ndarray]) -> Image.Image:
    """The images of each row side by side, under a strip that says what they are."""
    n_images, size = rows[0].shape[:2]
    colour = any(images.ndim == 4 for images in rows)
    shape = (n_images * size, len(rows) * (STRIP + size))
    sheet = Image.new("RGB" if colour else "L", shape, "white")
    for k, (label, images) in enumerate(zip(ROWS, rows, strict=True)):
        top = k * (STRIP + size)
        ImageDraw.Draw(sheet).text((3, top + 1), label, fill="black")
        sheet.paste(Image.fromarray(np.hstack(list(images))), (0, top + STRIP))
    return sheet
