"""Synthetic thermal faces and visible/infrared scenes: heat, determinism, alignment."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from lib.data import alignment
from lib.data.synthetic.faces import thermal_face
from lib.data.synthetic.streets import scene

SMALL = (96, 128)


# faces


def test_face_has_the_database_shape_and_raw_counts():
    face = thermal_face(3, "sober", 0)
    assert face.shape == (128, 160) and face.dtype == np.uint16
    assert 8000 < face.min() < 8200 and 8280 < face.max() < 8450


def test_face_depends_on_its_arguments_alone():
    first = thermal_face(1, "sober", 4)
    others = [thermal_face(*key) for key in ((2, "sober", 4), (1, "drunk", 4), (1, "sober", 5))]
    assert np.array_equal(first, thermal_face(1, "sober", 4))
    assert all(not np.array_equal(first, other) for other in others)


def test_frames_of_a_sequence_are_alike_and_persons_are_not():
    def correlation(a, b):
        return np.corrcoef(a.ravel(), b.ravel())[0, 1]

    first = thermal_face(5, "sober", 0)
    assert correlation(first, thermal_face(5, "sober", 1)) > 0.99
    assert max(correlation(first, thermal_face(p, "sober", 0)) for p in range(6, 12)) < 0.97


def test_drinking_warms_the_eyes_and_forehead_more_than_the_neck():
    """In kelvin of 14 counts each, over 30 persons; the head moves by a few pixels."""
    faces = {state: np.stack([thermal_face(person, state, 0) for person in range(30)]) / 14
             for state in ("sober", "drunk")}
    warming = np.median(faces["drunk"] - faces["sober"], axis=0)
    eyes, forehead, neck = warming[54:62, 62:98], warming[28:36, 70:90], warming[108:116, 72:88]
    assert 0.1 < eyes.mean() < 0.8 and 0.1 < forehead.mean() < 0.8
    assert abs(neck.mean()) < 0.1


def test_temperatures_are_those_of_people():
    for person in range(10):
        celsius = 20 + (thermal_face(person, "sober", 0) - 8130.0) / 14
        assert 20 < np.percentile(celsius, 2) < 25 < celsius[59, 80] < 37
        assert 34 < np.percentile(celsius, 99) < 38  # eyes


def test_unknown_state_is_an_error():
    with pytest.raises(KeyError, match="tipsy"):
        thermal_face(0, "tipsy", 0)


# scenes


@pytest.fixture(scope="module")
def streets():
    return [scene("street", i, size=SMALL) for i in range(24)]


@pytest.fixture(scope="module")
def parks():
    return [scene("park", 25 * i, size=SMALL) for i in range(24)]


@pytest.mark.parametrize("kind", ["street", "park"])
def test_scene_shapes_and_ranges(kind):
    visible, infrared = scene(kind, 0, size=(60, 90))
    assert visible.shape == (60, 90, 3) and visible.dtype == np.uint8
    assert infrared.shape == (60, 90) and infrared.dtype == np.uint8
    assert infrared.min() < 10 and infrared.max() > 245  # the gain control fills the range


@pytest.mark.parametrize("kind", ["street", "park"])
def test_scene_depends_on_its_arguments_alone(kind):
    first, other, again = (scene(kind, index, size=SMALL) for index in (3, 4, 3))
    for image, different, same in zip(first, other, again, strict=True):
        assert np.array_equal(image, same) and not np.array_equal(image, different)


@pytest.mark.parametrize("kind", ["streets", "parks"])
def test_pairs_are_aligned(kind, request):
    pairs = request.getfixturevalue(kind)
    shifts = alignment.shifts(*(np.stack(half) for half in zip(*pairs, strict=True)), range(24))
    assert (shifts[["dx", "dy"]].abs().max(axis=1) <= 1).mean() > 0.9
    assert shifts[["dx", "dy"]].median().tolist() == [0, 0]


@pytest.mark.parametrize("kind", ["streets", "parks"])
def test_infrared_is_no_curve_of_grey(kind, request):
    pairs = request.getfixturevalue(kind)
    rank = [spearmanr(v.mean(2).ravel(), i.ravel())[0] for v, i in pairs]
    assert np.median(np.abs(rank)) < 0.7
    assert max(rank) - min(rank) > 0.4  # nor the same relation everywhere


def test_streets_come_by_day_and_by_night(streets):
    light = np.array([visible.mean() for visible, _ in streets])
    assert 0.1 < (light < 80).mean() < 0.6
    assert (light > 110).any()


def test_a_park_keeps_its_background_while_people_move():
    frames = [scene("park", i, size=SMALL)[0].astype(int).mean(2) for i in (0, 8, 16)]
    elsewhere = scene("park", 25, size=SMALL)[0].astype(int).mean(2)
    for frame in frames[1:]:
        change = np.abs(frame - frames[0])
        assert np.median(change) < 5  # noise
        assert (change > 25).mean() > 0.001  # walkers
    assert np.median(np.abs(elsewhere - frames[0])) > 10


def test_unknown_kind_is_an_error():
    with pytest.raises(KeyError, match="beach"):
        scene("beach", 0, SMALL)
