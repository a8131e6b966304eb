"""What is kept to save time, damaged: packs, digests of files, pretrained weights."""

import hashlib
import os
from pathlib import Path
from unittest import mock

import numpy as np
from hypothesis import strategies as st
from PIL import Image

from lib.data import fingerprint
from lib.data.packs import pack
from lib.networks import weights

from .drawing import damages, other_json
from .judging import Case, Probe

AREA = "caches, pretrained weights"
WEIGHT = 3
ARRAYS = {"train": np.arange(60, dtype=np.uint8).reshape(5, 12), "names": np.array(["a", "é"])}


def own_cache(place: Path) -> Path:
    os.environ["IR_CACHE"] = str(place / "cache")
    return place / "cache"


# ---- packs


def packed() -> dict[str, np.ndarray]:
    return pack("kind", ["key"], lambda: ARRAYS)


def same(found: dict[str, np.ndarray]) -> str:
    alike = found.keys() == ARRAYS.keys() and all(
        np.array_equal(found[name], ARRAYS[name]) for name in ARRAYS)
    return "" if alike else f"{found}"


def odd_pack(damage, file: str) -> Probe:
    name, change = damage

    def make(place: Path) -> Case:
        cache = own_cache(place)
        packed()
        (path,) = cache.rglob(file)
        path.write_bytes(change(path.read_bytes()))
        return Case(packed, (), same, good=True)

    return Probe(AREA, f"pack, {file}: {name}", make)


def odd_entry(name: str, put) -> Probe:
    def make(place: Path) -> Case:
        cache = own_cache(place)
        packed()
        (path,) = cache.rglob("train.npy")
        path.unlink()
        put(path)
        return Case(packed, ["train.npy", "kind-"], same)

    return Probe(AREA, f"pack, {name} as an array", make)


# ---- digests of files


def odd_digests(damage) -> Probe:
    """The fingerprint of files stays what it is, whatever stands in the cache of digests."""
    name, change = damage

    def make(place: Path) -> Case:
        cache, files = own_cache(place), [place / f"{k}.png" for k in range(3)]
        for k, file in enumerate(files):
            Image.new("L", (4, 4), k).save(file)
        before = fingerprint.of_files(files, place)
        path = cache / "fingerprints/digests.json"
        path.write_bytes(change(path.read_bytes()))
        return Case(lambda: fingerprint.of_files(files, place), (),
                    lambda now: "another fingerprint" if now != before else "", good=True)

    return Probe(AREA, f"digests: {name}", make)


# ---- pretrained weights

CONTENT = b"pretrained weights, as they are published" * 9
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def odd_weights(name: str, change, note: str | None = None, fetched: bytes | None = CONTENT) -> Probe:
    """A file of the cache that is not what is published: fetched again, or refused; never used."""

    def make(place: Path) -> Case:
        folder = own_cache(place) / "weights"
        folder.mkdir(parents=True)
        path = folder / "vgg16.safetensors"
        change(path)
        if note is not None:
            path.with_suffix(".sha256").write_bytes(note.encode("latin-1"))
        known = weights.Weights("a package", dict, DIGEST)

        def fetch(name: str) -> bytes:
            if fetched is None:
                raise weights.PretrainedUnavailable(f"no source has {name}; put it into {folder}")
            return fetched

        def resolve() -> bytes:
            with mock.patch.dict(weights.WEIGHTS, vgg16=known), \
                 mock.patch.object(weights, "_fetch", fetch):
                return weights.resolve("vgg16").read_bytes()

        return Case(resolve, ["vgg16", str(folder)],
                    lambda got: "" if got == CONTENT else "other weights are used")

    return Probe(AREA, f"weights, {name}, note {note!r}{', no network' * (fetched is None)}", make)


def written(damage):
    return lambda path: path.write_bytes(damage(CONTENT))


ODD = {"a folder": Path.mkdir, "a FIFO": os.mkfifo, "no bytes": Path.touch,
       "a dangling link": lambda path: path.symlink_to("nowhere"),
       "a link to itself": lambda path: path.symlink_to(path),
       "not there": lambda path: None}
NOTES = ("", "\xff\xfe", DIGEST, DIGEST.upper(), "0" * 64)
drawn = st.one_of(
    st.builds(odd_pack, damages(), st.sampled_from(["train.npy", "names.npy", "SHA256.json"])),
    st.builds(odd_pack, other_json(), st.just("SHA256.json")),  # its list, of another shape
    st.builds(odd_digests, other_json()),
    st.builds(odd_digests, damages()),
    st.builds(lambda damage, note, fetched: odd_weights(
        damage[0], written(damage[1]), note, fetched), damages(),
        st.none() | st.sampled_from(NOTES), st.sampled_from([CONTENT, None])),
)
listed = [
    *(odd_weights(name, put, note, fetched) for name, put in ODD.items()
      for note in (None, "\xff\xfe") for fetched in (CONTENT, None)),
    *(odd_entry(name, put) for name, put in ODD.items()),
]
