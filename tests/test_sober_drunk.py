"""The Sober-Drunk loader on small files of each kind, its split, and the real files if there."""

import numpy as np
import pytest
import tifffile

from lib.data import sober_drunk, splits
from lib.data.catalogue import describe
from lib.paths import data_root

pytestmark = pytest.mark.usefixtures("own_cache")
REAL = data_root()
needs_files = pytest.mark.skipif(
    not (REAL / "sober_drunk").is_dir(), reason="the Sober-Drunk database is not there"
)


def grey_levels(frames=3):
    image = np.random.default_rng(0).integers(1, 248, (frames, 20, 30)).astype(np.uint16)
    image[:, 19:] = 0  # black rows below, as in most files
    return image


def raw_counts(frames=2):
    counts = (8100 + np.arange(frames * 20 * 30).reshape(frames, 20, 30) // 5).astype(np.uint16)
    counts[0, 3, 4] = 9000  # a hot pixel
    return counts


@pytest.fixture
def root(tmp_path):
    for name, frames in {
        "sober/02_1_f_M": grey_levels(),
        "drunk/02_2_f_M": grey_levels(),
        "sober/11_1_f_F": raw_counts(),
        "drunk/09_2_f_M": grey_levels(1),
    }.items():
        path = tmp_path / "sober_drunk" / f"{name}.tif"
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, frames, photometric="minisblack")
    return tmp_path


def test_grey_levels_stay_and_black_rows_go(root):
    frames = sober_drunk.load_frames(root / "sober_drunk/sober/02_1_f_M.tif")
    assert frames.dtype == np.uint8
    assert np.array_equal(frames, grey_levels()[:, :19])


def test_raw_counts_are_stretched_over_the_sequence(root):
    frames = sober_drunk.load_frames(root / "sober_drunk/sober/11_1_f_F.tif")
    assert frames.shape == (2, 20, 30)
    assert (frames.min(), frames.max()) == (0, 247)
    counts = raw_counts().astype(float)
    low, high = np.percentile(counts, (0.1, 99.9))
    expected = np.clip((counts - low) / (high - low) * 247, 0, 247)
    np.testing.assert_allclose(frames, expected, atol=0.51)
    assert np.median(frames[0]) < 70 < 180 < np.median(frames[1])  # one scale for the sequence, not one a frame


def test_a_constant_raw_sequence_divides_by_no_zero():
    assert not sober_drunk.to_grey(np.full((1, 4, 4), 8200, np.uint16)).any()


def test_a_file_of_one_page_has_one_frame(root):
    assert sober_drunk.load_frames(root / "sober_drunk/drunk/09_2_f_M.tif").shape == (1, 19, 30)


def test_frames_come_with_person_state_place_and_split(root):
    data = sober_drunk.load(root)
    assert data.name == "Sober-Drunk subset (4 front-face sequences)"
    assert data.frames.shape == (9, 19, 30) and data.frames.dtype == np.uint8
    assert data.person.tolist() == [2] * 6 + [9, 11, 11]
    assert data.state.tolist() == ["sober"] * 3 + ["drunk"] * 4 + ["sober"] * 2
    assert data.frame.tolist() == [0, 1, 2, 0, 1, 2, 0, 0, 1]
    split_of = sober_drunk.read_split()
    assert data.split.tolist() == [split_of[person] for person in data.person.tolist()]
    assert np.array_equal(data.frames[3:6], grey_levels()[:, :19])


def test_other_views_are_left_aside(root):
    before = sober_drunk.load(root)
    tifffile.imwrite(root / "sober_drunk/sober/02_1_h_M.tif", raw_counts())
    assert np.array_equal(sober_drunk.load(root).frames, before.frames)


@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"text"])
def test_broken_file_is_named(root, damage):
    path = root / "sober_drunk/drunk/02_2_f_M.tif"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match="02_2_f_M.tif cannot be read"):
        sober_drunk.load(root)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sober/face.tif", "face.tif: name it NN_1_f_X.tif"),
        ("sober/03_2_f_M.tif", "03_2_f_M.tif: name it NN_1_f_X.tif"),
        ("sober/02_1_f_F.tif", "same person and state"),
        ("sober/77_1_f_F.tif", "77"),
    ],
)
def test_files_that_do_not_fit_are_errors(root, name, message):
    tifffile.imwrite(root / "sober_drunk" / name, grey_levels(), photometric="minisblack")
    with pytest.raises(ValueError, match=message):
        sober_drunk.load(root)


def test_half_a_layout_is_an_error_not_a_fallback(root):
    (root / "sober_drunk/drunk").rename(root / "sober_drunk/after")
    for call in (sober_drunk.load, lambda r: describe("sober_drunk", r)):
        with pytest.raises(ValueError, match="sober_drunk/drunk holds no front-face file"):
            call(root)


def test_a_suffix_in_capitals_is_not_passed_over(root):
    file = next((root / "sober_drunk/sober").glob("*.tif"))
    file.rename(file.with_suffix(".TIF"))
    with pytest.raises(ValueError, match=f"{file.stem}.TIF: write .TIF in lower case"):
        describe("sober_drunk", root)


def test_a_black_file_is_named(root):
    path = root / "sober_drunk/drunk/03_2_f_M.tif"
    tifffile.imwrite(path, np.zeros((2, 20, 30), np.uint16), photometric="minisblack")
    with pytest.raises(ValueError, match="03_2_f_M.tif"):
        sober_drunk.load(root)


def test_persons_are_divided_seven_two_one():
    split_of = sober_drunk.read_split()
    assert sorted(split_of) == list(range(1, 42))
    counts = [list(split_of.values()).count(s) for s in splits.SPLITS]
    assert counts == [29, 8, 4]


def test_stored_split_obeys_its_rule():
    """numpy default_rng(0).permutation(41) + 1 cut 29:8:4, as the file itself says."""
    order = (np.random.default_rng(0).permutation(41) + 1).tolist()
    split_of = sober_drunk.read_split()
    for split, persons in zip(splits.SPLITS, (order[:29], order[29:37], order[37:]), strict=True):
        assert {split_of[person] for person in persons} == {split}


@pytest.mark.parametrize("empty", [False, True])
def test_another_split_is_other_data(root, tmp_path_factory, monkeypatch, empty):
    place = tmp_path_factory.mktemp("empty") if empty else root
    keys = ("sober_drunk", "sober_drunk_by_frame")
    before = [describe(key, place).fingerprint for key in keys]
    assert len({*before}) == 2 and all(len(one) == 64 for one in before)

    def divided(changed):
        rows = {**sober_drunk.read_split(), **changed}
        monkeypatch.setattr(sober_drunk, "read_split", lambda: rows)
        return [describe(key, place).fingerprint for key in keys]

    assert divided({}) == before
    now = "test" if sober_drunk.read_split()[2] == "train" else "train"
    assert not {*divided({2: now})} & {*before}


def test_synthetic_faces_take_its_place(tmp_path, monkeypatch):
    monkeypatch.setattr(sober_drunk, "SYNTHETIC_FRAMES", range(1))
    data = sober_drunk.load(tmp_path)
    assert data.name == describe("sober_drunk", tmp_path).name == "synthetic thermal faces"
    assert data.frames.shape == (82, 128, 160) and data.frames.dtype == np.uint8
    assert data.person.tolist() == [person for person in range(1, 42) for _ in range(2)]
    assert set(data.frame) == {0}
    for split in ("train", "validation", "test"):
        assert set(data.state[data.split == split]) == {"sober", "drunk"}
    assert data.frames.max() == 247 and data.frames.std() > 30


@needs_files
def test_real_files():
    data = sober_drunk.load(REAL)
    assert data.frames.shape[1:] == (122, 160) and data.frames.dtype == np.uint8
    for person in sorted(set(data.person.tolist())):
        frames = data.frames[data.person == person]
        assert frames.max() <= 247 and frames.std() > 40  # raw counts were stretched
        assert frames[:, -1].any()  # no black row is left
        assert len(set(data.split[data.person == person])) == 1
