"""ImageNet folders, the embedded photographs, their splits, the packs and the fingerprints."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from lib.data import degradation, enhancement, fingerprint, imagenet, natural, packs, splits
from lib.data.catalogue import DATA_SETS, describe, load
from lib.data.fingerprint import of_files
from lib.data.splits import SPLITS
from lib.paths import cache_dir, data_root
from lib.provenance import definitions
from made_runs import put

pytestmark = pytest.mark.usefixtures("own_cache")
REAL = data_root()
needs_imagenet = pytest.mark.skipif(
    not (REAL / "imagenet").is_dir(), reason="ImageNet is not there"
)


@pytest.fixture
def root(tmp_path):
    """A small ImageNet-like folder: 7 + 10 images of several sizes and kinds, in subfolders."""
    rng = np.random.default_rng(0)
    for part, n in (("train", 7), ("val", 10)):
        for i in range(n):
            path = tmp_path / f"imagenet/{part}/n{i % 2}/{i}.{('JPEG', 'png')[i % 2]}"
            path.parent.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
            coarse.resize((40 + i, 60 - i)).save(path)
    return tmp_path


# Fingerprints


def test_fingerprint_depends_on_names_and_contents_only(tmp_path):
    def make(folder, files):
        put(tmp_path / folder, files)
        return of_files([tmp_path / folder / name for name in files], tmp_path / folder)

    original = make("a", {"x/1": "one", "2": "two"})
    assert make("b", {"2": "two", "x/1": "one"}) == original  # other folder, other order
    assert make("c", {"x/1": "one", "3": "two"}) != original
    assert make("d", {"x/1": "two", "2": "one"}) != original
    assert make("e", {"x/1": "one"}) != original
    assert len(original) == 64


def test_fingerprint_notices_a_change_after_it_was_cached(tmp_path):
    path = tmp_path / "a"
    path.write_text("one")
    before = of_files([path], tmp_path)
    assert of_files([path], tmp_path) == before
    path.write_text("two")
    os.utime(path, ns=(1, 1))  # same size; a file system may have a coarse clock
    assert of_files([path], tmp_path) != before


def test_fingerprint_reads_a_file_once(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("one")
    before = of_files([path], tmp_path)
    monkeypatch.setattr(fingerprint, "sha256", lambda path: pytest.fail("read again"))
    assert of_files([path], tmp_path) == before


@pytest.mark.parametrize("odd", [b"", b"{", b"[]", b"3", b"null", b"\xff\xfe{"])
def test_fingerprint_survives_an_odd_cache(tmp_path, odd):
    path = tmp_path / "a"
    path.write_text("one")
    before = of_files([path], tmp_path)
    cache = cache_dir("fingerprints") / "digests.json"
    known = json.loads(cache.read_text())
    cache.write_bytes(odd)
    assert of_files([path], tmp_path) == before
    assert json.loads(cache.read_text()) == known  # it is whole again


def test_fingerprint_names_the_file_that_is_missing(tmp_path):
    with pytest.raises(ValueError, match="gone.jpg"):
        of_files([tmp_path / "gone.jpg"], tmp_path)


# The catalogue


def test_unknown_key_split_and_root(tmp_path):
    for call in (describe, lambda key, root: load(key, root, 32)):
        with pytest.raises(ValueError, match="unknown data set 'mnist'; there are enhancement, "):
            call("mnist", tmp_path)
        with pytest.raises(FileNotFoundError, match="nowhere"):
            call("enhancement", tmp_path / "nowhere")
    with pytest.raises(ValueError, match="tests"):
        load("enhancement", tmp_path, 32, {"tests": 3})


def test_each_loader_can_be_traced_to_what_it_alone_runs_on():
    loaders = {key: set(definitions(source.load)) for key, source in DATA_SETS.items()}
    own = {
        "enhancement": "lib.data.enhancement.load",
        "enhancement_wide": "lib.data.degradation.WIDE", "flir": "lib.data.pairs.load_flir",
        "osu": "lib.data.pairs.load_osu", "msrs": "lib.data.pairs.MSRS",
        "flir_infrared": "lib.data.infrared.load_flir",
        "osu_infrared": "lib.data.infrared.load_osu",
        "sober_drunk_by_frame": "lib.data.splits.by_frame",
        "sober_drunk_recorded": "lib.data.faces.load_recorded",
    }
    assert own.keys() == loaders.keys() - {"sober_drunk"}
    for key, name in own.items():
        assert [other for other in loaders if name in loaders[other]] == [key]
    assert loaders["sober_drunk"] < loaders["sober_drunk_recorded"]  # by another reading of it
    assert "lib.data.pairs.LLVIP" in loaders["osu_infrared"] - loaders["flir_infrared"]


# Packs


def arrays():
    return {"names": np.array(["a", "bcd"]), "images": np.arange(15, dtype=np.uint8).reshape(3, 5),
            "features": np.linspace(0, 1, 7, dtype=np.float32)[::2]}


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)


def test_a_pack_is_made_once_and_for_its_key():
    made = []

    def make():
        made.append(1)
        return arrays()

    for key in ([1, "a"], [1, "a"], [1, "b"]):
        assert_same(packs.pack("some", key, make), arrays())
    assert len(made) == 2
    assert_same(packs.pack("other", [1, "a"], make), arrays())
    assert len(made) == 3
    files = sorted(path.name.partition("-")[0] for path in cache_dir("packs").iterdir())
    assert files == ["other", "some", "some"]  # no temporary file is left


def test_writing_to_a_packs_arrays_leaves_the_file_alone():
    packs.pack("some", [], arrays)["images"][:] = 7
    assert_same(packs.pack("some", [], lambda: pytest.fail("made again")), arrays())


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[:-1], lambda whole: whole[:10], lambda whole: b"",
        lambda whole: whole + b" ", lambda whole: whole[:-1] + bytes([whole[-1] ^ 1]),
    ],
)
@pytest.mark.parametrize("name", ["images.npy", "SHA256.json"])
def test_a_damaged_pack_is_named_and_made_again(damage, name, capsys):
    packs.pack("some", [], arrays)
    (folder,) = cache_dir("packs").iterdir()
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(damage(whole))
    assert_same(packs.pack("some", [], arrays), arrays())
    told = f"{folder} is damaged and is made again\n"
    harmless = name == "SHA256.json" and damage(whole) == whole + b" "
    assert capsys.readouterr().out == ("" if harmless else told)
    assert_same(packs.pack("some", [], lambda: pytest.fail("made again")), arrays())
    assert not capsys.readouterr().out


def test_a_pack_that_was_not_finished_is_made(capsys):
    packs.pack("some", [], arrays)
    (folder,) = cache_dir("packs").iterdir()
    (folder / "SHA256.json").unlink()
    assert_same(packs.pack("some", [], arrays), arrays())
    assert not capsys.readouterr().out


# ImageNet


def test_names_tell_what_was_used(root, tmp_path_factory):
    assert imagenet.describe(root).name == "ImageNet subset (7 train, 10 val)"
    assert describe("enhancement", root).name == "17 images of your own"  # not known to be those
    nothing = tmp_path_factory.mktemp("nothing")
    default = describe("enhancement", nothing)
    assert (default.name, default.root) == ("embedded natural images", None)
    assert len(default.fingerprint) == 64


def test_larger_folders_are_cut_in_hash_order(root, monkeypatch):
    everything = list(imagenet.list_files(root))
    monkeypatch.setattr(imagenet, "COUNTS", {"train": 3, "val": 4})
    fewer = list(imagenet.list_files(root))
    assert fewer == everything[:3] + everything[7:11]
    assert imagenet.describe(root).name == "ImageNet-5504"  # all that was asked for


def test_read_grey_takes_the_centre_square_as_luma(tmp_path):
    picture = np.zeros((20, 40, 3), np.uint8)
    picture[:, :10] = picture[:, 30:] = 255  # outside the centre square
    picture[:, 10:30] = (200, 100, 50)
    luma = round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)
    for turned in (picture, picture.transpose(1, 0, 2)):
        Image.fromarray(turned).save(tmp_path / "a.png")
        assert np.array_equal(imagenet.read_grey(tmp_path / "a.png", 8), np.full((8, 8), luma))


def test_read_grey_resizes_without_aliasing(tmp_path):
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    Image.fromarray(stripes).save(tmp_path / "a.png")
    small = imagenet.read_grey(tmp_path / "a.png", 16).astype(int)
    assert np.abs(small[:, 2:-2] - 127).max() <= 2


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"text"])
def test_broken_image_is_named(root, damage):
    path = root / "imagenet/train/n0/4.JPEG"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="4.JPEG cannot be read"):
        load("enhancement", root, 32)


def test_half_a_layout_is_an_error_not_a_fallback(root):
    (root / "imagenet/val").rename(root / "imagenet/validation")
    for call in (describe, lambda key, root: load(key, root, 32)):
        with pytest.raises(ValueError, match="imagenet/val holds no JPEG or PNG"):
            call("enhancement", root)


def test_division_by_hash_rule():
    names = [f"{part}/{i}.jpg" for part in ("train", "val") for i in range(50)]
    split = splits.by_hash(names)
    assert split == splits.by_hash(reversed(names))
    counts = {s: list(split.values()).count(s) for s in set(split.values())}
    assert counts == {"train": 50, "validation": 10, "test": 40}
    gone = next(name for name in names if split[name] == "validation")
    fewer = splits.by_hash(names, [gone])
    assert fewer[gone] == "excluded" and list(fewer.values()).count("validation") == 10
    moved = {name for name in names if fewer[name] != split[name]} - {gone}
    assert len(moved) == 1  # one of test takes the place
    with pytest.raises(ValueError, match="at least 2"):
        splits.by_hash(["train/a.jpg", "val/a.jpg"])


def test_stored_splits_obey_the_rule():
    rows = splits.read("imagenet")
    stored = {name: row["split"] for name, row in rows.items()}
    excluded = {name for name, row in rows.items() if row["reason"]}
    assert len(stored) == 5504 and all(name.startswith("val/") for name in excluded)
    assert stored == splits.by_hash(stored, excluded)
    assert excluded == imagenet.stored_twins(stored)
    counts = [list(stored.values()).count(s) for s in (*SPLITS, "excluded")]
    assert counts == [5004, 100, 398, 2]


def test_twins_that_the_stored_split_lists_are_left_out_and_count_as_other_data(
    root, monkeypatch
):
    before, whole = load("enhancement", root, 32), describe("enhancement", root)
    twin, stored = before.test.names[0], {"val/none.jpg": {"split": "excluded"}}
    monkeypatch.setattr(splits, "read", lambda name: stored)
    assert describe("enhancement", root) == whole  # none of it applies
    stored[twin] = {"split": "excluded"}
    after = load("enhancement", root, 32)
    assert after.test.names == before.test.names[1:]
    assert after.fingerprint == describe("enhancement", root).fingerprint != whole.fingerprint


@needs_imagenet
def test_the_stored_split_names_the_real_images():
    if imagenet.describe(REAL).name != "ImageNet-5504":
        pytest.skip("another ImageNet than the one the stored splits are of")
    assert set(imagenet.list_files(REAL)) == set(splits.read("imagenet"))


# Embedded photographs


def test_embedded_splits_share_no_photograph():
    files = [set(natural.SOURCES[split]) for split in SPLITS]
    assert len(set.union(*files)) == sum(map(len, files))
    for split in SPLITS:
        names = natural.crop_names(split)
        assert len(set(names)) == len(names) == natural.COUNTS[split]
        assert {name.split("/")[0] for name in names} == set(natural.SOURCES[split])


def test_embedded_crops_depend_on_their_name_only():
    name = natural.crop_names("test")[5]
    first = natural.crop(name, 64)
    natural.crop(natural.crop_names("train")[3], 64)
    assert np.array_equal(natural.crop(name, 64), first)
    assert first.shape == (64, 64) and first.dtype == np.uint8
    crops = [natural.crop(name, 32) for name in natural.crop_names("train", 80)]
    assert len({crop.tobytes() for crop in crops}) == 80
    assert min(crop.std() for crop in crops) > 10


def test_missing_photograph_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setitem(natural.SOURCES, "test", ("ghost",))
    with pytest.raises(ValueError, match="ghost is missing: install scikit-image"):
        describe("enhancement", tmp_path)


# Pairs


def test_load_of_a_folder(root):
    data = load("enhancement", root, 32)
    assert [len(getattr(data, s).names) for s in SPLITS] == [7, 2, 8]
    names = [name for s in SPLITS for name in getattr(data, s).names]
    assert len(set(names)) == 17
    for pairs in (data.train, data.validation, data.test):
        assert pairs.reference.shape == pairs.degraded.shape == (len(pairs.names), 32, 32)
        for i, name in enumerate(pairs.names):
            expected = imagenet.read_grey(root / "imagenet" / name, 32)
            assert np.array_equal(pairs.reference[i], expected)
            assert np.array_equal(pairs.degraded[i], degradation.degrade(expected, name))


@pytest.mark.parametrize("embedded", [False, True])
def test_fewer_are_a_subset_of_more(root, tmp_path_factory, embedded):
    place = tmp_path_factory.mktemp("empty") if embedded else root
    few = load("enhancement", place, 32, {"train": 3, "validation": 1, "test": 2})
    more = load("enhancement", place, 32, {"train": 6, "validation": None, "test": 8})
    assert few.fingerprint == more.fingerprint == describe("enhancement", place).fingerprint
    for split, n in zip(SPLITS, (3, 1, 2), strict=True):
        a, b = getattr(few, split), getattr(more, split)
        assert a.names == b.names[:n] and np.array_equal(a.degraded, b.degraded[:n])


def test_pack_is_reused_and_remade_when_the_data_change(root, monkeypatch):
    first = load("enhancement", root, 32)
    with monkeypatch.context() as patch:
        patch.setattr(imagenet, "read_grey", lambda *_: pytest.fail("decoded again"))
        again = load("enhancement", root, 32, {"train": None})
    assert np.array_equal(first.train.degraded, again.train.degraded)
    assert first.train.names == again.train.names
    with monkeypatch.context() as patch:
        patch.setattr(enhancement, "identity", lambda *_: "other code")
        patch.setattr(enhancement, "degrade", lambda image, name, **_: 255 - image)
        other = load("enhancement", root, 32)
    assert np.array_equal(other.train.degraded, 255 - first.train.reference)
    small = load("enhancement", root, 16)
    assert small.train.reference.shape == (7, 16, 16)
    Image.new("RGB", (50, 50), "red").save(root / "imagenet" / first.train.names[0], "PNG")
    changed = load("enhancement", root, 32)
    assert changed.fingerprint != first.fingerprint
    assert len(np.unique(changed.train.reference[0])) == 1


def test_limits_below_one_are_refused(root):
    with pytest.raises(ValueError, match="test=0: at least 1"):
        load("enhancement", root, 32, {"train": 3, "test": 0})


# ---- recorded infrared images


@pytest.mark.parametrize("key", ["flir", "osu"])
def test_infrared_images_are_those_of_the_pairs_degraded(key, tmp_path):
    limits = {"train": 3, "test": 2}
    pairs = load(key, tmp_path, 32, limits)
    data = load(f"{key}_infrared", tmp_path, 32, limits)
    for side, part in (("train", data.train), ("test", data.test)):
        np.testing.assert_array_equal(part.reference, pairs.infrared[pairs.split[side]])
        assert part.names == tuple(pairs.names[i] for i in pairs.split[side])
        assert part.degraded.mean() < part.reference.mean()  # darker
    assert len(data.validation.names) == 0
    described = describe(f"{key}_infrared", tmp_path)
    assert described.key == f"{key}_infrared" and described.name == data.name
    assert data.name == f"{pairs.name}, infrared" and data.fingerprint == pairs.fingerprint
