"""Tables that are ruled: the lines make a grid, and what stands in a mesh is a cell.

Lengths are in points, from the page's top left corner.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from wenqu.readers.builder import join_lines
from wenqu.readers.pages.layout_tables import markdown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wenqu.readers.pages.layout_rows import Line, Pieces

__all__ = ["Rule", "ruled_tables"]

_NEAR = 3.0  # lines so near each other are one, or touch
_LEAST = 4.0  # shorter ones are ticks
_FILLED = 0.4  # of the meshes; a chart's grid has few with words in them
_MAX_MESHES = 20_000
_CELL_GAP = 0.12
_TOP = attrgetter("top")


class Rule(NamedTuple):
    """A straight line, along the page's edges, or the rectangle it was drawn as."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def of(cls, x: float, y: float, other_x: float, other_y: float) -> Rule:
        """Return the rule between two corners, whichever they are."""
        return cls(min(x, other_x), min(y, other_y), max(x, other_x), max(y, other_y))

    @property
    def across(self) -> bool:
        """Whether it runs from left to right."""
        return self.right - self.left >= self.bottom - self.top

    def edges(self) -> tuple[Rule, Rule, Rule, Rule]:
        """Return the four sides of a rectangle."""
        return (
            Rule(self.left, self.top, self.right, self.top),
            Rule(self.left, self.bottom, self.right, self.bottom),
            Rule(self.left, self.top, self.left, self.bottom),
            Rule(self.right, self.top, self.right, self.bottom),
        )

    def touches(self, other: Rule) -> bool:
        """Say whether they cross or meet."""
        return (
            self.left <= other.right + _NEAR
            and other.left <= self.right + _NEAR
            and self.top <= other.bottom + _NEAR
            and other.top <= self.bottom + _NEAR
        )


def ruled_tables(pieces: Pieces, rules: Sequence[Rule]) -> list[Line] | None:
    """Return the pieces with each table's own put together as one; None where there is no table."""
    long = [r for r in rules if r.right - r.left >= _LEAST or r.bottom - r.top >= _LEAST]
    grids = [grid for group in _connected(long) if (grid := _Grid.of(group))]
    if not grids:
        return None
    lines = pieces.lines()
    taken: dict[int, Line | None] = {}
    for grid in grids:
        inside = [at for at, piece in enumerate(lines) if at not in taken and grid.holds(piece)]
        table = grid.read([lines[at] for at in inside])
        if table is not None:
            taken.update(dict.fromkeys(inside))
            taken[inside[0]] = table
    if not taken:
        return None
    kept = [taken.get(at, piece) if at in taken else piece for at, piece in enumerate(lines)]
    return [piece for piece in kept if piece is not None]


def _connected(rules: Sequence[Rule]) -> list[list[Rule]]:
    """Return the rules by groups that hang together."""
    across, down = list[Rule](), list[Rule]()
    for rule in rules:
        (across if rule.across else down).append(rule)
    if not down:
        return []
    across.sort(key=_TOP)
    tops = [rule.top for rule in across]
    parent = list(range(len(across) + len(down)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    for number, rule in enumerate(down, len(across)):
        end = bisect_right(tops, rule.bottom + _NEAR)
        for at in range(bisect_right(tops, rule.top - 2 * _NEAR), end):
            if rule.touches(across[at]):
                parent[root(at)] = root(number)
    groups: defaultdict[int, list[Rule]] = defaultdict(list)
    for at, rule in enumerate((*across, *down)):
        groups[root(at)].append(rule)
    return [group for group in groups.values() if len(group) >= 4]  # noqa: PLR2004


def _levels(values: Sequence[float]) -> list[float]:
    """Return the distinct places among ``values``, ascending."""
    levels: list[float] = []
    for value in sorted(values):
        if not levels or value - levels[-1] > _NEAR:
            levels.append(value)
    return levels


class _Grid(NamedTuple):
    """The places of a table's rules, from the left and from the top."""

    xs: list[float]
    ys: list[float]

    @classmethod
    def of(cls, rules: Sequence[Rule]) -> _Grid | None:
        """Return the grid that the rules make, or None: one column or one row is no table."""
        xs = _levels([(rule.left + rule.right) / 2 for rule in rules if not rule.across])
        ys = _levels([(rule.top + rule.bottom) / 2 for rule in rules if rule.across])
        if len(xs) < 2 or len(ys) < 3 or len(xs) * len(ys) > _MAX_MESHES:  # noqa: PLR2004
            return None
        # A table may be open at its sides, its outer rules running on.
        left, right = min(rule.left for rule in rules), max(rule.right for rule in rules)
        xs = [left] * (xs[0] - left > 3 * _NEAR) + xs + [right] * (right - xs[-1] > 3 * _NEAR)
        return cls(xs, ys) if len(xs) > 2 else None  # noqa: PLR2004

    def holds(self, piece: Line) -> bool:
        x, y = (piece.left + piece.right) / 2, (piece.top + piece.bottom) / 2
        return self.xs[0] <= x <= self.xs[-1] and self.ys[0] <= y <= self.ys[-1]

    def read(self, pieces: Sequence[Line]) -> Line | None:
        """Return the table of the pieces that stand in the grid, or None if it is none."""
        cells: defaultdict[tuple[int, int], list[Line]] = defaultdict(list)
        for piece in (part for whole in pieces for part in self._cut(whole)):
            row = bisect_right(self.ys, (piece.top + piece.bottom) / 2) - 1
            column = bisect_right(self.xs, (piece.left + piece.right) / 2) - 1
            last_row, last_column = len(self.ys) - 2, len(self.xs) - 2
            cells[min(max(row, 0), last_row), min(max(column, 0), last_column)].append(piece)
        used_rows = sorted({row for row, _ in cells})
        used_columns = sorted({column for _, column in cells})
        meshes = len(used_rows) * len(used_columns)
        if min(len(used_rows), len(used_columns)) < 2 or len(cells) < _FILLED * meshes:  # noqa: PLR2004
            return None
        table = [
            [_cell(cells.get((row, column), ())) for column in used_columns] for row in used_rows
        ]
        return pieces[0]._replace(
            text=markdown(table),
            left=self.xs[0],
            right=self.xs[-1],
            top=self.ys[0],
            bottom=self.ys[-1],
            stops=(),
            table=tuple((self.xs[at], self.xs[at + 1]) for at in used_columns),
        )

    def _cut(self, piece: Line) -> list[Line]:
        """Cut a piece that runs across rules where its words do."""
        first = bisect_right(self.xs, piece.left + piece.size * 0.3)
        last = bisect_right(self.xs, piece.right - piece.size * 0.3)
        words = piece.text.split()
        if first == last or len(words) < 2:  # noqa: PLR2004
            return [piece]
        # Where each word stands is reckoned from its share of the characters.
        step = (piece.right - piece.left) / max(len(piece.text), 1)
        parts: list[Line] = []
        at = 0
        for word in words:
            begin = piece.text.index(word, at)
            at = begin + len(word)
            left, right = piece.left + begin * step, piece.left + at * step
            column = bisect_right(self.xs, (left + right) / 2)
            if parts and bisect_right(self.xs, (parts[-1].left + parts[-1].right) / 2) == column:
                parts[-1] = parts[-1]._replace(text=f"{parts[-1].text} {word}", right=right)
            else:
                parts.append(piece._replace(text=word, left=left, right=right))
        return parts


def _cell(pieces: Sequence[Line]) -> str:
    """Return the text of one cell: its pieces by lines, and its lines joined."""
    lines: list[list[Line]] = []
    for piece in sorted(pieces, key=lambda piece: (piece.top + piece.bottom) / 2):
        middle = (piece.top + piece.bottom) / 2
        if lines and middle < lines[-1][0].bottom:
            lines[-1].append(piece)
        else:
            lines.append([piece])
    return join_lines("\n".join(_words(line) for line in lines))


def _words(line: Sequence[Line]) -> str:
    text, end = "", 0.0
    for piece in sorted(line, key=lambda piece: piece.left):
        gap = piece.left - end
        text += f" {piece.text}" if text and gap > _CELL_GAP * piece.size else piece.text
        end = piece.right
    return text.strip()
