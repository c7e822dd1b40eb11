"""Expressions of one shape made into one, with the number of the expression as one more label.

A fused expression is an ordinary tree whose varying parts are marked: selectors read what any
member wants, and each series found is given to the members that want it under the label
``MEMBER``; grouping and matching keep that label, so that members never meet.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from detectviz.promql import nodes
from detectviz.promql.grouping import Groups
from detectviz.promql.labels import Labels
from detectviz.promql.positions import Span
from detectviz.promql.shapes import NUMBER, Shape, Slot, shape_of
from detectviz.promql.vectors import BoolArray, StepVector
from detectviz.tsdb.interface import Float64Array, Int64Array, Matcher, MatchOp

# No label of a query or a sample: names must be valid UTF-8, which a lone surrogate is not.
MEMBER = "\udcffmember"
_META = frozenset("\\.+*?()[]{}^$|")


class UnfusableError(Exception):
    """These expressions can't be evaluated together over these data; evaluate them alone."""


@dataclass(slots=True)
class Assignment:
    """Which members want which series of one selector.

    What was made of the last series is remembered, whole, so that threads may share it.
    """

    names: tuple[str, ...]
    members: dict[tuple[str, ...], list[int]]
    _known: tuple[tuple[Labels, ...], Int64Array, tuple[Labels, ...]] | None = None

    def expanded(self, vector: StepVector) -> StepVector:
        """Return a series per member that wants it, labelled with the member."""
        known = self._known
        if known is None or known[0] != vector.labels:
            known = self._known = self._assigned(vector.labels)
        _, rows, owned = known
        if len(rows) == len(vector) and (not len(rows) or bool((rows[1:] > rows[:-1]).all())):
            return replace(vector, labels=owned)
        return replace(vector.take(rows), labels=owned)

    def members_of(self, series: tuple[Labels, ...], held: BoolArray) -> set[int]:
        """Return the members that want one of the series marked."""
        wanted = (tuple([one.get(name, "") for name in self.names]) for one in series)
        pairs = zip(wanted, held.tolist(), strict=True)
        return {member for key, is_held in pairs if is_held for member in self.members.get(key, ())}

    def _assigned(
        self, series: tuple[Labels, ...]
    ) -> tuple[tuple[Labels, ...], Int64Array, tuple[Labels, ...]]:
        """Return the series with the rows wanted, and the labels of each, a row per member."""
        rows: list[int] = []
        owned: list[Labels] = []
        for row, labels in enumerate(series):
            wanted = tuple([labels.get(name, "") for name in self.names])
            for member in self.members.get(wanted, ()):
                rows.append(row)
                owned.append({**labels, MEMBER: str(member)})
        return series, np.array(rows, dtype=np.int64), tuple(owned)


@dataclass(slots=True, kw_only=True)
class FusedShape:
    """Expressions of one shape, ready to be evaluated together.

    ``expression`` has the place of each node in ``span.start``; ``varying`` are the places whose
    value differs between members; ``numbers`` float64[members, 1] and ``assignments`` say how.
    ``owners`` are the members' places in the batch.
    """

    owners: tuple[int, ...]
    shapes: tuple[Shape, ...]
    expression: nodes.Expression
    varying: frozenset[int]
    numbers: dict[int, Float64Array]
    assignments: dict[int, Assignment]
    groups: dict[int, tuple[tuple[Labels, ...], Groups]] = field(default_factory=dict)
    is_refused: bool = False
    _halves: "tuple[FusedShape, FusedShape] | None" = None
    _rest: int = 0

    def __len__(self) -> int:
        """Count the members."""
        return len(self.owners)

    def halves(self) -> "tuple[FusedShape, FusedShape]":
        """Return the two halves of the members, each ready by itself."""
        if self._halves is None:
            middle = len(self) // 2
            first, second = slice(0, middle), slice(middle, len(self))
            self._halves = (
                fused(self.owners[first], self.shapes[first]),
                fused(self.owners[second], self.shapes[second]),
            )
        return self._halves

    def rest(self, evaluations: int) -> None:
        """Go to the halves at once for some evaluations: a member fails."""
        self._rest = evaluations

    def refuse(self, evaluations: int) -> None:
        """Evaluate the members alone for some evaluations: the data don't allow more."""
        self._rest, self.is_refused = evaluations, True

    def is_resting(self) -> bool:
        """Tell whether a failure is too recent for another try; counts down."""
        self._rest -= self._rest > 0
        if not self._rest:
            self.is_refused = False
        return self._rest > 0


@dataclass(slots=True)
class BatchPlan:
    """Expressions to be answered together, again and again: what can be fused and what can't.

    ``refused`` are errors of texts that are no PromQL, by place. A plan remembers what it learned
    of the data, and may be shared between threads.
    """

    texts: tuple[str, ...]
    expressions: tuple[nodes.Expression | None, ...]
    refused: dict[int, Exception]
    shapes: tuple[FusedShape, ...]
    single: tuple[int, ...]

    def __len__(self) -> int:
        """Count the expressions."""
        return len(self.texts)


def grouped_by_shape(
    expressions: Iterable[tuple[int, nodes.Expression]],
) -> tuple[tuple[FusedShape, ...], tuple[int, ...]]:
    """Fuse what has a companion of its shape; return the rest's places beside."""
    groups: dict[object, list[tuple[int, Shape]]] = defaultdict(list)
    for place, expression in expressions:
        shape = shape_of(expression)
        groups[shape.key].append((place, shape))
    together, single = [], []
    for members in groups.values():
        owners, shapes = zip(*members, strict=True)
        if len(owners) == 1:
            single.append(owners[0])
        else:
            together.append(fused(owners, shapes))
    return tuple(together), tuple(sorted(single))


def fused(owners: Sequence[int], shapes: Sequence[Shape]) -> FusedShape:
    """Make one expression of members of one shape (at least one)."""
    first = shapes[0]
    columns = dict(
        zip(first.slots, zip(*(one.literals for one in shapes), strict=True), strict=True)
    )
    differing = {
        slot: values for slot, values in columns.items() if len({repr(one) for one in values}) > 1
    }
    place_of = {id(node): place for place, node in enumerate(first.places)}
    varying: set[int] = set()
    _mark(first.places[0], place_of, {place for place, _ in differing}, varying)
    numbers = {
        place: np.array(values, dtype=np.float64).reshape(-1, 1)
        for (place, at), values in differing.items()
        if at == NUMBER
    }
    return FusedShape(
        owners=tuple(owners),
        shapes=tuple(shapes),
        expression=_prepared(first.places[0], place_of, varying, differing),
        varying=frozenset(varying),
        numbers=numbers,
        assignments=_assignments(first, differing),
    )


def _mark(
    node: nodes.Expression, place_of: dict[int, int], differing: set[int], varying: set[int]
) -> bool:
    """Collect the places whose value differs: of literals that do, and all above them."""
    below = [_mark(child, place_of, differing, varying) for child in nodes.children(node)]
    place = place_of[id(node)]
    if any(below) or place in differing:
        varying.add(place)
        return True
    return False


def _assignments(
    shape: Shape, differing: dict[Slot, tuple[float | str, ...]]
) -> dict[int, Assignment]:
    conditions: dict[int, list[tuple[str, tuple[float | str, ...]]]] = defaultdict(list)
    for (place, at), values in differing.items():
        node = shape.places[place]
        if isinstance(node, nodes.VectorSelector):
            conditions[place].append((node.matchers[at].name, values))
    found: dict[int, Assignment] = {}
    for place, wanted in conditions.items():
        members: dict[tuple[str, ...], list[int]] = defaultdict(list)
        for member, key in enumerate(zip(*(values for _, values in wanted), strict=True)):
            members[tuple(map(str, key))].append(member)
        found[place] = Assignment(tuple(name for name, _ in wanted), dict(members))
    return found


def _prepared(
    node: nodes.Expression,
    place_of: dict[int, int],
    varying: set[int],
    differing: dict[Slot, tuple[float | str, ...]],
) -> nodes.Expression:
    """Return the tree with places for spans; what varies keeps members apart."""
    place = place_of[id(node)]
    changed = nodes.with_children(
        node, lambda child: _prepared(child, place_of, varying, differing)
    )
    changed = replace(changed, span=Span(start=place, end=place))
    if place not in varying:
        return changed
    match changed:
        case nodes.Aggregation() if not changed.is_without:
            return replace(changed, grouping=(*changed.grouping, MEMBER))
        case nodes.Binary() if changed.matching is not None and changed.matching.is_on:
            labels = (*changed.matching.labels, MEMBER)
            return replace(changed, matching=replace(changed.matching, labels=labels))
        case nodes.VectorSelector():
            matchers = tuple(
                _any_of(matcher, differing.get((place, at)))
                for at, matcher in enumerate(changed.matchers)
            )
            return replace(changed, matchers=matchers)
        case _:
            return changed


def _any_of(matcher: Matcher, values: tuple[float | str, ...] | None) -> Matcher:
    if values is None:
        return matcher
    wanted = sorted({str(value) for value in values})
    return Matcher(matcher.name, MatchOp.REGEX, "|".join(map(_quoted, wanted)))


def _quoted(text: str) -> str:
    return "".join(f"\\{one}" if one in _META else one for one in text)
