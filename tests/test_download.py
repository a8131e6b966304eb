"""Fetching data sets from a server of our own, which breaks in every way, and checking folders."""

import hashlib
import io
import json
import shutil
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import tifffile
import yaml
from PIL import Image, ImageOps

from lib.data import catalogue, check, download, imagenet, sober_drunk, sources, splits
from lib.data.fingerprint import of_files
from lib.files import sha256
from lib.paths import REPO
from made_runs import edit, put

pytestmark = pytest.mark.usefixtures("own_cache")
COMMIT = "ab71420" + "0" * 33


class Server(BaseHTTPRequestHandler):
    """Serves `files`; `broken` says how: a status, "short" for half of what was announced."""

    files: dict[str, bytes] = {}
    broken: dict[str, int | str] = {}
    asked: list[str] = []

    def do_GET(self):
        self.asked.append(self.path)
        how = self.broken.get(self.path, 200 if self.path in self.files else 404)
        content = self.files.get(self.path, b"")
        self.send_response(200 if how == "short" else how)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if how == "short" else content)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="session")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def root(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def declare(tmp_path, monkeypatch, address):
    """Write a sources.yaml of one made-up origin, at our server."""
    Server.files, Server.broken, Server.asked = {}, {}, []
    monkeypatch.setattr(download, "RETRIES", 0)

    def write(name, parts, **fields):
        (tmp_path / "sources").mkdir(exist_ok=True)
        file = tmp_path / "sources" / f"{time.monotonic_ns()}.yaml"
        about = {"title": "made up", "page": address, "licence": "MIT", "size": "small",
                 "free": True, "holds": {}, "parts": parts} | fields
        file.write_text(yaml.safe_dump({name: about}).replace("SERVER", address))
        monkeypatch.setattr(sources, "FILE", file)
        sources.read.cache_clear()

    yield write
    sources.read.cache_clear()


def noise(seed, size=(40, 30), mode="RGB", kind="JPEG"):
    """A picture of coarse noise, as a file."""
    levels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    written = io.BytesIO()
    Image.fromarray(levels).convert(mode).resize(size).save(written, kind)
    return written.getvalue()


def photographs(ending, **counts):
    """Files of coarse noise by name, so many in each part."""
    kind = {"jpg": "JPEG", "png": "PNG"}[ending]
    return {f"{part}/{i}.{ending}": noise([n, i], kind=kind)
            for part, n in counts.items() for i in range(n)}


def zipped(files, comment=COMMIT, top="Repository-ab71420/"):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in files.items():
            archive.writestr(top + name, content)
        archive.comment = comment.encode()
    return written.getvalue()


def road_pairs(n=44):
    halves = {"crop_LR_visible": "RGB", "cropinfrared": "L"}
    return {f"{half}/A_{i * 100:05d}.jpg": noise([i, j], mode=mode)
            for i in range(n) for j, (half, mode) in enumerate(halves.items())}


def sequences():
    """Two made-up frames of each of 41 persons, sober and drunk, as files."""
    files = {}
    for person in range(1, 42):
        for number, state in ((1, "sober"), (2, "drunk")):
            frames = np.full((2, 8, 6), person * 2 + number, np.uint16)
            tifffile.imwrite(written := io.BytesIO(), frames, photometric="minisblack")
            files[f"{state}/{person:02d}_{number}_f_M.tif"] = written.getvalue()
    return files


ROAD = {"archive": "SERVER/road/{commit}.zip", "commit": "ab71420",
        "take": {r"(crop_LR_visible|cropinfrared)/([^/]+\.jpg)": r"\1/\2"}}
ROAD_PATH = "/road/ab71420.zip"


@pytest.fixture
def road(declare):
    """A made-up RoadScene, with files that are not wanted."""
    declare("roadscene", [ROAD], holds={"crop_LR_visible": 44, "cropinfrared": 44})
    files = road_pairs()
    Server.files[ROAD_PATH] = zipped(files | {"README.md": b"text", "crop_HR_visible/a.jpg": b"-"})
    return files


def run(root, *arguments):
    return download.main([*arguments, "--data", str(root)])


def left(root):
    """What is in a data root besides the lock of `.downloads`."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return sorted(path.relative_to(root).as_posix() for path in files if path.name != "lock")


def error_line(capsys):
    told = capsys.readouterr().err.splitlines()
    (line,) = [line for line in told if line.startswith("roadscene:")]
    return line


# A whole download


def test_a_whole_download(root, road, capsys):
    assert run(root, "roadscene") == 0
    assert left(root) == sorted(["downloads.json", *(f"roadscene/{name}" for name in road)])
    assert all((root / "roadscene" / name).read_bytes() == road[name] for name in road)
    record = json.loads((root / "downloads.json").read_text())["roadscene"]
    assert record["sources"][0]["commit"] == COMMIT
    assert record["files"] == {n: hashlib.sha256(c).hexdigest() for n, c in sorted(road.items())}
    assert catalogue.describe("flir", root).name == "RoadScene (FLIR)"
    assert capsys.readouterr().out.startswith("roadscene: made up\n")
    assert run(root, "roadscene") == 0  # it is there
    assert "is there already" in capsys.readouterr().out and Server.asked == [ROAD_PATH]


def test_images_without_their_other_half_are_left_out(root, road, capsys):
    single = {"cropinfrared/B_1.jpg": noise(1, mode="L")}
    Server.files[ROAD_PATH] = zipped(road | single)
    assert run(root, "roadscene") == 0
    assert "1 images without the other half" in capsys.readouterr().out
    assert left(root)[1:] == sorted(f"roadscene/{name}" for name in road)


def test_faces_are_told_and_named_by_their_checksums(root, declare, capsys):
    faces = sequences()
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in faces.items()}
    part = {"archive": "SERVER/faces.zip", "commit": "ab71420"}
    declare("sober_drunk", [part], sha256=digests, holds={"sober": 41, "drunk": 41})
    upstream = {f"faces/{i}_extra_fields.tif": content for i, content in enumerate(faces.values())}
    Server.files["/faces.zip"] = zipped(upstream | {"faces/other.tif": b"another view"})
    assert run(root, "sober_drunk") == 0
    assert left(root) == sorted(["downloads.json", *(f"sober_drunk/{name}" for name in faces)])
    assert all((root / "sober_drunk" / name).read_bytes() == faces[name] for name in faces)
    assert check.main(["--data", str(root)]) == 0
    shutil.rmtree(root / "sober_drunk")
    Server.files["/faces.zip"] = zipped(upstream | {"faces/5_extra_fields.tif": b"altered"})
    assert run(root, "sober_drunk") == 1
    told = capsys.readouterr().err
    assert "no file has the published SHA-256 of drunk/03_2_f_M.tif" in told
    assert left(root) == ["downloads.json"]


@pytest.fixture
def natural(declare):
    """A made-up ImageNet-5504: an archive, and files one by one of which one is gone."""
    one = {"rows": "rows.csv", "to": "{file}"}
    declare("imagenet", [
        one | {"archive": "SERVER/a.zip", "commit": "ab71420", "only": "a",
               "path": "in/{path}.png"},
        one | {"each": "SERVER/b/", "only": "b", "path": "in/{path}.JPEG"},
    ], holds={"train": 4, "val": 3}, square=16)
    rows = [f"train/{i}.jpg,{'ab'[i % 2]},potter's_{i}" for i in range(4)]
    rows += [f"val/{i}.jpg,b,v_{i}" for i in range(3)]
    (sources.FILE.parent / "rows.csv").write_text("\n".join(["file,source,path", *rows]))
    pictures = {f"in/potter's_{i}.png": noise(i, (30, 20), kind="PNG") for i in (0, 2)}
    Server.files["/a.zip"] = zipped(pictures)
    for name, seed in (("potter%27s_1", 1), ("potter%27s_3", 3), ("v_0", 4), ("v_1", 5)):
        Server.files[f"/b/in/{name}.JPEG"] = noise(seed)
    return pictures


def test_imagenet_is_fetched_by_the_table_and_cut_to_squares(root, natural, capsys):
    assert run(root, "imagenet") == 1  # val/2.jpg is gone
    told = capsys.readouterr().out
    assert "/b/in/v_2.JPEG is gone at its source" in told
    assert f"{root / 'imagenet/val'}: 2 files of at least 3" in told
    names = [*(f"train/{i}.jpg" for i in range(4)), "val/0.jpg", "val/1.jpg"]
    assert left(root) == ["downloads.json", *(f"imagenet/{name}" for name in names)]
    with Image.open(root / "imagenet/train/2.jpg") as found:
        assert (found.format, found.size) == ("JPEG", (16, 16))
        with Image.open(io.BytesIO(natural["in/potter's_2.png"])) as original:
            middle = original.crop((5, 0, 25, 20)).resize((16, 16), Image.Resampling.LANCZOS)
        grey = [np.asarray(image.convert("L"), float) for image in (found, middle)]
        assert np.abs(grey[0] - grey[1]).mean() < 5 < 25 < grey[1].std()


def test_files_one_by_one_go_on_where_they_broke_off(root, natural, capsys):
    Server.broken["/b/in/v_1.JPEG"] = 503
    assert run(root, "imagenet") == 1
    assert "503" in capsys.readouterr().err
    assert not (root / "imagenet").exists() and "downloads.json" not in left(root)
    Server.broken, Server.asked = {}, []
    assert run(root, "imagenet") == 1
    assert sorted(Server.asked) == ["/b/in/v_1.JPEG", "/b/in/v_2.JPEG"]
    assert (root / "imagenet/val/1.jpg").is_file()


def test_an_archive_that_was_fetched_by_hand(root, declare, tmp_path, address):
    """LLVIP: halves in subfolders that the kit wants flat."""
    take = {r"(?:.*/)?(visible|infrared)/(?:train|test)/([^/]+\.jpg)": r"\1/\2"}
    declare("llvip", [{"archive": "LLVIP.zip", "take": take}], free=False,
            steps="1. Fetch it, then {data}.\n", holds={"visible": 44, "infrared": 44})
    sides = ("train", "test")
    files = {f"{half}/{sides[i % 2]}/{i:03d}.jpg": noise([i, j])
             for i in range(44) for j, half in enumerate(("visible", "infrared"))}
    archive = tmp_path / "LLVIP.zip"
    archive.write_bytes(zipped(files, comment="", top="LLVIP/"))
    assert run(root, "llvip") == 1 and left(root) == []
    assert run(root, "llvip", "--from", str(archive)) == 1 and left(root) == []  # the licence
    assert run(root, "llvip", "--from", str(archive), "--yes") == 0
    assert archive.is_file() and (root / "llvip/infrared/001.jpg").is_file()
    assert catalogue.describe("osu", root).name == "LLVIP (OSU stand-in)"


def test_steps_are_printed_and_the_folder_is_checked(tmp_path, declare, capsys):
    (root := tmp_path / "my images").mkdir()
    declare("ilsvrc", [], folder="imagenet", steps="1. Put it into {data}/imagenet.\n")
    assert run(root, "ilsvrc") == 1
    told = capsys.readouterr().out
    assert f"1. Put it into '{root}'/imagenet.\n" in told and "absent" in told
    put(root / "imagenet", photographs("jpg", train=4, val=5))
    assert run(root, "ilsvrc") == 0


# What can go wrong: one clear line, nothing half-written


@pytest.mark.parametrize(("how", "message"), [
    ("short", "broke off"), (503, "the server answers 503"), (404, "the server answers 404"),
])
def test_a_server_that_fails_once(root, road, how, message, capsys):
    Server.broken[ROAD_PATH] = how
    assert run(root, "roadscene") == 1
    assert message in error_line(capsys) and left(root) == []
    Server.broken = {}
    assert run(root, "roadscene") == 0


def test_a_missing_host(root, declare, capsys):
    declare("roadscene", [ROAD | {"archive": "http://127.0.0.1:9/a.zip"}])
    assert run(root, "roadscene") == 1
    assert "127.0.0.1:9 cannot be reached" in error_line(capsys) and left(root) == []


@pytest.mark.parametrize("damage", [
    lambda whole: whole[: len(whole) // 2],  # announced as whole
    lambda whole: b"<html>busy</html>",
    lambda whole: whole[:3000] + bytes([whole[3000] ^ 255]) + whole[3001:],  # zip's CRC tells
], ids=["truncated", "no archive", "altered"])
def test_a_damaged_archive_is_fetched_anew(root, road, damage, capsys):
    whole = Server.files[ROAD_PATH]
    Server.files[ROAD_PATH] = damage(whole)
    assert run(root, "roadscene") == 1
    assert "no whole ZIP archive" in error_line(capsys) and left(root) == []
    Server.files[ROAD_PATH] = whole
    assert run(root, "roadscene") == 0


def test_an_archive_with_a_password_is_refused(root, road, capsys):
    """Its files are marked as encrypted, in the head of each and in the archive's list."""
    whole = bytearray(Server.files[ROAD_PATH])
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        place = whole.find(mark)
        while place >= 0:
            whole[place + flags] |= 1
            place = whole.find(mark, place + 4)
    Server.files[ROAD_PATH] = bytes(whole)
    assert run(root, "roadscene") == 1
    assert "encrypted" in error_line(capsys) and left(root) == []


def test_what_the_first_download_brought_is_held_to(root, road, capsys):
    assert run(root, "roadscene") == 0
    shutil.rmtree(root / "roadscene")
    other = road | {"cropinfrared/A_00300.jpg": noise(99, mode="L")}
    Server.files[ROAD_PATH] = zipped(other)
    assert run(root, "roadscene") == 1
    assert "cropinfrared/A_00300.jpg is not what the download of 20" in error_line(capsys)
    assert left(root) == ["downloads.json"]
    stored = root / "downloads.json"
    edit(stored, '"fetched"', '"brought"')
    assert run(root, "roadscene") == 1
    assert f"{stored} is damaged; move it away" in error_line(capsys)
    stored.unlink()
    assert run(root, "roadscene") == 0


@pytest.mark.parametrize(("files", "comment", "message"), [
    ({}, "c" * 40, "is of commit cccc"),
    ({"cropinfrared/A_00100.jpg": noise(1, mode="L")[:300]}, COMMIT, "not usable"),
    ({"cropinfrared/A_00100.jpg": noise(1, (50, 50), "L")}, COMMIT, "are not of one size"),
])
def test_what_is_not_usable_is_not_installed(root, road, files, comment, message, capsys):
    Server.files[ROAD_PATH] = zipped(road | files, comment)
    assert run(root, "roadscene") == 1
    assert message in error_line(capsys) and left(root) == []


def test_an_archive_cannot_write_elsewhere(root, declare, tmp_path, capsys):
    declare("roadscene", [ROAD | {"take": {"(.*)": r"\1"}}])
    Server.files[ROAD_PATH] = zipped({"../../../evil.jpg": noise(1)})
    assert run(root, "roadscene") == 1
    assert "leads elsewhere" in error_line(capsys)
    assert left(root) == [] and not list(tmp_path.rglob("evil.jpg"))


def test_two_files_cannot_go_to_one_place(root, declare, capsys):
    declare("roadscene", [ROAD | {"take": {r".*/([^/]+\.jpg)": r"cropinfrared/\1"}}])
    Server.files[ROAD_PATH] = zipped(road_pairs(2))
    assert run(root, "roadscene") == 1
    assert "would be cropinfrared/A_00000.jpg" in error_line(capsys) and left(root) == []


def test_what_a_killed_download_left_is_removed(root, road):
    half = root / ".downloads/roadscene/0-ab71420/tmpabc"
    half.parent.mkdir(parents=True)
    half.write_bytes(b"half")
    staged = root / ".downloads/roadscene/staged/roadscene/cropinfrared/old.jpg"
    staged.parent.mkdir(parents=True)
    staged.write_bytes(b"half")
    assert run(root, "roadscene") == 0
    assert left(root) == sorted(["downloads.json", *(f"roadscene/{name}" for name in road)])


def test_a_licence_that_restricts_use_is_asked_for(root, road, declare, monkeypatch, capsys):
    declare("roadscene", [ROAD], free=False, licence="for research")
    assert run(root, "roadscene") == 1 and not Server.asked
    assert "--yes agrees" in error_line(capsys)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer, code in (("", 1), ("y", 0)):
        monkeypatch.setattr("builtins.input", lambda prompt, answer=answer: answer)
        assert run(root, "roadscene") == code
    assert "licence  for research" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "message"), [
    (["mnist"], "unknown data set 'mnist'; there are roadscene"),
    (["roadscene", "--from", "nowhere.zip"], "there is no file nowhere.zip"),
    (["--from", "nowhere.zip"], "--from takes one NAME"),
    (["roadscene", "--data", "nowhere"], "nowhere' is not a folder"),
])
def test_wrong_arguments(road, arguments, message, capsys):
    with pytest.raises(SystemExit) as stopped:
        download.main(arguments)
    assert stopped.value.code == 2 and message in capsys.readouterr().err


# What is tracked: data/sources.yaml and the tables it names


def test_the_origins_are_consistent(capsys):
    origins = sources.read()
    assert {origin.folder for origin in origins.values()} == set(sources.FOLDERS)
    for origin in origins.values():
        targets = [to for part in origin.parts for to in part.wanted().values()]
        assert len(targets) == len({*targets})
        assert origin.parts or origin.steps
        for digest in (*origin.sha256.values(), *origin.fingerprints):
            assert len(digest) == 64 and int(digest, 16)
        for part in origin.parts:
            assert bool(part.archive) != bool(part.each) and "{" not in part.archive + part.each
            assert part.commit in part.archive + part.each
    assert download.main([]) == 0
    told = capsys.readouterr().out
    assert all(origin.title in told and origin.licence in told for origin in origins.values())


def test_the_readme_says_the_same():
    text = (REPO / "data" / "README.md").read_text(encoding="utf-8")
    for origin in sources.read().values():
        assert f"| `{origin.name}` |" in text and origin.page in text
        for part in origin.parts:
            assert part.commit[:7] in text


def test_imagenet_can_be_drawn_again():
    parts = sources.read()["imagenet"].parts
    wanted = [part.wanted() for part in parts]
    assert [len(one) for one in wanted] == [990, 982, 800, 633, 2099]
    assert {to for one in wanted for to in one.values()} == set(splits.read("imagenet"))
    assert wanted[4]["train/n03028079/n03028079_10539.JPEG"] == "train/00000.jpg"


@pytest.mark.parametrize(("name", "path", "target"), [
    ("roadscene", "crop_LR_visible/FLIR_00006.jpg", "crop_LR_visible/FLIR_00006.jpg"),
    ("roadscene", "crop_HR_visible/FLIR_00006.jpg", None),
    ("osu", "img_00012.bmp", "thermal/1_00012.bmp"),
    ("osu", "1a/img_00012.BMP", "thermal/1_00012.BMP"),
    ("osu", "1a/Thumbs.db", None),
    ("llvip", "LLVIP/visible/test/190001.jpg", "visible/190001.jpg"),
    ("llvip", "LLVIP/Annotations/190001.xml", None),
])
def test_where_paths_of_archives_go(name, path, target):
    assert sources.read()[name].parts[0].target(path) == target


def test_faces_by_checksum_are_those_of_the_split():
    names = sources.read()["sober_drunk"].sha256
    persons = {int(name.partition("/")[2][:2]) for name in names}
    assert len(names) == 81 and persons == set(range(1, 42))


# Names claim what fingerprints show


def test_images_of_your_own_are_called_so(root, road):
    put(root / "roadscene", road_pairs(6))
    assert catalogue.describe("flir", root).name == "6 pairs of your own"
    assert catalogue.describe("flir_infrared", root).name == "6 pairs of your own, infrared"
    assert catalogue.load("flir", root, 8).name == "6 pairs of your own"


def test_a_download_that_was_altered_is_your_own(root, road, capsys):
    assert run(root, "roadscene") == 0
    altered = root / "roadscene/crop_LR_visible/A_00200.jpg"
    altered.write_bytes(noise(1))
    (root / "roadscene/crop_LR_visible/A_00300.jpg").unlink()
    (root / "roadscene/cropinfrared/A_00300.jpg").unlink()
    assert catalogue.describe("flir", root).name == "43 pairs of your own"
    assert check.main(["--data", str(root)]) == 1
    told = capsys.readouterr().out
    assert f"{altered} was altered since the download" in told and told.count("is gone since") == 2


def test_one_file_that_is_gone_is_told_of_alone(root, road, capsys):
    assert run(root, "roadscene") == 0
    (root / "roadscene/crop_LR_visible/A_00300.jpg").unlink()
    capsys.readouterr()
    problems = told_of(root, capsys)
    assert "has no other half" in problems[0] and len(problems) == 2
    assert "crop_LR_visible/A_00300.jpg is gone since the download of 20" in problems[1]


def test_published_checksums_make_a_set_known(root, declare):
    put(root / "imagenet", photographs("jpg", train=3, val=4))
    digests = {name: sha256(path) for name, path in imagenet.list_files(root).items()}
    declare("imagenet", [])
    assert catalogue.describe("enhancement_wide", root).name == (
        "7 images of your own, wide degradation"
    )
    declare("imagenet", [], sha256=digests)
    assert catalogue.describe("enhancement", root).name == "ImageNet subset (3 train, 4 val)"


# Checking a data root


@pytest.fixture
def whole(root):
    """A data root without fault: 8 + 10 natural images, 12 pairs."""
    put(root / "imagenet", photographs("png", train=8, val=10))
    put(root / "roadscene", road_pairs(12))
    return root


def told_of(root, capsys):
    code = check.main(["--data", str(root)])
    table, problems = [], []
    for line in capsys.readouterr().out.splitlines():
        (problems if line.startswith(f"{root}/") else table).append(line)
    assert len(table) == 2 + len(sources.FOLDERS) and code == bool(problems)
    return problems


def test_a_root_without_fault(whole, capsys):
    assert told_of(whole, capsys) == []
    check.main(["--data", str(whole)])
    table = capsys.readouterr().out
    assert "imagenet         18  usable     18 images of your own\n" in table
    assert "llvip             0  absent     synthetic park scenes\n" in table


def test_an_empty_root_is_usable(root, capsys):
    assert told_of(root, capsys) == []


def test_no_root(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        check.main(["--data", str(tmp_path / "nowhere")])
    assert stopped.value.code == 2


def damage(path, change):
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize("change", [lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b"text"])
def test_unreadable_files_are_named_each(whole, change, capsys):
    broken = [damage(whole / "imagenet/train/3.png", change),
              damage(whole / "imagenet/val/4.png", change),
              damage(whole / "roadscene/cropinfrared/A_00100.jpg", change)]
    problems = told_of(whole, capsys)
    assert len(problems) == 3
    assert all(any(f"{path} cannot be read" in one for one in problems) for path in broken)


def test_faces_truncated_unknown_and_copied_are_named(root, capsys):
    put(root / "sober_drunk", sequences())
    assert told_of(root, capsys) == []
    broken = damage(root / "sober_drunk/drunk/07_2_f_M.tif", lambda b: b[: len(b) // 2])
    shutil.copy(root / "sober_drunk/sober/01_1_f_M.tif", root / "sober_drunk/sober/99_1_f_M.tif")
    problems = told_of(root, capsys)
    assert len(problems) == 2 and str(broken) in problems[0] and "99_1_f_M.tif" in problems[1]
    split_of = sober_drunk.read_split()
    one, other = (next(p for p in split_of if split_of[p] == split) for split in ("train", "test"))
    files = [root / f"sober_drunk/sober/{person:02d}_1_f_M.tif" for person in (one, other)]
    shutil.copy(*files)
    assert f"{files[1]} is a copy of {files[0]}, which is in training" in told_of(root, capsys)


def test_a_half_pair_and_two_sizes_are_named(whole, capsys):
    half = whole / "roadscene/cropinfrared/A_00500.jpg"
    content = half.read_bytes()
    half.write_bytes(noise(1, (20, 20), "L"))
    assert "A_00500.jpg are not of one size" in told_of(whole, capsys)[0]
    half.unlink()
    assert "crop_LR_visible/A_00500.jpg has no other half" in told_of(whole, capsys)[0]
    half.write_bytes(content)
    assert told_of(whole, capsys) == []


def test_images_in_training_and_in_test_are_named(whole, capsys):
    train, val = whole / "imagenet/train", whole / "imagenet/val"
    (val / "3.png").write_bytes((train / "2.png").read_bytes())
    with Image.open(train / "5.png") as image:
        ImageOps.mirror(image).resize((64, 64)).save(val / "6.png")
    problems = told_of(whole, capsys)
    assert [one.split(",")[0] for one in problems] == [
        f"{val / '3.png'} shows what {train / '2.png'} shows",
        f"{val / '6.png'} shows what {train / '5.png'} shows",
    ]


def test_too_few_to_use_is_said(whole, capsys):
    shutil.copytree(whole / "roadscene/crop_LR_visible", whole / "osu/color")
    shutil.copytree(whole / "roadscene/cropinfrared", whole / "osu/thermal")
    for path in list((whole / "imagenet/val").iterdir())[1:]:
        path.unlink()
    problems = told_of(whole, capsys)
    assert any("12 pairs of at least 40" in one for one in problems)
    assert any("imagenet/val holds 1 images to use" in one for one in problems)
    assert len(problems) == 2


def test_the_real_sets_are_known_by_name(data_root):
    names = {"imagenet": "ImageNet-5504", "sober_drunk": "Sober-Drunk (front faces)",
             "roadscene": "RoadScene (FLIR)", "msrs": "MSRS"}
    there = {folder: name for folder, name in names.items() if (data_root / folder).is_dir()}
    if not there or not all(
        of_files(sources.files(data_root, folder), data_root / folder)
        in sources.known(data_root, folder) for folder in there
    ):
        pytest.skip("other copies than the ones our results are of")
    keys = {folder: key for key in ("enhancement", "sober_drunk", "flir", "msrs")
            for folder in catalogue.DATA_SETS[key].folders}
    for folder, name in there.items():
        assert catalogue.describe(keys[folder], data_root).name == name


def test_a_folder_that_is_a_link_is_used_like_any(whole, tmp_path, capsys):
    root = tmp_path / "links"
    root.mkdir()
    (root / "roadscene").symlink_to(whole / "roadscene")
    assert check.main(["--data", str(root)]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("roadscene")]
    assert "usable" in line and "not used" not in line
