"""Bad input ends in one clear line or in a right result: hundreds of probes (tests/probes)."""

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.probes.__main__ import summary
from tests.probes.judging import (
    CLEAR, CONFUSING, HANG, LOST, RIGHT, WRONG, Case, Probe, Told, judge,
)

CASES = 500


def test_nothing_ends_in_a_traceback_in_silence_or_never():
    # in a process of its own: what hypothesis draws depends on the modules that are imported
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        tried, bad, told = pool.submit(summary, CASES).result()
    assert tried >= 500
    assert not bad, "\n".join([*bad.values(), told])


def probe(call, **more) -> str:
    return judge(Probe("area", "name", lambda place: Case(call, **more))).kind


def fail(error):
    raise error


@pytest.mark.parametrize("call, more, kind", [
    (lambda: 1, {"right": lambda result: ""}, RIGHT),
    (lambda: 1, {"right": lambda result: "2 is right"}, WRONG),
    (lambda: 1, {}, WRONG),
    (lambda: fail(ValueError("a.png is no image")), {"named": ["a.png"]}, CLEAR),
    (lambda: fail(ValueError("no image")), {"named": ["a.png"]}, CONFUSING),
    (lambda: fail(ValueError("a.png\nis no image")), {"named": ["a.png"]}, CONFUSING),
    (lambda: fail(KeyError("a.png")), {"named": ["a.png"]}, CONFUSING),
    (lambda: fail(ValueError("a.png")), {"named": ["a.png"], "good": True}, CONFUSING),
    (lambda: Told(2, "", "usage: x [-h]\n      IN\nx: error: no a.png\n"), {"named": ["a.png"]}, CLEAR),
    (lambda: Told(1, "1 wrong\na.png is gone\n", ""), {"named": ["a.png"]}, CLEAR),
    (lambda: Told(1, "", "Traceback (most recent call last):\na.png"), {"named": ["a.png"]}, CONFUSING),
    (lambda: Told(0, "", ""), {}, WRONG),
])
def test_the_rules(call, more, kind):
    assert probe(call, **more) == kind


def test_a_hang_and_a_loss_are_seen(monkeypatch, tmp_path):
    monkeypatch.setattr("tests.probes.judging.SECONDS", 0.2)

    def wait(place):
        os.mkfifo(place / "pipe")
        return Case(lambda: open(place / "pipe").read())

    def lose(place):
        (place / "kept").write_text("x")
        return Case((place / "kept").unlink, right=lambda result: "", kept=[place / "kept"])

    assert judge(Probe("area", "name", wait)).kind == HANG
    assert judge(Probe("area", "name", lose)).kind == LOST
