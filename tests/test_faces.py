"""Thermal faces: selection, augmentation, division, pairs; the figures of Table 7."""

from collections import Counter

import numpy as np
import pytest

from lib.data import faces, sober_drunk
from lib.data.catalogue import describe, load
from lib.data.composition import face_parts, selection
from lib.data.degradation import degrade
from lib.data.images import centre_square
from lib.data.sober_drunk import SoberDrunkData
from lib.data.splits import SPLITS
from lib.evaluation.classical import clahe
from lib.evaluation.examples import one_of_each_person
from lib.figures.images import augmentations, enhanced_faces, most_detailed_square, with_detail
from lib.metrics import evaluate

pytestmark = pytest.mark.usefixtures("own_cache")
PERSONS = {"train": range(1, 8), "validation": (8, 9), "test": (10,)}
FRAMES = 6  # of each sequence
KEYS = ("sober_drunk", "sober_drunk_by_frame")  # by person, by frame


def recorded() -> SoberDrunkData:
    """Ten persons, both states, six frames of noise each; 1 and 4 nearly repeat those before."""
    rng = np.random.default_rng(0)
    keys, frames = [], []
    for split, persons in PERSONS.items():
        for person in persons:
            for state in ("sober", "drunk"):
                for number in range(FRAMES):
                    if number in (1, 4):
                        frames.append(frames[-1] + rng.integers(0, 3, (24, 32), dtype=np.uint8))
                    else:
                        frames.append(rng.integers(20, 230, (24, 32), dtype=np.uint8))
                    keys.append((person, state, number, split))
    person, state, number, split = (np.array(column) for column in zip(*keys, strict=True))
    return SoberDrunkData("made faces", "0" * 64, np.stack(frames), person, state, number, split)


@pytest.fixture
def made(monkeypatch):
    """The loaders take the made frames."""
    monkeypatch.setattr(sober_drunk, "load", lambda root: recorded())
    return recorded()


@pytest.fixture
def few(monkeypatch):
    """A seventh of the images, so that a test of them is quick."""
    monkeypatch.setattr(faces, "N_IMAGES", {"drunk": 80, "sober": 60})


def parsed(pairs):
    return [faces.parse(name) for name in pairs.names]


# Selection


def test_near_duplicates_are_dropped_and_each_sequence_keeps_its_first():
    data = recorded()
    kept = faces.select_frames(data)
    assert Counter(data.frame[kept].tolist()) == {0: 20, 2: 20, 3: 20, 5: 20}
    everything = faces.select_frames(data, threshold=0)
    assert np.array_equal(everything, np.arange(len(data.frames)))
    only_first = faces.select_frames(data, threshold=256)
    assert data.frame[only_first].tolist() == [0] * 20
    table = selection(data, kept)
    assert table.loc[("train", "drunk")].tolist() == [7, 42, 28]
    assert table.loc["all"].iloc[0].tolist() == [20, 120, 80]


def test_a_frame_is_compared_with_all_kept_ones_not_only_the_last():
    data = recorded()
    data.frames[5] = data.frames[0] + 1
    kept = faces.select_frames(data)
    assert 5 not in kept and {0, 2, 3} <= set(kept.tolist())


# Geometry and augmentation


def test_centre_square():
    frame = np.zeros((24, 32), np.uint8)
    frame[:, 4:28] = 100
    assert np.array_equal(centre_square(frame, 16), np.full((16, 16), 100))
    assert centre_square(recorded().frames[0], 128).shape == (128, 128)


@pytest.mark.parametrize("operation", faces.OPERATIONS)
def test_each_operation_changes_the_image_alike_each_time(operation):
    image = centre_square(recorded().frames[0], 64)
    before = image.copy()
    first = faces.augment(image, "a", [operation])
    assert first.shape == image.shape and first.dtype == np.uint8
    assert np.array_equal(image, before) and not np.array_equal(first, image)
    assert np.array_equal(first, faces.augment(image, "a", [operation]))
    assert np.array_equal(first, faces.augment(image, "b", [operation])) == (operation == "flipped")


def test_operations_do_what_they_say():
    rng = np.random.default_rng(0)
    image = np.full((64, 64), 200, np.uint8)
    image[:, :32] = 100
    assert np.array_equal(faces.flip(image, rng), image[:, ::-1])
    black = (faces.cover(image, rng) == 0).sum() / image.size
    assert 0.15**2 * 0.9 < black < 0.35**2 * 1.1
    assert 0 < (faces.blur(image, rng) != image).mean() < 0.2  # at the edge between the halves
    assert not (faces.rotate(image, rng) == 0).any()  # mirrored, no black corners
    one = np.full((64, 64), 7, np.uint8)
    assert np.array_equal(faces.crop(one, rng), one)


def test_copies_of_a_frame_differ_in_their_operations():
    face = faces.Face(3, "sober", 5, 0)
    assert faces.operations_of(face) == ()
    drawn = [faces.operations_of(face._replace(copy=copy)) for copy in range(1, 21)]
    assert len(set(drawn)) == 20 and {len(operations) for operations in drawn} == {2, 3}
    assert faces.parse(face.name) == face


# Division


def test_counts_are_those_of_the_paper(made, tmp_path):
    data = load("sober_drunk", tmp_path, 16)
    table = face_parts(data)
    assert table["images"].tolist() == [784, 224, 112]
    assert table["drunk"].tolist() == [448, 128, 64]
    assert table["sober"].tolist() == [336, 96, 48]
    assert table["basic frames"].tolist() == [56, 16, 8]
    names = [name for split in SPLITS for name in getattr(data, split).names]
    assert len(set(names)) == 1120


def test_no_person_is_in_two_parts_but_by_frame_all_are(made, few, tmp_path):
    by_person, by_frame = (load(key, tmp_path, 16) for key in KEYS)
    for split in SPLITS:
        found = {face.person for face in parsed(getattr(by_person, split))}
        assert found == set(PERSONS[split])
    assert face_parts(by_person)["of them in another part"].tolist() == [0, 0, 0]

    persons = [{face.person for face in parsed(getattr(by_frame, split))} for split in SPLITS]
    assert persons[0] & persons[1] and persons[0] & persons[2]  # what makes it flatter
    assert face_parts(by_frame)["of them in another part"].min() > 0
    frames = [{face[:3] for face in parsed(getattr(by_frame, split))} for split in SPLITS]
    assert sum(map(len, frames)) == len(set.union(*frames)) == 80  # a frame's copies stay together
    assert [len(part) for part in frames] == [56, 16, 8]
    assert by_frame.name == f"{by_person.name}, split by frame"


def test_fewer_are_a_subset_of_more_and_mixed(made, few, tmp_path):
    large = load("sober_drunk", tmp_path, 16)
    small = load("sober_drunk", tmp_path, 16, {"train": 12, "validation": 4, "test": 4})
    for split, n in zip(SPLITS, (12, 4, 4), strict=True):
        some, more = getattr(small, split), getattr(large, split)
        assert some.names == more.names[:n]
        assert np.array_equal(some.degraded, more.degraded[:n])
        assert {face.state for face in parsed(some)} == {"drunk", "sober"}
    assert len({face.person for face in parsed(small.train)}) >= 6


def test_a_part_without_a_state_is_an_error(made):
    drunk = np.flatnonzero((made.state == "drunk") & (made.split == "test"))
    with pytest.raises(ValueError, match="test has no sober face"):
        faces.arrange(made, drunk, "test")


# Pairs


def test_pairs_are_the_frames_and_their_degraded_copies(made, few, tmp_path):
    pairs = load("sober_drunk", tmp_path, 32).test
    for i, face in enumerate(parsed(pairs)):
        position = np.flatnonzero(
            (made.person == face.person) & (made.state == face.state) & (made.frame == face.frame)
        ).item()
        image = centre_square(made.frames[position], 32)
        if face.copy:
            image = faces.augment(image, face.name, faces.operations_of(face))
        assert np.array_equal(pairs.reference[i], image)
        assert np.array_equal(pairs.degraded[i], degrade(image, face.name, 0, faces.FACE_RANGES))
        assert not np.array_equal(pairs.degraded[i], image)


def test_the_other_reading_takes_the_recorded_image_as_the_original(made, few, tmp_path):
    one, other = (load(key, tmp_path, 32).test for key in ("sober_drunk", "sober_drunk_recorded"))
    assert np.array_equal(other.degraded, one.reference) and other.names == one.names
    assert (other.reference != other.degraded).any(axis=(1, 2)).all()
    assert np.array_equal(other.reference[3], clahe(one.reference[3], clip_limit=1.0))


def test_same_bytes_twice_and_the_pack_is_reused(made, few, monkeypatch, tmp_path):
    first = load("sober_drunk", tmp_path, 16)
    with monkeypatch.context() as patch:
        patch.setattr(sober_drunk, "load", lambda root: pytest.fail("read again"))
        again = load("sober_drunk", tmp_path, 16)
    monkeypatch.setenv("IR_CACHE", str(tmp_path / "another"))
    remade = load("sober_drunk", tmp_path, 16)
    for other in (again, remade):
        for split in SPLITS:
            a, b = getattr(first, split), getattr(other, split)
            assert a.names == b.names
            assert a.reference.tobytes() == b.reference.tobytes()
            assert a.degraded.tobytes() == b.degraded.tobytes()


def test_synthetic_faces_where_the_database_is_absent(tmp_path, monkeypatch):
    monkeypatch.setattr(sober_drunk, "SYNTHETIC_FRAMES", range(1))
    data = load("sober_drunk", tmp_path, 128, {"train": 8, "validation": 4, "test": 4})
    assert data.name == "synthetic thermal faces"
    assert data.train.reference.shape == (8, 128, 128)
    psnr = evaluate(data.train.degraded, data.train.reference)["PSNR"]
    assert 10 < psnr.mean() < 30


def test_each_division_is_a_data_set_of_its_own(made, few, tmp_path):
    ends = ("faces", "split by frame", "recorded as the original")
    for key, end in zip((*KEYS, "sober_drunk_recorded"), ends, strict=True):
        data, described = load(key, tmp_path, 16, {"test": 5}), describe(key, tmp_path)
        assert (described.key, described.name) == (key, data.name)
        assert data.name.endswith(end) and data.fingerprint == described.fingerprint
        assert len(data.test.names) == 5


# Figures


def test_one_image_of_each_person_in_alternating_states():
    names = [f"{person}_{state}_00_00" for person in (1, 2, 3) for state in ("sober", "drunk")]
    assert one_of_each_person([*names, "04_drunk_00_00"]) == [1, 2, 5, 6]


def test_figures_show_what_they_label():
    image = centre_square(recorded().frames[0], 64)
    figure = augmentations(image, "10_sober_00_00", "Fig. 6")
    labels = [axes.get_title() for axes in figure.axes]
    assert labels[:3] == ["(a) basic image", "(b) flipped", "(c) rotated"] and len(labels) == 10
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), image[:, ::-1])

    stack = np.stack([image, image[::-1]])
    rows = {"original": stack // 2, "enhanced": stack // 3, "reference": stack}
    figure = enhanced_faces(rows, ["10_sober_00_00", "09_drunk_00_00"], "Fig. 12")
    assert len(figure.axes) == 3 * 2
    assert figure.axes[1].get_title() == "person 9, drunk"
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == list(rows)
    corner = most_detailed_square(image, len(image) // 4)
    shown = with_detail(image // 3, corner, beside=True)
    np.testing.assert_array_equal(figure.axes[2].images[0].get_array(), shown)
