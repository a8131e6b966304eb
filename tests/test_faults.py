"""Every write of a training, of its stamps and of its tables fails once, as on a full disk or by a
kill: what was there stays, the next run goes on and ends with the same bytes.

`python -m tests.faults` does the same to whole runs, with real kills and real disks.
"""

import errno
import os
import shutil
import time
from pathlib import Path

import pytest

from lib.data import catalogue
from lib.files import telling
from lib.papers import reported
from lib.results import claims, numbers
from lib.running.job import Job, Options, Plan
from lib.training import engine
from lib.training.run import run
from made_runs import quiet


@pytest.fixture
def failing(monkeypatch):
    """What has failed: each file once while it is written, and once more where it is then moved."""
    failed = []

    def once(real):
        def move(source, target):
            temporary = Path(source).name.startswith(".")
            key = f"written {Path(target).name}" if temporary else f"moved {Path(source).name}"
            if key in failed:
                return real(source, target)
            failed.append(key)
            if temporary:
                os.truncate(source, os.path.getsize(source) // 2)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return move

    monkeypatch.setattr(os, "replace", once(os.replace))
    monkeypatch.setattr(os, "rename", once(os.rename))
    return failed


def until_done(work, attempts=60) -> list[str]:
    """What was told of each attempt that failed."""
    told = []
    for _ in range(attempts):
        try:
            work()
            return told
        except OSError as error:
            told.append(str(error))
    raise AssertionError(f"not done after {attempts} attempts: {told[-1]}")


def train(folder, seed=0, **options):
    options = {"without_perceptual": True, "device": "cpu", "report": quiet} | options
    return run("C1", "test", seed, folder / "data", folder / "run", **options)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "run.json"}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """What a training that nothing disturbs leaves."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("whole")
        (folder / "data").mkdir()
        patch.setenv("IR_CACHE", str(folder / "cache"))
        return contents(train(folder))


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("IR_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_each_write_of_a_training_fails_once(place, whole, failing, monkeypatch):
    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", 0)
    told = until_done(lambda: train(place))
    names = {"checkpoint.part", "weights.safetensors", "last_weights.safetensors", "history.csv",
             "run.json", "test_images.csv", "samples.png", "precision.txt", "SHA256.json",
             "train degraded.npy"}
    assert {f"written {name}" for name in names} <= set(failing)
    assert {f"moved {name}" for name in names & whole.keys()} <= set(failing)
    assert len(told) == len(failing)
    assert all("No space left" in line and str(place) in line and "\n" not in line for line in told)
    assert contents(place / "run") == whole
    assert not [path for path in (place / "cache").rglob(".*") if path.is_file()]


def test_a_kill_after_the_last_move_leaves_no_checkpoints(place, whole, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(shutil, "rmtree", killed)
        train(place)
    assert list((place / "run/training").glob("checkpoint-*.pt"))
    train(place)
    assert contents(place / "run") == whole  # without the folder


def test_what_another_training_began_stays(place):
    train(place)
    train(place, seed=1, time_budget=0)
    begun = list((place / "run/training").glob("checkpoint-*.pt"))
    train(place)
    assert begun and begun == list((place / "run/training").glob("checkpoint-*.pt"))


def test_the_clock_is_set_back_in_the_middle(place, whole, monkeypatch):
    """By a day: all that was written before is of tomorrow."""
    monkeypatch.setattr(engine, "CHECKPOINT_SECONDS", 0)
    train(place, time_budget=0.2)
    tomorrow = time.time() + 86_400
    for path in place.rglob("*"):
        os.utime(path, (tomorrow, tomorrow))
    train(place)
    assert contents(place / "run") == whole


def test_a_stamp_of_tomorrow_is_one_of_today(tmp_path):
    """Else Snakemake takes back what is made from it, each time until tomorrow."""
    reads, done = Job("14_table", {}, {"C5_seed0": "a"}), Job("C5_seed0", {})
    done.begin(tmp_path)
    done.finish(tmp_path, seconds=1)
    stamp = done.stamp(tmp_path)
    os.utime(stamp, (time.time() + 86_400,) * 2)
    Plan(Options("test", (0,), "cpu", ""), [reads], 1, 1).write(tmp_path / "stamps/plan.json")
    assert stamp.stat().st_mtime <= time.time()


def test_a_full_disk_is_told_of_with_its_place_and_other_errors_as_they_are(tmp_path):
    with pytest.raises(OSError, match=f"^{tmp_path}: a checkpoint cannot be written"):
        with telling(tmp_path):  # what torch.save says of a full disk
            raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64")
    with pytest.raises(RuntimeError, match="^sizes differ$"), telling(tmp_path):
        raise RuntimeError("sizes differ")
    with pytest.raises(FileNotFoundError, match="'nowhere'"), telling(tmp_path):
        open("nowhere")
    with pytest.raises(BlockingIOError, match="^busy$"), telling(tmp_path):
        raise BlockingIOError("busy")


def test_a_job_whose_stamp_cannot_be_written_is_not_done(tmp_path, failing):
    job = Job("C5_seed0", {"code": "1"}, what="train")
    plan = Plan(Options("test", (0,), "cpu", ""), [job], threads=1, parallel=1)

    def work():
        plan.write(tmp_path / "stamps/plan.json")
        job.begin(tmp_path)
        assert plan.left(tmp_path) == [job]
        job.finish(tmp_path, seconds=1)

    until_done(work)
    assert len(failing) == 3 and not plan.left(tmp_path)
    assert not [path for path in (tmp_path / "stamps").iterdir() if path.name[0] == "."]


def test_a_link_to_nothing_is_no_absent_data_set(place):
    (place / "data/imagenet").symlink_to("nowhere")
    with pytest.raises(ValueError, match="imagenet is no folder, or a link that leads nowhere"):
        catalogue.describe("enhancement", place / "data")


def test_each_write_of_numbers_and_claims_fails_once(results, papers_own_numbers, failing):
    names = ["numbers.csv", *(f"tables/{path.name}" for path in (results / "tables").iterdir())]
    before = {name: (results / name).read_bytes() for name in names}
    item = reported.load().query("item == 'table4' and paper == '2dgan'")
    rows = [numbers.Number(n.row, n.column, n.reported) for n in item.itertuples()]

    def work():
        numbers.record("test", "2dgan", "table4", rows)
        claims.write_claims("test")

    until_done(work)
    assert failing == ["written 2dgan_table4.csv", "written numbers.csv", "written claims.csv"]
    assert before == {name: (results / name).read_bytes() for name in names}
