"""Warnings and notes that accompany an answer."""

from dataclasses import dataclass
from enum import StrEnum

from detectviz.promql.positions import Span, line_column


class Severity(StrEnum):
    """How loudly an annotation speaks."""

    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One remark about a place in the query."""

    severity: Severity
    message: str
    line: int
    column: int

    @property
    def text(self) -> str:
        """Prometheus' text, such as ``PromQL warning: … (1:5)``."""
        return f"PromQL {self.severity}: {self.message} ({self.line}:{self.column})"


class AnnotationCollector:
    """Gathers the annotations of one query, each once."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._found: dict[Annotation, None] = {}

    def warn(self, message: str, span: Span) -> None:
        """Add a warning."""
        self._add(Severity.WARNING, message, span)

    def inform(self, message: str, span: Span) -> None:
        """Add a note."""
        self._add(Severity.INFO, message, span)

    def _add(self, severity: Severity, message: str, span: Span) -> None:
        line, column = line_column(self._query, span.start)
        self._found[Annotation(severity, message, line, column)] = None

    def collected(self) -> tuple[Annotation, ...]:
        """Return everything added, in order."""
        return tuple(self._found)
