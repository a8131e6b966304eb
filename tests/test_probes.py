"""Bad input ends in one clear line or in a right result: hundreds of probes (tests/probes)."""

import os
import re

import pytest

from tests.probes.__main__ import judged, probes, table
from tests.probes.judging import (
    CLEAR,
    CONFUSING,
    HANG,
    LOST,
    RIGHT,
    WRONG,
    Case,
    Probe,
    Told,
    judge,
)

CASES = 700
# what readers of images and checkpoints, whose definitions published trainings are known by, let
# pass; an entry that no probe ends badly at any more has to go
KNOWN = (
    r"faces, TIFF", r"(load|check) sober_drunk, a (file cut|sequence with)",
    r"of three pictures", r"is a text|, a text", r"TIFF LAB", r"16 bits, [34] channels",
    r"Truncated|(flip|zeros|cut|text|twice) at", r"hidden file of macOS", r"in the place of the last",
    r"describe again, other content", r"digests: flip",
)  # fmt: skip


def test_nothing_ends_in_a_traceback_in_silence_or_never():
    verdicts = list(judged(probes(CASES)))
    assert len(verdicts) >= 500
    bad = [verdict for verdict in verdicts if verdict.kind not in (RIGHT, CLEAR)]
    unknown = [str(one) for one in bad if not any(re.search(k, one.probe.name) for k in KNOWN)]
    assert not unknown, "\n".join([*unknown, table(verdicts)])


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
])  # fmt: skip
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
