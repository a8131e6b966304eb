"""A small vocabulary of checks on the numbers of the papers' tables.

A check is data, in data/audit.yaml and data/claims.yaml, so that the same one runs on the papers'
numbers and on ours. Methods and metrics are names of one table, lists of them, or patterns such as
`*.PSNR`; without a table (`in`) they are experiments, and what is measured of ours alone. `by` and
`within` are in the metric's unit, a number or one for each metric ({PSNR: 0.5} is half a dB). The
words:

    {higher: Ours, than: "*", in: table3, of: "*.PSNR"}         each of these above each of those
    {higher: C5, than: C4, in: table4, of: PSNR, by: 7}         and by more than 7 dB
    {lower: C4, than: C2, in: table4, of: "*"}
    {near: C2, to: C1, in: table4, of: IE, within: 0.17}        they differ by at most 0.17
    {lower: [SSR, MSR], than: 16, in: table3, of: "*.PSNR"}     `than` and `to` may be a constant
    {equal: [table4/PSNR/C5, table6/PSNR/L5]}
    {lower: C5, than: C3, of: saturation}

Each stands for a list of relations, all of which have to hold.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from lib.papers import reported

WORDS = {  # word -> what has to stand with it, and what may
    "higher": ({"than", "of"}, {"in", "by"}), "lower": ({"than", "of"}, {"in", "by"}),
    "near": ({"to", "of"}, {"in", "within"}), "equal": (set(), set()),
}
ROUNDING = 1e-9  # of differences of printed numbers
SHOWN = 3  # relations that are written out where there are many


@dataclass(frozen=True)
class Relation:
    """`left` above `right` (">") or near it ("~"): cells as `table4/AG/C5`, or a constant.
    `margin`: by how much it is exceeded, or how far off it may be, in their unit."""

    left: str | float
    sign: str
    right: str | float
    margin: float = 0.0

    @property
    def cells(self) -> list[str]:
        return [side for side in (self.left, self.right) if isinstance(side, str)]

    def allows(self, difference: float) -> bool:
        """Whether `difference`, left - right, is as claimed; a tie is not above."""
        if self.sign == ">":
            return difference > self.margin
        return abs(difference) <= self.margin + ROUNDING

    def border(self, difference: float) -> float:
        """The nearest difference at which that changes."""
        return self.margin if self.sign == ">" or difference > 0 else -self.margin

    def holds(self, values: Mapping[str, float]) -> bool:
        """Of exact numbers, by cell. KeyError for a cell that has none."""
        left, right = (values[s] if isinstance(s, str) else s for s in (self.left, self.right))
        return self.allows(left - right)

    def describe(self, values: Mapping[str, str], verb: str) -> str:
        """`16 is above table3/Img1.PSNR/GF 8.2680`, with the value of each cell behind it."""
        sides = (self.left, self.right)
        left, right = (f"{s} {values[s]}" if s in values else f"{s}" for s in sides)
        if self.sign == ">":
            by = f" by more than {self.margin:g}" if self.margin else ""
            return f"{left} {verb} above {right}{by}"
        near = f"within {self.margin:g} of" if self.margin else "equal to"
        return f"{left} {verb} {near} {right}"


def relations(check: Mapping | list[Mapping], paper: str) -> list[Relation]:
    """What a check, or each of a list, says of single cells. ValueError for unknown or missing
    words, for unknown cells, and where nothing is compared."""
    if isinstance(check, list):
        return [relation for one in check for relation in relations(one, paper)]
    word = next((word for word in WORDS if word in check), None)
    needed, optional = WORDS.get(word, (set(), set()))
    if word is None or not needed <= set(check) - {word} <= needed | optional:
        raise ValueError(f"{dict(check)} is no check; lib.papers.checks lists the words there are")
    if word == "equal":
        for cell in check["equal"]:
            reported.printed(paper, *cell.split("/"))  # ValueError where there is none
        left, right = check["equal"]
        return [Relation(left, "~", right)]
    item, found = check.get("in"), []
    metrics, methods = _names(paper, item)
    those = check["to" if word == "near" else "than"]
    for metric in _match(check["of"], metrics):
        margin = check.get("by", check.get("within", 0))
        if isinstance(margin, Mapping):
            margin = margin[metric.rpartition(".")[2]]
        left = [_cell(paper, item, metric, one) for one in _match(check[word], methods)]
        right = ([those] if isinstance(those, int | float) else
                 [_cell(paper, item, metric, one) for one in _match(those, methods)])
        pairs = [(a, b) for a in left for b in right if a != b]
        if word == "lower":
            pairs = [(b, a) for a, b in pairs]
        found += [Relation(a, "~" if word == "near" else ">", b, margin) for a, b in pairs]
    if not found:
        raise ValueError(f"{dict(check)} compares nothing")
    return found


def summary(found: list[str], outcome: str) -> str:
    """`2 fail: a; b`, of what is longer than SHOWN the beginning."""
    more = len(found) - SHOWN
    return f"{outcome}: " + "; ".join(found[:SHOWN]) + (f"; and {more} more" if more > 0 else "")


def _cell(paper: str, item: str | None, metric: str, method: str) -> str:
    names = (method, metric) if item is None or paper == "gn_cyclegan" else (metric, method)
    return "/".join(filter(None, (item, *names)))


@cache
def _names(paper: str, item: str | None) -> tuple[list[str] | None, list[str] | None]:
    """Metrics and methods of a table: GN_CycleGAN prints one method a row, 2D-GAN one a column.
    None without a table: any name will do."""
    if item is None:
        return None, None
    part = reported.cells(paper, item)
    rows, columns = list(part["row"].unique()), list(part["column"].unique())
    return (columns, rows) if paper == "gn_cyclegan" else (rows, columns)


def _match(patterns: str | list[str], names: list[str] | None) -> list[str]:
    patterns = [patterns] if isinstance(patterns, str) else patterns
    if names is None:
        return patterns
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise ValueError(f"{pattern!r} matches none of {', '.join(names)}")
    return [name for name in names if any(fnmatchcase(name, p) for p in patterns)]
