"""Strategies that several areas share."""

import copy
import json

from hypothesis import strategies as st

# what a field of a JSON file is replaced by; `...`: it is left out
INSTEAD = (..., None, True, -1, 0, 10**30, 1.5, float("nan"), float("inf"), "", "é{x}$", [], [None],
           {}, {"": None})

# values of options: empty, out of range, of 30 digits, signed, of other digits, no numbers at all
TEXTS = st.one_of(
    st.sampled_from(["", " ", "0", "-1", "1" * 30, "-" + "9" * 30, "1e3", "0x10", "1.5", "nan",
                     "inf", "-inf", "NaN", "1_0", "+1", " 1", "1 ", "٣", "²", "01", "None", "true",
                     "0,0", "0,00", ",", "1,,2", "0,1", "1,-1", "$HOME", "{x}", "é", "a b", "/",
                     "../..", "~", "\t", "'", "--", "-", "*", "C5\n", "auto ", "CPU", "cuda:0"]),
    st.integers(-3, 2000).map(str),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
)


def paths_in(value, path: tuple = ()) -> list[tuple]:
    """The places in a nested JSON value, the value itself first."""
    inner = (value.items() if isinstance(value, dict) else
             enumerate(value) if isinstance(value, list) else ())
    return [path] + [found for key, one in inner for found in paths_in(one, (*path, key))]


def replaced(value, path: tuple, by) -> object:
    """A copy of a nested value with something else in a place; `by` ...: with nothing there."""
    if not path:
        return None if by is ... else copy.deepcopy(by)
    value = inner = copy.deepcopy(value)
    for key in path[:-1]:
        inner = inner[key]
    if by is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = copy.deepcopy(by)
    return value


def dump(value) -> str:
    """As JSON, with NaN and infinities as Python writes them."""
    return json.dumps(value, indent=1)


@st.composite
def other_json(draw):
    """(name, function of bytes): a JSON file with something else in one of its places."""
    place, by = draw(st.floats(0, 1, exclude_max=True)), draw(st.sampled_from(INSTEAD))

    def change(content: bytes) -> bytes:
        known = json.loads(content)
        paths = paths_in(known)
        return dump(replaced(known, paths[int(place * len(paths))], by)).encode()

    return f"{by!r} at {place:.4f}", change


@st.composite
def damages(draw):
    """(name, function of bytes): a flipped bit, cut short, bytes of zero, added, doubled, none."""
    where = draw(st.floats(0, 1, exclude_max=True))
    kind = draw(st.sampled_from(["flip", "cut", "zeros", "added", "twice", "empty", "text"]))
    bit = draw(st.integers(0, 7))

    def flip(content: bytes) -> bytes:
        place = int(where * len(content))
        return content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :]

    def zeros(content: bytes) -> bytes:
        place = int(where * len(content))
        gone = content[place : place + 16]
        return content[:place] + bytes(len(gone)) + content[place + 16 :]

    damage = {
        "flip": flip, "zeros": zeros,
        "cut": lambda content: content[: int(where * len(content))],
        "added": lambda content: content + b"\0more",
        "twice": lambda content: content * 2,
        "empty": lambda content: b"",
        "text": lambda content: b"not what it was\n",
    }[kind]
    return f"{kind} at {where:.6f}" + f" bit {bit}" * (kind == "flip"), damage
