"""Synthetic thermal faces and visible/infrared scenes: physics, determinism, alignment."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from lib.data import alignment
from lib.data.synthetic.faces import REGIONS, temperature_map, thermal_face
from lib.data.synthetic.rendering import Canvas, Material, Weather, render
from lib.data.synthetic.streets import ASPHALT, GRASS, floor, scene, scene_name, upright

SMALL = (96, 128)


def mutual_information(a: np.ndarray, b: np.ndarray) -> float:
    """In nats, over 32 x 32 bins."""
    joint, _, _ = np.histogram2d(a.ravel(), b.ravel(), bins=32, range=((0, 256), (0, 256)))
    joint /= joint.sum()
    independent = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    some = joint > 0
    return float((joint[some] * np.log(joint[some] / independent[some])).sum())


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
    celsius, region = temperature_map(person, state, 0)
    present = (name for name in REGIONS if (region == REGIONS.index(name)).sum() > 20)
    return {name: celsius[region == REGIONS.index(name)].mean() for name in present}


def test_drinking_warms_nose_forehead_and_eyes_but_not_the_neck():
    sober = [region_means(person, "sober") for person in range(30)]
    drunk = [region_means(person, "drunk") for person in range(30)]

    def warming(name: str) -> float:
        both = [
            (s[name], d[name]) for s, d in zip(sober, drunk, strict=True) if name in s & d.keys()
        ]
        return float(np.mean([after - before for before, after in both]))

    assert 0.4 < warming("nose") < 1.0
    assert 0.1 < warming("forehead") < 0.8
    assert 0.1 < warming("eyes") < 0.8
    assert abs(warming("neck")) < 0.1


def test_temperatures_are_those_of_people():
    for person in range(10):
        celsius, region = temperature_map(person, "sober", 0)
        means = region_means(person, "sober")
        skin = region >= REGIONS.index("face")
        assert 20 < means["background"] < 25 < means["neck"] < 36
        assert means["nose"] < np.percentile(celsius[skin], 60)
        assert means["eyes"] > means["face"]
        assert 34.5 < np.percentile(celsius[skin], 99) < 38  # eye canthi


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
    assert scene_name("park", 0) == scene_name("park", 24) != scene_name("park", 25)
    for frame in frames[1:]:
        change = np.abs(frame - frames[0])
        assert np.median(change) < 5  # noise
        assert (change > 25).mean() > 0.001  # walkers
    assert np.median(np.abs(elsewhere - frames[0])) > 10


def test_every_street_is_a_scene_of_its_own():
    assert scene_name("street", 12) == "street 00012" != scene_name("street", 13)


# rendering


def weather(night: bool = False, seed: int = 0) -> Weather:
    """A clear day or night."""
    return Weather(np.random.default_rng(seed), (0, 0, 1) if night else (1, 0, 0))


def shoot(canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    """Grey level of the visible, and the infrared image, (H, W) each."""
    visible, infrared = render(canvas, np.random.default_rng(1), np.random.default_rng(2))
    return visible.mean(2), infrared.astype(float)


def test_projection_by_hand():
    canvas = Canvas((100, 200), weather(), height=1.5, pitch=0.0, focal=1.0)
    points = np.array([(0, 1.5, 10), (1, 0.5, 10), (-2, 0.0, 15)], float)
    expected = np.array([(100, 50), (110, 60), (100 - 200 / 15, 60)])
    assert canvas.project(points) == pytest.approx(expected)


def test_rays_invert_the_projection():
    canvas = Canvas((40, 60), weather(), height=7.0, pitch=0.45, focal=1.3)
    row, column = 31, 12
    ray = canvas.rays()[:, row, column]
    ground = canvas.eye - ray * 7.0 / ray[1]
    assert ray[1] < 0 and ground[1] == pytest.approx(0)
    assert canvas.project(ground[None])[0] == pytest.approx((column + 0.5, row + 0.5), abs=1e-3)


def test_standing_things_cool_the_ground_and_moving_ones_only_darken_it():
    light, heat = {}, {}
    for shadow in ("none", "standing", "moving"):
        canvas = Canvas((80, 80), weather(), height=8.0, pitch=0.6, focal=1.0)
        canvas.paint(floor(-50, 50, 1, 90), ASPHALT)
        canvas.paint(floor(2, 4, 1, 90), GRASS)  # something else, or gain control has no range
        if shadow != "none":
            box = [*floor(-1, 1, 9, 11), *floor(-1, 1, 9, 11, y=1)]
            canvas.shadow(box, moving=shadow == "moving")
        light[shadow], heat[shadow] = shoot(canvas)
    shaded = light["none"] - light["standing"] > 20
    assert shaded.sum() > 30
    assert (light["none"] - light["moving"] > 20)[shaded].mean() > 0.95
    assert (heat["none"] - heat["standing"])[shaded].mean() > 40
    assert np.array_equal(heat["none"], heat["moving"])


def test_infrared_follows_heat_and_emissivity_whatever_the_colour():
    """Four panels before a wall, (albedo, emissivity, own heat): the infrared tells the last two
    apart, and by night not the first."""
    panels = {"light": (0.6, 0.95, 0), "dark": (0.05, 0.95, 0), "warm": (0.05, 0.95, 9),
              "shiny": (0.05, 0.5, 0)}  # fmt: skip
    canvas = Canvas((80, 80), weather(night=True), height=1.5, pitch=0.0, focal=1.0)
    canvas.paint(upright(-20, 20, 0, 9, 20), Material((0.2, 0.2, 0.2), inside=4))
    for number, (albedo, emissivity, inside) in enumerate(panels.values()):
        panel, x = Material((albedo,) * 3, emissivity, inside=inside), 2.0 * number - 4
        canvas.paint(upright(x, x + 1.5, 0.5, 2.5, 10), panel)
    canvas.lamps.append((0, 5, 8, 1.0))
    light, heat = (
        {name: image[35:44, 10 + 16 * n : 17 + 16 * n].mean() for n, name in enumerate(panels)}
        for image in shoot(canvas)
    )
    assert light["light"] > light["dark"] + 50 and abs(light["dark"] - light["warm"]) < 10
    assert heat["warm"] > heat["dark"] + 50 and abs(heat["dark"] - heat["light"]) < 10
    assert heat["shiny"] < heat["dark"] - 10  # it shows the cold sky


def test_sun_warms_what_faces_it_and_dark_more_than_light():
    by_seed = [weather(seed=seed) for seed in range(20)]
    ahead = next(w for w in by_seed if w.to_sun[2] < -0.5)
    behind = next(w for w in by_seed if w.to_sun[2] > 0.5)
    contrast = {}
    for name, conditions in (("ahead", ahead), ("behind", behind)):
        canvas = Canvas((80, 80), conditions, height=1.5, pitch=0.0, focal=1.0)
        canvas.paint(upright(-20, 20, -5, 9, 20), Material((0.3, 0.3, 0.3), inside=20))
        for albedo, x in ((0.7, -3), (0.05, 0.5)):
            canvas.paint(upright(x, x + 2.5, 0.5, 2.5, 10), Material((albedo,) * 3))
        _, heat = shoot(canvas)
        contrast[name] = heat[36:43, 46:60].mean() - heat[36:43, 20:34].mean()
    assert contrast["ahead"] > 25 and contrast["ahead"] > contrast["behind"] + 10


def test_unknown_kind_is_an_error():
    with pytest.raises(ValueError, match="beach"):
        scene("beach", 0)
