"""Visible/infrared pairs: layouts, splits by scene, errors, fallbacks; the real data if present."""

from functools import wraps
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib.data import pairs as translation
from lib.data import composition, splits
from lib.data.catalogue import describe, load
from lib.data.pairs import LLVIP, MSRS, OSU, ROADSCENE, Layout
from lib.data.synthetic.streets import scene
from lib.evaluation.examples import example_pairs
from lib.paths import data_root

SOME = Layout("some", "Some", "a", "b", {"x": 10})
REAL, STORED = data_root(), splits.FOLDER  # before `places`
DIVIDED = (ROADSCENE, MSRS, LLVIP)  # those with a stored split


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    """Caches and split files of a test are its own."""
    monkeypatch.setenv("IR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(splits, "FOLDER", tmp_path / "splits")
    (tmp_path / "splits").mkdir()
    (tmp_path / "data").mkdir()


@pytest.fixture
def root(tmp_path) -> Path:
    return tmp_path / "data"


def save(root: Path, layout: Layout, name: str, visible, infrared, extension=".png") -> None:
    for folder, image in ((layout.visible, visible), (layout.infrared, infrared)):
        path = root / layout.key / folder / f"{name}{extension}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def store_split(layout: Layout, rows: dict) -> None:
    lines = ["file,scene,split", *(",".join((name, *row)) for name, row in rows.items())]
    (splits.FOLDER / f"translation_{layout.key}.csv").write_text("\n".join(lines))


def rows_of(layout: Layout, root: Path) -> translation.Rows:
    return translation.divide(translation.list_pairs(root, layout), layout)


def save_noise(root: Path, layout: Layout, names) -> None:
    """Unrelated pairs of noise, 16 x 24."""
    for i, name in enumerate(names):
        rng = np.random.default_rng(i)
        visible = rng.integers(0, 256, (16, 24, 3), dtype=np.uint8)
        save(root, layout, name, visible, rng.integers(0, 256, (16, 24), dtype=np.uint8))


# layouts


@pytest.mark.parametrize(
    ("key", "layout"), [("flir", ROADSCENE), ("osu", LLVIP), ("osu", OSU), ("msrs", MSRS)]
)
def test_every_layout_loads(key, layout, root):
    names = [f"{i:03d}{'D' if layout is MSRS else ''}" for i in range(0, 480, 12)]  # 40
    save_noise(root, layout, names)
    data = load(key, root, 8)
    assert data.name == describe(key, root).name == "40 pairs of your own"
    assert data.visible.shape == (40, 8, 8, 3) and data.visible.dtype == np.uint8
    assert data.infrared.shape == (40, 8, 8) and data.infrared.dtype == np.uint8
    assert data.names == tuple(names)
    assert len(data.fingerprint) == 64 and data.fingerprint == describe(key, root).fingerprint
    both = np.concatenate((data.split["train"], data.split["test"]))
    assert sorted(both.tolist()) == list(range(40)) and len(data.split["test"]) == 20


def test_images_are_resized_with_antialiasing(root):
    """A 1-pixel checkerboard shrinks to mid grey, a half-plane keeps its place."""
    board = (np.indices((64, 64)).sum(0) % 2 * 255).astype(np.uint8)
    half = np.zeros((64, 64), np.uint8)
    half[:, 32:] = 200
    save(root, SOME, "p", np.stack([board] * 3, -1), half)
    visible, infrared = translation.read_pair(translation.list_pairs(root, SOME)["p"], 16)
    assert np.abs(visible[2:-2, 2:-2].astype(int) - 127).max() <= 3
    assert infrared[8, 3] == 0 and infrared[8, 12] == 200


def test_halves_may_differ_in_extension_but_not_in_name(root):
    save_noise(root, SOME, ["p"])
    half = root / "some" / "b" / "p.png"
    half.rename(half.with_suffix(".PNG"))
    (root / "some" / "a" / "notes.txt").write_text("no image")
    assert list(translation.list_pairs(root, SOME)) == ["p"]


def test_limit_takes_a_subset_of_each_side(root):
    save_noise(root, LLVIP, [f"{i:03d}" for i in range(44)])
    everything = load("osu", root, 8)
    seven, three = (load("osu", root, 8, {"train": n, "test": n}) for n in (7, 3))
    assert len(seven.names) == 14 and len(three.names) == 6
    for side in ("train", "test"):
        few, more, most = (
            {data.names[i] for i in data.split[side]} for data in (three, seven, everything)
        )
        assert len(few) == 3 and few < more < most
    i, j = everything.names.index(three.names[0]), 0
    assert np.array_equal(everything.infrared[i], three.infrared[j])
    assert everything.fingerprint == three.fingerprint
    uneven = load("osu", root, 8, {"train": 5})
    assert (len(uneven.split["train"]), len(uneven.split["test"])) == (5, 20)


def test_few_osu_pairs_leave_the_place_to_llvip(root):
    save_noise(root, OSU, ["walking", "peopleshadow"])
    with pytest.raises(ValueError, match="osu holds too few pairs to use"):
        describe("osu", root)
    save_noise(root, LLVIP, [f"{i:03d}" for i in range(4)])
    assert describe("osu", root).root == root / "llvip"


# synthetic defaults


@pytest.mark.parametrize(
    ("key", "name"), [("flir", "synthetic street scenes"), ("osu", "synthetic park scenes")]
)
def test_an_empty_root_gives_synthetic_scenes(key, name, root, monkeypatch):
    data = load(key, root, 32, {"train": 4, "test": 4})
    assert data.name == name and len(data.fingerprint) == 64
    assert data.visible.shape == (8, 32, 32, 3) and data.infrared.shape == (8, 32, 32)
    kind, index = data.names[2].split("_")
    visible, infrared = scene(kind, int(index), size=(32, 32))
    assert np.array_equal(data.visible[2], visible)
    assert np.array_equal(data.infrared[2], infrared)
    fails = wraps(scene)(lambda *arguments, **options: pytest.fail("drawn again"))
    monkeypatch.setattr(translation.streets, "scene", fails)
    again = load(key, root, 32, {"train": 4, "test": 4})  # from the cache
    assert np.array_equal(data.infrared, again.infrared) and again.names == data.names


def test_synthetic_splits_share_no_place():
    for kind in ("street", "park"):
        rows = translation.synthetic_rows(kind)
        train, test = ([s for s, side in rows.values() if side == its] for its in ("train", "test"))
        assert (len(train), len(test)) == (500, 20)
        assert not set(train) & set(test) and len(set(test)) >= 4
    assert rows["park_00024"][0] == "park 00000" != rows["park_00025"][0]


# scenes and splits


def test_frames_of_one_camera_are_one_scene(root):
    """Five places, each in three frames of other exposure, in which something moves."""
    for place in range(5):
        rng = np.random.default_rng(place)
        halves = rng.integers(20, 200, (2, 9, 12), dtype=np.uint8)
        still = [np.asarray(Image.fromarray(half).resize((128, 96))) for half in halves]
        for frame, exposure in enumerate((1.0, 0.6, 1.2)):
            shown = (np.clip(half * exposure, 0, 255) for half in still)
            visible, infrared = (half.astype(np.uint8) for half in shown)
            infrared[40:60, 10 + 30 * frame : 20 + 30 * frame] = 255  # someone walks by
            save(root, SOME, f"{frame}_{place}", np.stack([visible] * 3, -1), infrared, ".jpg")
    scenes = translation.group_scenes(translation.list_pairs(root, SOME), {})
    assert len(set(scenes.values())) == 5
    assert all(scene[-1] == name[-1] for name, scene in scenes.items())


def test_numbers_close_together_are_one_scene_by_chains(root):
    save_noise(root, SOME, ["x001", "x010", "x020", "x031", "y001", "y002"])
    scenes = translation.group_scenes(translation.list_pairs(root, SOME), SOME.apart)
    assert scenes == {"x001": "x001", "x010": "x001", "x020": "x001",
                      "x031": "x031", "y001": "y001", "y002": "y002"}


def test_whole_scenes_go_to_one_side_and_make_twenty(root):
    # nine scenes of five frames, ten of one, one of thirty
    names = [f"x{1000 * s + f:05d}" for s in range(9) for f in range(5)]
    names += [f"x{20000 + 100 * s:05d}" for s in range(10)]
    names += [f"x{30000 + f:05d}" for f in range(30)]
    save_noise(root, SOME, names)
    rows = translation.divide_anew(translation.list_pairs(root, SOME), SOME.apart)
    sides = {}
    for scene_of_pair, side in rows.values():
        sides.setdefault(scene_of_pair, set()).add(side)
    assert all(len(of_scene) == 1 for of_scene in sides.values())
    assert [side for _, side in rows.values()].count("test") == 20
    assert sides["x30000"] == {"train"}
    assert rows == translation.divide_anew(translation.list_pairs(root, SOME), SOME.apart)


def test_day_and_night_are_on_both_sides(root):
    for i in range(60):
        rng = np.random.default_rng(i)
        top = 256 if i < 30 else 40
        visible = rng.integers(0, top, (16, 24, 3), dtype=np.uint8)
        save(root, SOME, f"z{i:03d}", visible, rng.integers(0, 256, (16, 24), dtype=np.uint8))
    rows = translation.divide_anew(translation.list_pairs(root, SOME), {})
    day = sum(int(name[1:]) < 30 for name, (_, side) in rows.items() if side == "test")
    assert 7 <= day <= 13


def test_long_sequences_are_thinned(root, monkeypatch):
    monkeypatch.setattr(translation, "MAX_CANDIDATES", 30)
    monkeypatch.setattr(splits, "N_TRAIN", 8)
    monkeypatch.setattr(splits, "N_TEST", 4)
    save_noise(root, SOME, [f"z{i:03d}" for i in range(60)])
    rows = translation.divide_anew(translation.list_pairs(root, SOME), {})
    sides = [side for _, side in rows.values()]
    assert (sides.count("train"), sides.count("test"), sides.count("unused")) == (8, 4, 48)


def test_a_stored_split_rules(root):
    names = [f"x{100 * i:05d}" for i in range(6)]
    save_noise(root, ROADSCENE, names)
    stored = {name: (name, "test" if i < 2 else "train") for i, name in enumerate(names)}
    store_split(ROADSCENE, stored)
    assert translation.read_split(ROADSCENE) == stored == rows_of(ROADSCENE, root)
    data = load("flir", root, 8)
    assert data.names == data.scenes == tuple(names)
    assert (data.split["train"].tolist(), data.split["test"].tolist()) == ([2, 3, 4, 5], [0, 1])
    for folder in (ROADSCENE.visible, ROADSCENE.infrared):
        (root / "roadscene" / folder / f"{names[0]}.png").unlink()
    with pytest.raises(ValueError, match="test pair x00000"):
        load("flir", root, 8)


def test_unknown_pairs_train_unless_they_show_a_test_scene(root):
    names = [f"FLIR_{1000 * i:05d}" for i in range(4)]
    save_noise(root, ROADSCENE, [*names, "FLIR_00020", "FLIR_08000"])
    stored = {name: (name, "test" if i == 0 else "train") for i, name in enumerate(names)}
    store_split(ROADSCENE, stored)
    rows = rows_of(ROADSCENE, root)
    assert [name for name, (_, side) in rows.items() if side == "test"] == names[:1]
    # 00020 is 20 frames from the test pair
    train = [name for name, (_, side) in rows.items() if side == "train"]
    assert train == [*names[1:], "FLIR_08000"] and len(rows) == 5


def test_another_split_is_other_data(root):
    names = [f"x{100 * i:05d}" for i in range(6)]
    save_noise(root, ROADSCENE, names)
    stored = {name: (name, "test" if i < 2 else "train") for i, name in enumerate(names)}
    store_split(ROADSCENE, stored)
    before = describe("flir", root)
    assert load("flir", root, 8).fingerprint == before.fingerprint
    store_split(ROADSCENE, stored | {"elsewhere": ("elsewhere", "train")})
    assert describe("flir", root) == before  # that row does not apply
    for changed in ((names[2], "test"), (names[3], "train"), (names[2], "unused")):
        store_split(ROADSCENE, stored | {names[2]: changed})
        assert describe("flir", root).fingerprint != before.fingerprint


# broken data


def test_missing_half_folder(root):
    save_noise(root, ROADSCENE, ["p"])
    (root / "roadscene" / "cropinfrared" / "p.png").unlink()
    with pytest.raises(ValueError, match="cropinfrared is missing or holds no images"):
        load("flir", root, 8)
    (root / "roadscene" / "cropinfrared").rmdir()
    with pytest.raises(ValueError, match="cropinfrared is missing or holds no images"):
        load("flir", root, 8)


def test_missing_half_of_a_pair(root):
    save_noise(root, LLVIP, ["p1", "p2"])
    (root / "llvip" / "infrared" / "p2.png").unlink()
    with pytest.raises(ValueError, match=r"p2\.png has no other half"):
        load("osu", root, 8)


def test_broken_osu_is_an_error_even_where_llvip_stands_in(root):
    save_noise(root, OSU, ["p1", "p2"])
    (root / "osu" / "thermal" / "p2.png").unlink()
    save_noise(root, LLVIP, ["q1", "q2"])
    with pytest.raises(ValueError, match=r"p2\.png has no other half"):
        load("osu", root, 8)


@pytest.mark.parametrize("content", [b"", b"no image at all"])
def test_unreadable_file(root, content):
    save_noise(root, LLVIP, ["p1", "p2"])
    (root / "llvip" / "visible" / "p1.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"p1\.png cannot be read"):
        load("osu", root, 8)


def test_truncated_jpeg(root):
    save(root, SOME, "p", *scene("park", 0, size=(96, 128)), ".jpg")
    file = root / "some" / "a" / "p.jpg"
    file.write_bytes(file.read_bytes()[:1500])
    with pytest.raises(ValueError, match=r"p\.jpg cannot be read"):
        translation.read_pair(translation.list_pairs(root, SOME)["p"], 8)


def test_size_mismatch_and_depth(root):
    save(root, SOME, "p", np.zeros((8, 9, 3), np.uint8), np.zeros((8, 10), np.uint8))
    save(root, SOME, "q", np.zeros((8, 9, 3), np.uint8), np.zeros((8, 9), np.uint16))
    pairs = translation.list_pairs(root, SOME)
    with pytest.raises(ValueError, match=r"p\.png.* 9 x 8 and 10 x 8"):
        translation.read_pair(pairs["p"], 8)
    with pytest.raises(ValueError, match=r"q\.png has more than 8 bits"):
        translation.read_pair(pairs["q"], 8)


def test_two_files_of_one_name(root):
    save_noise(root, SOME, ["p"])
    Image.new("RGB", (24, 16)).save(root / "some" / "a" / "p.jpg")
    with pytest.raises(ValueError, match=r"p\.png and p\.jpg have the same name"):
        translation.list_pairs(root, SOME)


def test_one_scene_cannot_be_divided(root):
    save_noise(root, SOME, ["x001", "x002", "x003"])
    with pytest.raises(ValueError, match="x001: all 3 pairs are of one scene"):
        translation.divide_anew(translation.list_pairs(root, SOME), SOME.apart)


def test_wrong_arguments(root):
    with pytest.raises(ValueError, match="unknown data set 'kaist'"):
        load("kaist", root, 8)
    with pytest.raises(ValueError, match="train=0: at least 1"):
        load("flir", root, 8, {"train": 0})
    with pytest.raises(FileNotFoundError):
        load("flir", root / "nowhere", 8)


# what a set of pairs consists of


@pytest.fixture
def parks(root):
    return load("osu", root, 32, {"train": 20, "test": 20})


def test_scenes_of_synthetic_pairs(parks):
    summary = composition.split_summary(parks)
    assert (summary["train pairs"], summary["test pairs"]) == (20, 20)
    assert (summary["train pairs, paper"], summary["test pairs, paper"]) == (500, 20)
    assert summary["test scenes"] == 4 and summary["scenes on both sides"] == 0
    numbers = [int(name.removeprefix("park_")) // 25 for name in parks.names]
    assert list(parks.scenes) == [f"park {number:05d}" for number in numbers]
    examples = example_pairs(parks)
    assert len(set(examples)) == 3 and set(examples) <= set(parks.split["test"].tolist())
    assert len({parks.scenes[i] for i in examples}) == 3
    assert len(set(example_pairs(parks, 6))) == 6  # of four scenes


def test_dark_images_are_counted(parks):
    parks.visible[parks.split["test"][:2]] //= 32
    parks.visible[parks.split["train"][0]] = 7
    dark = composition.dark_summary(parks)
    assert (dark["near-black, train"], dark["near-black, test"]) == (1, 2)
    assert dark["smallest deviation"] == 0
    levels = composition.grey_levels(parks)
    assert levels["mean"].is_monotonic_increasing
    assert levels.loc[parks.names[parks.split["train"][0]]].tolist() == [7, 0]


# stored splits, and the real data where $IR_DATA has them


@pytest.mark.parametrize("layout", DIVIDED, ids=lambda layout: layout.key)
def test_stored_splits_are_sound(layout, monkeypatch):
    monkeypatch.setattr(splits, "FOLDER", STORED)
    sides = {}
    for scene_of_pair, side in translation.read_split(layout).values():
        sides.setdefault(scene_of_pair, []).append(side)
    assert all(len(set(of_scene)) == 1 for of_scene in sides.values())
    found = [side for of_scene in sides.values() for side in of_scene]
    assert found.count("test") == 20 and 20 < found.count("train") <= 500


@pytest.mark.parametrize("layout", DIVIDED, ids=lambda layout: layout.key)
def test_real_pairs_follow_the_rule(layout, monkeypatch):
    if not (REAL / layout.key).is_dir():
        pytest.skip(f"the data root holds no {layout.key}")
    pairs = translation.list_pairs(REAL, layout)
    monkeypatch.setattr(splits, "FOLDER", STORED)
    stored = translation.read_split(layout)
    if pairs.keys() != stored.keys():
        pytest.skip(f"{layout.key} is another copy than the one that the stored split divides")
    assert translation.divide_anew(pairs, layout.apart) == stored
    side = np.array([stored[name][1] for name in pairs])
    across = translation.similarity(pairs)[np.ix_(side == "test", side == "train")]
    assert across.max() < translation.SAME_SCENE
    visible, infrared = translation.read_pair(next(iter(pairs.values())), 128)
    assert visible.std() > 3 and infrared.std() > 3


@pytest.mark.parametrize("key", ["flir", "osu", "msrs"])
def test_scenes_of_real_pairs_are_on_one_side(key, monkeypatch):
    if not (REAL / {"flir": "roadscene", "osu": "llvip", "msrs": "msrs"}[key]).is_dir():
        pytest.skip(f"the data root holds nothing for {key}")
    monkeypatch.setattr(splits, "FOLDER", STORED)
    summary = composition.split_summary(load(key, REAL, 32))
    assert summary["scenes on both sides"] == 0
    assert summary["test scenes"] > 1 and summary["test pairs"] == 20
