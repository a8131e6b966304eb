"""Images of one's own: files of every kind, ranges, tiles, refusals, shipped weights, commands."""

import io
import json
import os
import struct
from dataclasses import asdict, replace

import cv2
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, PngImagePlugin
from safetensors.torch import load_file, save_file

from lib import enhance as enhance_command, translate as translate_command
from lib.benchmarks.own_images import FLAT, VISIBLE, straight_steps
from lib.data import catalogue
from lib.files import sha256
from lib.networks.blocks import count_parameters
from lib.networks.resnet_generator import ResnetGenerator, ResnetGeneratorConfig
from lib.networks.two_d_gan import TwoDGAN, TwoDGANConfig
from lib.networks.unet_generator import UnetGenerator, UnetGeneratorConfig
from lib.own_images import enhance, files, passes, ship, shipped, tone, translate
from lib.training import run as running
from lib.training.recipes import untrained
from made_runs import alter_record, flip, quiet

WIDE_RANGE = tone.Tone(low=39.0, high=96.0, least=12.0, most=137.0)  # like those of C5-wide


def scene(height=60, width=75, seed=0):
    """A smooth scene with edges and noise, float64 in about 0..1."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width] / max(height, width)
    shapes = 0.5 * x + 0.3 * ((x - 0.4) ** 2 + (y - 0.3) ** 2 < 0.04) + 0.1 * np.sin(30 * y)
    return np.clip(shapes + 0.1 + random.normal(0, 0.01, x.shape), 0, 1)


def byte_scene(*size, **options):
    return np.rint(scene(*size, **options) * 255).astype(np.uint8)


def counts(*size, **options):
    """What a thermal camera gives: 16 bits, all of it between 7000 and 9000."""
    return np.rint(7000 + 2000 * scene(*size, **options)).astype(np.uint16)


def run_command(command, *arguments):
    return command.main([str(argument) for argument in arguments])


# ---- files


def flir_jpeg(raw):
    """A radiometric JPEG: FLIR's records (as exiftool describes them) in an APP1 segment.

    Emissivity 1 and no distance, so that the temperature is Planck's: see `planck`.
    """
    height, width = raw.shape
    pixels = struct.pack("<HHH", 2, width, height).ljust(32, b"\0") + raw.astype("<u2").tobytes()
    camera = bytearray(900)
    for place, value in ((32, 1.0), (36, 0.0), (40, 293.15), (44, 293.15), (48, 293.15), (52, 1.0),
                         (60, 0.5), (88, PLANCK["R1"]), (92, PLANCK["B"]), (96, PLANCK["F"]),
                         (780, PLANCK["R2"])):
        struct.pack_into("<f", camera, place, value)
    struct.pack_into("<i", camera, 776, PLANCK["O"])
    first = 64 + 4 * 32
    directory = b""
    for kind, subtype, start, length in ((1, 2, first, len(pixels)),
                                         (32, 1, first + len(pixels), len(camera))):
        directory += struct.pack(">HHIIII", kind, subtype, 100, 1, start, length).ljust(32, b"\0")
    header = b"FFF\0" + b"kit".ljust(16, b"\0") + struct.pack(">III", 100, 64, 4)
    records = header.ljust(64, b"\0") + directory.ljust(4 * 32, b"\0") + pixels + bytes(camera)
    stream = io.BytesIO()
    picture = np.dstack([np.arange(width * height, dtype=np.uint8).reshape(height, width)] * 3)
    picture[..., 0] = 200
    exif = Image.Exif()
    exif[271] = "FLIR Systems"
    Image.fromarray(picture).save(stream, "JPEG", exif=exif)
    segment = b"FLIR\0\x01\0\0" + records
    jpeg = stream.getvalue()
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


PLANCK = {"R1": 21106.77, "B": 1501.0, "F": 1.0, "O": -7340, "R2": 0.012545258}


def planck(raw):
    """Kelvin of a black body, from a camera's counts."""
    inside = PLANCK["R1"] / (PLANCK["R2"] * (raw.astype(float) + PLANCK["O"])) + PLANCK["F"]
    return PLANCK["B"] / np.log(inside)


KINDS = {
    "grey.png": lambda path: Image.fromarray(byte_scene()).save(path),
    "grey16.png": lambda path: Image.fromarray(counts()).save(path),
    "grey.jpg": lambda path: Image.fromarray(byte_scene()).save(path, quality=100),
    "grey.tif": lambda path: tifffile.imwrite(path, byte_scene()),
    "grey16.tif": lambda path: tifffile.imwrite(path, counts()),
    "lzw.tif": lambda path: tifffile.imwrite(path, counts(), compression="lzw", predictor=True),
    "big-endian.tif": lambda path: tifffile.imwrite(path, counts(), byteorder=">"),
    "float.tiff": lambda path: tifffile.imwrite(path, scene().astype(np.float32) + 280),
    "white-is-zero.tif": lambda path: tifffile.imwrite(
        path, 255 - byte_scene(), photometric="miniswhite"),
    "palette.png": lambda path: Image.fromarray(byte_scene() // 2 * 2).convert("P").save(path),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_grey_file_is_read(name, tmp_path):
    KINDS[name](tmp_path / name)
    (page,) = files.read(tmp_path / name).pages
    expected = counts() if "16" in name or name in ("lzw.tif", "big-endian.tif") else byte_scene()
    if name == "float.tiff":
        expected = scene().astype(np.float32) + 280
    if name == "palette.png":
        expected = byte_scene() // 2 * 2
    assert page.shape[:2] == expected.shape
    assert files.depth_of(page) == (8 if expected.dtype == np.uint8 else 16)
    page = tone.grey(page).astype(float)
    assert np.abs(page - expected).max() <= (2.5 if name == "grey.jpg" else 1e-9)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", ["colour.png", "colour.tif", "planes.tif", "alpha.png"])
def test_colours_keep_their_depth_and_order(name, dtype, tmp_path):
    top = np.iinfo(dtype).max
    rgb = np.stack([np.rint(scene(seed=seed) * top).astype(dtype) for seed in range(3)], axis=-1)
    if name == "alpha.png":
        bgra = np.dstack([rgb[..., ::-1], np.full(rgb.shape[:2], top // 2, dtype)])
        cv2.imwrite(str(tmp_path / name), bgra)
    elif name.endswith("png"):
        cv2.imwrite(str(tmp_path / name), rgb[..., ::-1])
    else:
        planes = name == "planes.tif"
        tifffile.imwrite(tmp_path / name, rgb.transpose(2, 0, 1) if planes else rgb,
                         photometric="rgb", planarconfig="separate" if planes else "contig")
    picture = files.read(tmp_path / name)
    assert np.array_equal(picture.pages[0], rgb) and picture.pages[0].dtype == dtype
    assert bool(picture.remarks) == (name == "alpha.png")


def test_a_radiometric_jpeg_gives_temperatures(tmp_path):
    raw = np.arange(12000, 12000 + 24 * 32, dtype=np.uint16).reshape(24, 32)
    path = tmp_path / "FLIR.jpg"
    path.write_bytes(flir_jpeg(raw))
    (kelvin,) = files.read(path, radiometric=True).pages
    assert np.allclose(kelvin, planck(raw), atol=0.01)
    assert files.read(path).pages[0].shape == (24, 32, 3)  # the picture, for translation
    assert run_command(enhance_command, path, "--method", "clahe", "--out", tmp_path / "out") == 0
    made = Image.open(tmp_path / "out" / "FLIR.png")  # a JPEG has no 16 bits
    assert made.mode == "I;16" and made.getexif()[271] == "FLIR Systems"


def test_a_jpeg_keeps_exif_resolution_and_comment(tmp_path):
    exif = Image.Exif()
    exif[271], exif[272], exif[274] = "FLIR", "a camera", 6  # which alone has no temperatures
    exif.get_ifd(0x8769)[36867] = "2024:05:06 07:08:09"
    Image.fromarray(byte_scene()).save(tmp_path / "x.JPG", exif=exif, dpi=(150, 150), comment="hi")
    assert run_command(enhance_command, tmp_path, "--method", "he", "--out", tmp_path / "out") == 0
    with Image.open(tmp_path / "out" / "x.JPG") as made:
        kept = made.getexif()
        assert (made.format, made.mode, made.info["dpi"]) == ("JPEG", "L", (150, 150))
        assert made.info["comment"] == b"hi" and (kept[272], kept[274]) == ("a camera", 6)
        assert kept.get_ifd(0x8769)[36867] == "2024:05:06 07:08:09"


@pytest.mark.parametrize("place, value", [  # of what Pillow reads and cannot write again
    (2, 2),  # a resolution that is a text
    (-8, 0),  # no TIFF within
])
def test_exif_that_is_damaged_is_left_out_and_said_so(place, value, tmp_path, capsys):
    exif, whole = Image.Exif(), io.BytesIO()
    exif[282] = 72.0
    Image.fromarray(byte_scene()).save(whole, "JPEG", exif=exif, dpi=(72, 72))
    damaged = bytearray(whole.getvalue())
    damaged[damaged.index(b"\x01\x1a\x00\x05") + 1 + place] = value
    (tmp_path / "x.jpg").write_bytes(damaged)
    Image.fromarray(byte_scene()).save(tmp_path / "y.jpg")
    assert run_command(enhance_command, tmp_path, "--method", "he", "--out", tmp_path / "out") == 0
    assert "EXIF that cannot be written again is left out (first in" in capsys.readouterr().out
    with Image.open(tmp_path / "out" / "x.jpg") as made:
        assert not made.getexif()


def test_a_tiff_keeps_pages_and_tags(tmp_path):
    pages = [counts(40, 50, seed=seed) for seed in range(3)] + [counts(30, 20)]
    with tifffile.TiffWriter(tmp_path / "x.tif") as tiff:
        for number, page in enumerate(pages):
            tiff.write(page, metadata=None, description=f"page {number}, 20 °C".encode(),
                       resolution=(72, 36), resolutionunit="CENTIMETER", compression="zlib",
                       software="a camera's",
                       extratags=[(271, 2, None, "FLIR", False), (274, 3, 1, 6, False),
                                  (306, 2, None, "6 May 2024", False)])
    assert run_command(enhance_command, tmp_path, "--method", "he", "--out", tmp_path / "out") == 0
    with tifffile.TiffFile(tmp_path / "out" / "x.tif") as tiff:
        assert [page.shape for page in tiff.pages] == [page.shape for page in pages]
        for number, page in enumerate(tiff.pages):
            assert page.dtype == np.uint16 and page.description == f"page {number}, 20 °C"
            assert page.resolution == (72, 36) and page.resolutionunit == 3
            assert (page.software, page.tags[306].value) == ("a camera's", "6 May 2024")
            assert (page.tags[271].value, page.tags[274].value) == ("FLIR", 6)
            expected = tone.to_depth(enhance(pages[number], "he", depth=8), 16)
            assert np.array_equal(page.asarray(), expected)


def test_what_other_programs_say_of_old_pixels_is_not_kept(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", counts(), imagej=True, metadata={"min": 1, "max": 2})
    assert "description" not in files.read(tmp_path / "x.tif").kept[0]


def test_texts_of_a_png_are_kept(tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "me")
    Image.fromarray(counts()).save(tmp_path / "x.png", pnginfo=texts)
    assert run_command(enhance_command, tmp_path / "x.png", "--method", "gf", "--depth", "8",
                       "--out", tmp_path / "out") == 0
    with Image.open(tmp_path / "out" / "x.png") as made:
        assert made.mode == "L" and made.text["Author"] == "me"


# ---- ranges and depths


def test_depths_there_and_back():
    every = np.arange(256, dtype=np.float32)
    assert np.array_equal(tone.to_depth(every, 8), every)
    wide = tone.to_depth(every, 16)
    assert wide.dtype == np.uint16 and np.array_equal(wide, 257 * np.arange(256))
    assert np.array_equal(tone.to_depth(wide.astype(np.float32) / 257, 8), every)
    assert tone.to_depth(np.array([-5.0, 300.0], np.float32), 16).tolist() == [0, 65535]


@pytest.mark.parametrize("method", ["clahe", "2dgan"])
def test_the_result_has_the_depth_that_is_asked_for(method, weights):
    for image, same in ((byte_scene(), np.uint8), (counts(), np.uint16), (scene(), np.uint16),
                        (scene() > 0.5, np.uint8), (counts().astype(np.int32), np.uint16)):
        results = {depth: enhance(image, method, depth=depth, weights=weights)
                   for depth in ("same", 8, 16)}
        assert [made.dtype for made in results.values()] == [same, np.uint8, np.uint16]
        assert all(made.shape == image.shape for made in results.values())
        assert np.abs(results[16] / 257 - results[8]).max() <= 0.51
    with pytest.raises(ValueError, match="no depth 12"):
        enhance(byte_scene(), method, depth=12, weights=weights)


def test_percentiles_go_to_where_they_were_in_training():
    for image in (byte_scene(), counts(), scene() + 280):
        levels = WIDE_RANGE.levels(image)
        low, high = np.percentile(levels, (1, 99))
        assert (low, high) == pytest.approx((39, 96), abs=0.6)
        order = np.argsort(image, axis=None, kind="stable")
        assert (np.diff(levels.ravel()[order]) >= 0).all()


def test_neither_outliers_nor_black_rows_move_the_range():
    image = counts(100, 100)
    before = WIDE_RANGE.levels(image)
    hot = image.copy()
    hot[3, :40], hot[50, 50] = 60000, 0
    after = WIDE_RANGE.levels(hot)
    same = hot == image
    assert np.abs(after - before)[same].max() < 1.5
    assert after.max() == WIDE_RANGE.most and after.min() == WIDE_RANGE.least
    assert 0.003 < WIDE_RANGE.beyond(after) < 0.01 and WIDE_RANGE.beyond(before) < 0.003
    framed = np.pad(image, ((0, 6), (9, 0)))
    assert np.allclose(WIDE_RANGE.levels(framed)[:100, 9:], before)
    assert WIDE_RANGE.beyond(WIDE_RANGE.levels(framed)) == WIDE_RANGE.beyond(before)


@pytest.mark.parametrize("image", [
    np.full((20, 20), 8000, np.uint16), np.eye(40, dtype=np.uint8)[:, ::-1] * 9, np.ones((1, 1)),
    np.zeros((1, 9), np.uint8),
])
def test_images_without_content_stay_finite(image):
    levels = WIDE_RANGE.levels(image)
    assert np.isfinite(levels).all() and levels.min() >= 12 and levels.max() <= 137
    assert tone.as_bytes(image).dtype == np.uint8


def test_the_tone_map_is_that_of_the_tables(root):
    data = catalogue.load("enhancement_wide", root, 128, {"train": 24, "validation": 1, "test": 6})
    fitted = json.loads(json.dumps(untrained.tone_regression(data.train).tolist()))
    degraded = data.test.degraded.astype(np.float32)
    made = [np.rint(untrained.set_tone(image[None], np.array(fitted))[0]) for image in degraded]
    expected = untrained.fit_tone_map(data)(data.test.degraded).astype(int)
    assert np.abs(np.stack(made) - expected).max() <= 1
    assert np.mean(np.stack(made) != expected) < 1e-3  # rounding of a half


# ---- through a network


def loud(network):
    """A network whose weights are large enough for a pixel's neighbours to matter."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.ConvTranspose2d)):
            torch.nn.init.normal_(module.weight, 0, 1.5 / module.weight[0].numel() ** 0.5)
    return network.eval()


@pytest.fixture(scope="module")
def local():
    return loud(TwoDGAN(TwoDGANConfig(widths=(4, 8, 16, 16))))


@pytest.mark.parametrize("attention", ["cross_level", "pixel", "none"])
@pytest.mark.parametrize("depth", [3, 4])
def test_how_far_the_network_looks(attention, depth):
    """With positive weights and no saturation nothing cancels: the gradient shows all inputs."""
    network = TwoDGAN(TwoDGANConfig(widths=(2, 3, 4, 4)[:depth], attention=attention)).double()
    for parameter in network.eval().parameters():
        parameter.data.abs_()
    for module in network.modules():
        if isinstance(module, torch.nn.Tanh):
            module.forward = lambda x: x
    side, reach = 320, 0
    x = torch.full((1, 1, side, side), 0.01, dtype=torch.double, requires_grad=True)
    made = network(x)
    for place in range(160, 160 + 2**depth):  # every phase of the strides
        (gradient,) = torch.autograd.grad(made[0, 0, place, place], x, retain_graph=True)
        seen = gradient[0, 0].nonzero()
        reach = max(reach, place - int(seen.min()), int(seen.max()) - place)
    assert reach == 5 * 2**depth - 3  # as passes.py says


@pytest.mark.parametrize("size", [(333, 270), (256, 256), (16, 401)])
@pytest.mark.parametrize("tile", [64, 100, 256])
def test_tiles_equal_the_whole(local, size, tile):
    levels = WIDE_RANGE.levels(counts(*size))
    whole = passes.enhance_levels(local, levels, tile=0)
    tiled = passes.enhance_levels(local, levels, tile=tile)
    assert whole.shape == size and whole.std() > 5
    assert np.abs(tiled - whole).max() < 1e-3
    if min(size) > 128 and tile == 64:  # and it does look beyond a tile
        alone = passes.enhance_levels(local, levels[64:128, 64:128], tile=0)
        assert np.abs(alone - whole[64:128, 64:128]).max() > 1


def test_padding_does_not_move_what_needs_none(local):
    levels = WIDE_RANGE.levels(counts(64, 96))
    with torch.no_grad():
        plain = local(torch.from_numpy(levels / 127.5 - 1)[None, None])[0, 0].numpy()
    assert np.allclose(passes.enhance_levels(local, levels, shifts=1), (plain + 1) * 127.5, atol=1e-3)


def test_shifts_soften_the_grid():
    y, x = np.mgrid[:256, :320]
    warm = (y - 180) ** 2 + (x - 240) ** 2 < 50**2
    image = 90 + 110 * warm + y / 20 + np.random.default_rng(0).normal(0, 1, warm.shape)
    flat = straight_steps(image) < FLAT
    once, often = (straight_steps(enhance(image, shifts=n, depth=8))[flat] for n in (1, 4))
    assert once.max() > 2 * VISIBLE and often.max() < VISIBLE
    with pytest.raises(ValueError, match="3 shifts do not divide a grid of 16 pixels; 1, 2, 4, 8, 16 do"):
        enhance(image, shifts=3)


@pytest.mark.parametrize("network", [
    ResnetGenerator(ResnetGeneratorConfig(widths=(4, 8, 16), blocks=2, cbam=True)),
    UnetGenerator(UnetGeneratorConfig(widths=(4, 8, 8, 8, 8))),
], ids=["resnet", "unet"])
def test_translation_sees_the_whole_image(network):
    network = loud(network)
    rgb = np.repeat(scene(67, 90)[..., None] * 255, 3, axis=-1).astype(np.float32)
    made = passes.translate_levels(network, rgb)
    assert made.shape == (67, 90) and made.std() > 1
    part = passes.translate_levels(network, rgb[:48, :48])
    assert np.abs(part[:16, :16] - made[:16, :16]).max() > 1  # why there are no tiles
    reduced = passes.translate_levels(network, rgb, limit=60)
    assert passes.reduced_size((67, 90), 60) == (52, 70) and reduced.shape == (67, 90)
    assert np.isfinite(reduced).all() and reduced.min() >= 0 and reduced.max() <= 255
    with pytest.raises(ValueError, match="90x12 pixels"):
        passes.translate_levels(network, rgb[:12])


# ---- shipped weights


@pytest.fixture(scope="module")
def runs(tmp_path_factory, root, perceptual):
    """A run for each task, in the profile `test`."""
    folder = tmp_path_factory.mktemp("runs")
    return {name: running.run(name, "test", 0, root, folder / name, "cpu", report=quiet)
            for name in ("C5-wide", "GN_CycleGAN-FLIR")}


@pytest.fixture(scope="module")
def weights(runs, root, tmp_path_factory):
    """Shipped weights of both."""
    folder = tmp_path_factory.mktemp("weights")
    for run in runs.values():
        arguments = [str(run), "--data", str(root), "--out", str(folder)]
        assert ship.main(arguments) == 0
    return folder


@pytest.mark.parametrize("name, task, experiment", [
    ("2dgan", "enhancement", "C5-wide"), ("gn_cyclegan", "translation", "GN_CycleGAN-FLIR"),
])
def test_shipped_weights_say_where_they_come_from(name, task, experiment, weights, runs):
    about = json.loads((weights / f"{name}.json").read_text())
    record = json.loads((runs[experiment] / "run.json").read_text())
    assert about["task"] == task
    for key in ("experiment", "profile", "seed", "steps", "dataset", "n_images", "code_commit"):
        assert about[key] == record[key]
    assert about["metrics"].items() <= record["metrics"].items() and "PSNR" in about["metrics"]
    assert not any(metric.startswith("last") for metric in about["metrics"])
    assert about["dataset"] in about["licence"] and "1/16" in " ".join(about["limits"])
    found = shipped.load(name, weights, torch.device("cpu"), about["sha256"])
    original = running.load_generator(runs[experiment])
    assert (weights / f"{name}.safetensors").stat().st_size < 4.5 * count_parameters(original) + 5e4
    assert not found.training and found.config == original.config
    for key, value in original.state_dict().items():
        assert torch.equal(found.state_dict()[key], value)


def test_the_weights_of_the_kit_work():
    for method in (enhance, translate):
        made = method(byte_scene())
        assert made.shape == byte_scene().shape and made.std() > 1


def test_a_setting_newer_than_the_weights_has_its_default():
    config = ResnetGeneratorConfig(widths=(4, 8, 16), blocks=1)
    settings = {**asdict(config), "kind": "ResnetGeneratorConfig"}
    older = {key: value for key, value in settings.items() if key != "cbam_norm"}
    assert shipped.build(older).config == config
    with pytest.raises(ValueError, match="settings of a ResnetGeneratorConfig"):
        shipped.build(settings | {"unheard_of": True})
    with pytest.raises(ValueError, match="settings of a None"):
        shipped.build(asdict(config))


def test_tone_is_that_of_the_training_images(weights, root):
    about = json.loads((weights / "2dgan.json").read_text())
    data = catalogue.load("enhancement_wide", root, 128, {"train": 24, "validation": 4, "test": 6})
    ends = [np.percentile(image, (1, 99)) for image in data.train.degraded]
    assert (about["tone"]["low"], about["tone"]["high"]) == pytest.approx(np.mean(ends, axis=0))
    assert about["tone_map"] == pytest.approx(untrained.tone_regression(data.train))


def test_only_a_run_of_today_is_shipped(runs, root, tmp_path, capsys):
    assert ship.main([str(tmp_path), "--data", str(root), "--out", str(tmp_path / "w")]) == 2
    assert "holds no run" in capsys.readouterr().err
    run = tmp_path / "run"
    run.mkdir()
    for file in runs["C5-wide"].iterdir():
        if file.is_file():
            (run / file.name).write_bytes(file.read_bytes())
    alter_record(run, status="stopped")
    assert ship.main([str(run), "--data", str(root), "--out", str(tmp_path / "w")]) == 2
    assert "stopped after" in capsys.readouterr().err and not (tmp_path / "w").exists()


@pytest.mark.parametrize("name", ["summed_attention", "C3-unweighted"])
def test_a_network_that_would_be_taken_for_another_is_not_shipped(name, root, tmp_path, perceptual):
    """Weights of the first fit `TwoDGAN`, which makes other images of them."""
    run = running.run(name, "test", 0, root, tmp_path / name, "cpu", report=quiet)
    with pytest.raises(ValueError, match="its settings alone would build another"):
        ship.ship(run, data=root, out=tmp_path / "w")
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize(("name", "terms"), [
    ("24 images of your own", "these images are your own"), ("ImageNet-5504", "non-commercial"),
])
def test_the_terms_are_those_of_the_images(name, terms, runs, root, tmp_path, monkeypatch):
    described = catalogue.describe
    monkeypatch.setattr(catalogue, "describe", lambda key, root: replace(
        described(key, root), name=name, root=root / "imagenet"))
    about = json.loads(ship.ship(runs["C5-wide"], data=root, out=tmp_path).read_text())
    assert terms in about["licence"] and ("ImageNet:" in about["licence"]) == ("ImageNet" in name)


def test_too_much_is_not_shipped(runs, root, tmp_path, monkeypatch):
    monkeypatch.setattr(ship, "MOST_BYTES", 1e5)
    (tmp_path / "other.safetensors").write_bytes(bytes(90_000))
    with pytest.raises(ValueError, match="all shipped weights would be 0.3 MB"):
        ship.ship(runs["C5-wide"], data=root, out=tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["other.safetensors"]


def test_damaged_weights_are_named(weights, tmp_path):
    for file in weights.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    flip(tmp_path / "2dgan.safetensors")
    with pytest.raises(ValueError, match="2dgan.safetensors is damaged"):
        enhance(byte_scene(), weights=tmp_path)
    (tmp_path / "gn_cyclegan.json").write_text("{")
    with pytest.raises(ValueError, match="gn_cyclegan.json is damaged"):
        translate(byte_scene(), weights=tmp_path)
    for other in ("{}", "5", '{"status": "complete"}'):  # the last is a run's, which is not damaged
        (tmp_path / "gn_cyclegan.json").write_text(other)
        with pytest.raises(ValueError, match=r"gn_cyclegan.json is not what lib\.own_images\.ship"):
            translate(byte_scene(), weights=tmp_path)


def test_weights_that_were_shipped_anew_are_taken(weights, tmp_path):
    for file in weights.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    before = enhance(byte_scene(), weights=tmp_path)
    path, told = tmp_path / "2dgan.safetensors", tmp_path / "2dgan.json"
    save_file({name: 0 * tensor for name, tensor in load_file(path).items()}, path)
    told.write_text(json.dumps(json.loads(told.read_text()) | {"sha256": sha256(path)}))
    after = enhance(byte_scene(), weights=tmp_path)
    assert before.std() > 1 and after.std() < 1


def test_without_weights_one_line_says_what_works(tmp_path, capsys):
    for command, method in ((enhance_command, "2dgan"), (enhance_command, "tonemap"),
                            (translate_command, "gn_cyclegan"), (enhance_command, "magic")):
        code = run_command(command, tmp_path, "--method", method, "--out", tmp_path / "out",
                           "--weights", tmp_path)
        told = capsys.readouterr().err
        assert code == 2 and told.count("\n") == 1 and method in told
        there = "nothing yet" if command is translate_command else "clahe, gf, he, msr, ssr"
        assert f"what works here: {there}" in told


def test_two_lines_of_python(weights):
    for image in (byte_scene(), counts(), scene(300, 170), np.dstack([byte_scene()] * 3)):
        made = enhance(image, weights=weights)
        assert made.shape == image.shape[:2] and made.std() > 0
        assert translate(image, weights=weights).shape == image.shape[:2]
    for wrong, why in ((np.full((20, 20), np.nan), "NaN"), (np.zeros((20, 20, 7)), r"20, 7\)"),
                       (np.zeros((20, 20), complex), "complex"), (np.zeros((0, 4)), r"\(0, 4\)"),
                       ([[1, 2]], "list"), (byte_scene(15, 40), "40x15 pixels")):
        with pytest.raises(ValueError, match=why):
            enhance(wrong, weights=weights)


def test_scale_and_offset_of_counts_do_not_matter(weights):
    image = counts(64, 64)
    made = enhance(image, weights=weights).astype(int)
    other = enhance(image.astype(np.float64) * 0.01 - 50, weights=weights).astype(int)
    assert np.abs(made - other).max() <= 2  # of 65535


def test_a_well_lit_image_is_not_washed_out(weights):
    bright = np.clip(byte_scene().astype(int) + 60, 0, 255).astype(np.uint8)
    for method in ("2dgan", "tonemap"):
        made = enhance(bright, method, weights=weights)
        assert np.mean(made >= 250) < 0.05 and np.mean(made <= 5) < 0.05
        assert 60 < made.mean() < 190


# ---- many files


def test_a_batch_does_what_it_can(tmp_path, weights, capsys):
    """Good files are done, each bad one is told of in a line, nothing is half written."""
    inputs, out = tmp_path / "in", tmp_path / "out"
    for folder in ("a", "b", "empty", ".hidden"):
        (inputs / folder).mkdir(parents=True)
    for folder in ("a", "b", ".hidden"):
        Image.fromarray(byte_scene()).save(inputs / folder / "x.png")
    whole = io.BytesIO()
    Image.fromarray(byte_scene()).save(whole, "PNG")
    (inputs / "a" / "cut.png").write_bytes(whole.getvalue()[:-400])
    frames = io.BytesIO()
    tifffile.imwrite(frames, np.stack([counts()] * 4), photometric="minisblack")
    (inputs / "a" / "cut.tif").write_bytes(frames.getvalue()[:-5000])
    (inputs / "a" / "text.jpg").write_text("no image")
    (inputs / "b" / "tiny.png").write_bytes(b"")
    Image.fromarray(byte_scene(12, 30)).save(inputs / "b" / "small.png")
    bad = scene().astype(np.float32)
    bad[5, 5] = np.inf
    tifffile.imwrite(inputs / "b" / "inf.tif", np.stack([scene().astype(np.float32), bad]))
    colour = np.dstack([byte_scene(seed=k) for k in range(3)])
    Image.fromarray(colour).save(inputs / "b" / "colour.png")
    (inputs / "notes.txt").write_text("not for us")
    asked = [inputs / name for name in ("a", "b", "empty", "gone", "notes.txt")]
    code = run_command(enhance_command, *asked, "--out", out, "--weights", weights)
    told = capsys.readouterr()
    errors = [line for line in told.err.splitlines() if line.startswith("error: ")]
    assert code == 1 and told.err.splitlines()[-1] == "9 could not be done"
    for name, why in {
        "a/cut.png": "cannot be read", "a/cut.tif": "cannot be read",
        "a/text.jpg": "no PNG or JPEG", "b/tiny.png": "no PNG or JPEG",
        "b/small.png": "30x12 pixels", "empty": "holds no",
        "b/inf.tif, page 2": "NaN or infinite", "gone": "is not there", "notes.txt": "is no PNG",
    }.items():
        about_it = [line for line in errors if str(inputs / name) in line and why in line]
        assert len(about_it) == 1 and about_it[0].count(str(tmp_path)) == 1, (name, errors)
    made = sorted(str(file.relative_to(out)) for file in out.rglob("*") if file.is_file())
    assert made == ["a/x.png", "b/colour.png", "b/x.png"]
    assert told.out.count("colour images become grey") == 1 and "left" in told.out
    assert "Traceback" not in told.err


def test_links_are_followed_by_their_own_names(tmp_path):
    """One to itself is no image; the result of one is called as it is, wherever it leads."""
    Image.fromarray(byte_scene()).save(tmp_path / "x.png")
    folder = tmp_path / "links"
    folder.mkdir()
    (folder / "itself.png").symlink_to("itself.png")
    (folder / "there.png").symlink_to(tmp_path / "x.png")
    for asked in (folder, folder / "there.png"):
        out = tmp_path / f"of-{asked.name}"
        assert run_command(enhance_command, asked, "--method", "he", "--out", out) == 0
        assert [file.name for file in out.iterdir()] == ["there.png"]


def test_names_that_cannot_be_shown_stop_nothing(tmp_path, capsys):
    """Bytes of another encoding than the terminal's, as an old disk or archive leaves them."""
    for name in (b"geb\xe4ude.png", b"x.png"):
        image = np.dstack([byte_scene(seed=seed) for seed in range(3)])
        Image.fromarray(image).save(tmp_path / os.fsdecode(name), "PNG")
    assert run_command(enhance_command, tmp_path, "--method", "he", "--out", tmp_path / "out") == 0
    told = capsys.readouterr().out
    assert told.count("ude.png") == 2 and "note: colour" in told and "[2/2]" in told


def test_results_may_go_to_a_folder_above(tmp_path):
    (tmp_path / "images").mkdir()
    Image.fromarray(byte_scene()).save(tmp_path / "images/x.png")
    assert run_command(enhance_command, tmp_path / "images", "--method", "he",
                       "--out", tmp_path) == 0
    assert (tmp_path / "x.png").is_file()


def test_nothing_is_overwritten_unasked(tmp_path, capsys):
    Image.fromarray(byte_scene()).save(tmp_path / "x.png")
    Image.fromarray(byte_scene()).save(tmp_path / "x.jpg")
    before = (tmp_path / "x.png").read_bytes()
    command = (enhance_command, tmp_path, "--method", "he", "--out")
    assert run_command(*command, tmp_path / "out", "--depth", "16") == 1  # x.png of both
    assert "has just been made of" in capsys.readouterr().err
    made = tmp_path / "out" / "x.png"
    first = made.stat().st_mtime_ns
    assert run_command(*command, tmp_path / "out") == 1 and made.stat().st_mtime_ns == first
    assert "--overwrite replaces it" in capsys.readouterr().err
    assert run_command(*command, tmp_path / "out", "--overwrite") == 0
    assert made.stat().st_mtime_ns > first and not (tmp_path / "out" / "out").exists()
    assert run_command(*command, tmp_path, "--overwrite") == 1  # the inputs themselves
    assert "would replace the input" in capsys.readouterr().err
    assert (tmp_path / "x.png").read_bytes() == before


def test_a_write_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def fail(self, stream, *args, **options):
        with open(stream, "wb") as file:
            file.write(b"half")
        raise OSError("no space left")

    Image.fromarray(byte_scene()).save(tmp_path / "x.png")
    monkeypatch.setattr(Image.Image, "save", fail)
    assert run_command(enhance_command, tmp_path / "x.png", "--method", "he",
                       "--out", tmp_path / "out") == 1
    assert not list((tmp_path / "out").iterdir())


def test_translation_of_files(tmp_path, weights, capsys):
    rgb = np.dstack([byte_scene(seed=k) for k in range(3)])
    Image.fromarray(rgb).save(tmp_path / "colour.png")
    Image.fromarray(counts()).save(tmp_path / "grey16.png")
    code = run_command(translate_command, tmp_path, "--out", tmp_path / "out", "--weights", weights,
                       "--limit", "60", "--device", "cpu")
    assert code == 0
    told = capsys.readouterr().out
    assert told.count("translated at 67x54 and enlarged") == 2 and "become grey" not in told
    with Image.open(tmp_path / "out" / "colour.png") as one:
        assert (one.mode, one.size) == ("L", (75, 60))
        assert np.array_equal(np.asarray(one), translate(rgb, limit=60, weights=weights))
    with Image.open(tmp_path / "out" / "grey16.png") as one:
        assert (one.mode, one.size) == ("I;16", (75, 60))


def test_an_unknown_device_is_refused_at_once(tmp_path, capsys):
    code = run_command(enhance_command, tmp_path, "--method", "he", "--out", tmp_path / "out",
                       "--device", "abacus")
    assert code == 2 and "abacus" in capsys.readouterr().err
