"""Why a claim or a statement is judged so: what lib.papers.checks writes, in a reader's words.

`4 of 24 fail: table3/Img1.PSNR/Ours 18.88 is not above table3/Img1.PSNR/FUnIE 19.02; and 3 more`
becomes "4 of 24 comparisons say otherwise" and "Table 3, image 1, PSNR: 2D-GAN 18.88 dB, FUnIE-GAN
19.02 dB: not above", with each number as a link to its place.
"""

import re

from markupsafe import Markup

from lib.report.wording import anchor_of, place_and_name, worded

OUTCOMES = {  # word of lib.results.claims -> of one comparison, of several
    "fail": ("says otherwise", "say otherwise"), "hold": ("agrees", "agree"),
    "open": ("is not settled", "are not settled"), "not above": ("says nothing", "say nothing"),
}
NOTES = {
    "(over all test images)": "Judged over all test images, not the three that the paper prints.",
    "(one seed: true of these networks, training again may differ)":
        "One seed: true of these networks, training again may differ.",
}
VERBS = {"is": "", "is not": "not ", "may be": "not settled whether "}
_HEAD = re.compile(rf"(\d+) of (\d+) ({'|'.join(OUTCOMES)}): (.*)", re.DOTALL)
_SIDE = r"(?:\S.*?/.+? )?[-+]?\d[\d.]*(?:e[-+]?\d+)?"  # a cell and its value, or a constant
_COMPARISON = re.compile(
    rf"(?P<left>{_SIDE}) (?P<verb>is not|is|may be) (?P<what>above|equal to|within \S+ of) "
    rf"(?P<right>{_SIDE})(?P<margin> by more than \S+)?"
    r"(?: \[difference (?P<low>\S+) to (?P<high>\S+)\])?"
)


def argument(why: str, paper: str) -> dict[str, str | list]:
    """Of `why`, the `head`: how many comparisons decide; `lines`: some of them; `notes`: what to
    keep in mind. Other text is parted into lines at its semicolons, its keys in words."""
    notes = [note for note in NOTES if note in why]
    for note in notes:
        why = why.replace(note, "").rstrip()
    head = ""
    if counted := _HEAD.fullmatch(why):
        some, of_all, outcome, why = counted.groups()
        said = OUTCOMES[outcome][some != "1"]
        head = f"{some} of {of_all} comparison{'s' if of_all != '1' else ''} {said}:"
    lines = [comparison(one, paper) for one in why.split("; ") if one]
    return {"head": head, "lines": lines, "notes": [NOTES[note] for note in notes]}


def comparison(text: str, paper: str) -> Markup:
    """One relation as `lib.papers.checks.Relation.describe` writes it; other text as it is."""
    if not (parts := _COMPARISON.fullmatch(text)):
        return worded(text, paper)
    (place, left), (other, right) = (_side(parts[side], paper) for side in ("left", "right"))
    what = parts["what"].removesuffix(" to")  # equal
    ends = [float(parts[end]) for end in ("low", "high") if parts[end]]
    if not place:  # "16 is above ..."
        place, left, other, right, what = other, right, "", left, "below"
        ends = [-end for end in reversed(ends)]
    unit = " dB" if "PSNR" in place else ""
    if other:
        compared = Markup("{}, {}" if other == place else "{}; {other}: {}")
        compared = compared.format(left, right, other=other)
        what = what.replace(" of", f"{unit} of each other")
    else:
        compared, what = left, f"{what} {right}{unit}"
    what = VERBS[parts["verb"]] + what + (parts["margin"] + unit if parts["margin"] else "")
    if ends:
        what += _minus(" (difference {:+.3g} to {:+.3g}{})".format(*ends, unit))
    return Markup("{}: {}: {}").format(place, compared, what)


def _side(text: str, paper: str) -> tuple[str, Markup]:
    """Of `table3/Img1.PSNR/Ours 18.88` the place and a link "2D-GAN 18.88 dB"; of a constant an
    empty place and the constant."""
    cell, _, value = text.rpartition(" ")
    if not cell:
        return "", Markup.escape(text)
    place, name = place_and_name(cell, paper)
    said = f"{name} {_minus(value)}" + " dB" * ("PSNR" in place)
    link = Markup('<a href="#{}">{}</a>' if (anchor := anchor_of(cell, paper)) else "{1}")
    return place, link.format(anchor, said)


def _minus(numbers: str) -> str:
    """With the sign for minus, which is wider than a hyphen; exponents stay."""
    return re.sub(r"(?<!e)-", "−", numbers)
