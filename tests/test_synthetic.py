"""Synthetic thermal faces and visible/infrared scenes: physics, determinism, alignment."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import spearmanr

from lib.data.synthetic.radiometry import BAND_UM, band_radiance, grey_body, planck
from lib.data.synthetic.canvas import Camera, Canvas, box, floor
from lib.data.synthetic.materials import ASPHALT, draw_weather
from lib.data.synthetic.sensors import develop
from lib.data.synthetic.streets import scene, scene_name
from lib.data.synthetic.faces import REGIONS, temperature_map, thermal_face

SMALL = (96, 128)


def mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """In nats, over 32 x 32 bins."""
    joint, _, _ = np.histogram2d(a.ravel(), b.ravel(), bins=32, range=((0, 256), (0, 256)))
    joint /= joint.sum()
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    some = joint > 0
    return float((joint[some] * np.log(joint[some] / independent[some])).sum())


# radiometry


@pytest.mark.parametrize("celsius", [-40.0, 0.0, 22.3, 34.25, 120.0])
def test_band_radiance_is_the_integral_of_planck(celsius):
    integral, _ = quad(lambda um: float(planck(um, celsius + 273.15)), *BAND_UM)
    assert band_radiance(np.array([celsius]))[0] == pytest.approx(integral, rel=2e-5)


def test_planck_integrates_to_stefan_boltzmann():
    integral, _ = quad(lambda um: float(planck(um, 300.0)), 0.5, 2000, limit=500)
    assert np.pi * integral == pytest.approx(5.670374419e-8 * 300.0**4, rel=1e-4)


def test_planck_peaks_where_wien_says():
    um = np.linspace(5, 20, 30001)
    assert um[np.argmax(planck(um, 300.0))] == pytest.approx(2897.771955 / 300.0, abs=1e-3)


def test_band_radiance_rises_with_temperature():
    assert (np.diff(band_radiance(np.arange(-100.0, 290.0, 0.3))) > 0).all()


def test_grey_body_mixes_own_and_reflected_radiance():
    own, other = band_radiance(np.array([35.0, 20.0]))
    assert grey_body(np.array([35.0]), 1.0, 20.0)[0] == pytest.approx(own)
    assert grey_body(np.array([35.0]), 0.0, 20.0)[0] == pytest.approx(other)
    assert grey_body(np.array([35.0]), 0.98, 20.0)[0] == pytest.approx(0.98 * own + 0.02 * other)


# faces


def test_face_has_the_database_shape_and_raw_counts():
    face = thermal_face(3, "sober", 0)
    assert face.shape == (128, 160) and face.dtype == np.uint16
    assert 8000 < face.min() < 8200 and 8280 < face.max() < 8450
    assert thermal_face(3, "sober", 0, size=(64, 80)).shape == (64, 80)


def test_face_depends_on_its_arguments_alone():
    first = thermal_face(1, "sober", 4, seed=7)
    others = [
        thermal_face(2, "sober", 4, seed=7),
        thermal_face(1, "drunk", 4, seed=7),
        thermal_face(1, "sober", 5, seed=7),
        thermal_face(1, "sober", 4, seed=8),
    ]
    assert np.array_equal(first, thermal_face(1, "sober", 4, seed=7))
    assert all(not np.array_equal(first, other) for other in others)


def test_frames_of_a_sequence_are_alike_and_persons_are_not():
    def correlation(a, b):
        return np.corrcoef(a.ravel(), b.ravel())[0, 1]

    first = thermal_face(5, "sober", 0)
    assert correlation(first, thermal_face(5, "sober", 1)) > 0.99
    assert max(correlation(first, thermal_face(p, "sober", 0)) for p in range(6, 12)) < 0.97


def region_means(person: int, state: str) -> dict[str, float]:
    celsius, _, region = temperature_map(person, state, 0)
    present = (name for name in REGIONS if (region == REGIONS.index(name)).sum() > 20)
    return {name: celsius[region == REGIONS.index(name)].mean() for name in present}


def test_drinking_warms_nose_and_forehead_but_not_the_neck():
    sober = [region_means(person, "sober") for person in range(30)]
    drunk = [region_means(person, "drunk") for person in range(30)]

    def warming(name: str) -> float:
        both = [
            (s[name], d[name]) for s, d in zip(sober, drunk, strict=True) if name in s & d.keys()
        ]
        return float(np.mean([after - before for before, after in both]))

    assert 0.4 < warming("nose") < 1.0
    assert 0.1 < warming("forehead") < 0.8
    assert abs(warming("neck")) < 0.1


def test_temperatures_are_those_of_people():
    for person in range(10):
        celsius, emissivity, region = temperature_map(person, "sober", 0)
        means = region_means(person, "sober")
        skin = np.isin(region, [REGIONS.index(n) for n in ("face", "forehead", "cheeks", "nose")])
        assert 20 < means["background"] < 25 < means["neck"] < 36
        assert means["nose"] < np.percentile(celsius[skin], 60)
        assert 34.5 < np.percentile(celsius[skin], 99) < 38  # eye canthi
        assert emissivity[skin].min() == pytest.approx(0.98)


def test_unknown_state_is_an_error():
    with pytest.raises(ValueError, match="tipsy"):
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
    first = scene(kind, 3, seed=1, size=SMALL)
    others = [scene(kind, 4, seed=1, size=SMALL), scene(kind, 3, seed=2, size=SMALL)]
    again = scene(kind, 3, seed=1, size=SMALL)
    for image, same, *different in zip(first, again, *others, strict=True):
        assert np.array_equal(image, same)
        assert all(not np.array_equal(image, other) for other in different)


@pytest.mark.parametrize("kind", ["streets", "parks"])
def test_pairs_are_aligned(kind, request):
    pairs = request.getfixturevalue(kind)
    grey = [visible.mean(2) for visible, _ in pairs]
    infrared = [i for _, i in pairs]
    own = np.mean([mutual_information(g, i) for g, i in zip(grey, infrared, strict=True)])
    moved = np.mean(
        [mutual_information(g, np.roll(i, 9, 1)) for g, i in zip(grey, infrared, strict=True)]
    )
    others = np.mean(
        [mutual_information(g, infrared[n - 5]) for n, g in enumerate(grey)]  # of another place
    )
    assert own > 1.3 * others
    assert own > 1.1 * moved


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
    assert scene_name("park", 0) == scene_name("park", 24) != scene_name("park", 25)
    for frame in frames[1:]:
        change = np.abs(frame - frames[0])
        assert np.median(change) < 5  # noise
        assert (change > 25).mean() > 0.001  # walkers
    assert np.median(np.abs(elsewhere - frames[0])) > 10


def test_every_street_is_a_scene_of_its_own():
    assert scene_name("street", 12) == "street 00012" != scene_name("street", 13)


def test_projection_by_hand():
    camera = Camera(size=(100, 200), height=1.5, pitch=0.0, focal=1.0)
    points = np.array([(0, 1.5, 10), (1, 0.5, 10), (-2, 0.0, 15)], float)
    pixels, depth = camera.project(points)
    assert pixels == pytest.approx(np.array([(100, 50), (110, 60), (100 - 200 / 15, 60)]))
    assert depth == pytest.approx([10, 10, 15])


def test_rays_invert_the_projection():
    camera = Camera(size=(40, 60), height=7.0, pitch=0.45, focal=1.3)
    right, forward, rise = camera.rays()
    row, column = 31, 12
    ground = np.array([(right[row, column], 0.0, forward[row, column])])
    assert camera.project(ground)[0][0] == pytest.approx((column + 0.5, row + 0.5), abs=1e-3)
    assert rise[row] < 0


def test_standing_things_cool_the_ground_and_moving_ones_only_darken_it():
    rng = np.random.default_rng(0)
    while (weather := draw_weather(rng, "street")).sun < 0.8:
        pass
    camera = Camera(size=(80, 80), height=8.0, pitch=0.6, focal=1.0)
    block = box(-1, 1, 1.0, 9, 11)
    results = {}
    for moving in (False, True):
        canvas = Canvas(camera, weather)
        canvas.paint(floor(-50, 50, 1, 90), ASPHALT)
        canvas.shadow(block, moving=moving)
        results[moving] = develop(canvas, np.random.default_rng(0))
    assert results[False].sunlit.min() < 0.1 and results[False].sun_warmed.min() < 0.1
    assert results[True].sunlit.min() < 0.1 and results[True].sun_warmed.min() == 1.0


def test_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match="beach"):
        scene("beach", 0)
