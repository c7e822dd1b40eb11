"""Requests and their outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from detectviz.contracts.datasource import TimeRange
from detectviz.contracts.frames import Frame
from detectviz.contracts.types import JsonObject
from detectviz.queries.errors import QueryFailure
from detectviz.queries.variables.model import Variable

EXPRESSIONS = "__expr__"
"""The datasource reference of expressions; Grafana's ``-100`` and ``Expression`` are read too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One query of a request.

    ``datasource`` is a uid or a name, empty for the org's default one; ``model`` is what the
    plugin reads. A hidden query runs only if an expression needs it, and is not answered.
    """

    ref_id: str
    model: JsonObject
    range: TimeRange
    interval_ms: int
    max_points: int
    datasource: str = ""
    is_hidden: bool = False

    @property
    def is_expression(self) -> bool:
        """Tell whether it is computed here."""
        return self.datasource == EXPRESSIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRequest:
    """Several queries asked at once; ``timeout_s`` of None is the longest there may be."""

    queries: tuple[Query, ...]
    variables: Mapping[str, Variable] = field(default_factory=dict)
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of one query: frames, or an error."""

    ref_id: str
    frames: tuple[Frame, ...] = ()
    error: QueryFailure | None = None
    took_s: float = 0.0
    is_hidden: bool = False

    @property
    def status(self) -> int:
        """Return the HTTP status that fits."""
        return 200 if self.error is None else self.error.status


@dataclass(frozen=True, slots=True)
class Results:
    """Outcomes by ref id, in the order of the request; hidden ones are among them."""

    outcomes: Mapping[str, Outcome]

    def shown(self) -> list[Outcome]:
        """Return those to answer with."""
        return [each for each in self.outcomes.values() if not each.is_hidden]
