"""Everything that can go wrong between a query's text and its answer."""

from detectviz.promql.positions import Span, line_column


class PromqlError(Exception):
    """A query could not be answered; the message says why in Prometheus' words."""


class ParseError(PromqlError):
    """The text is no PromQL. ``start`` and ``end`` are UTF-8 byte offsets into the query.

    As a string it reads as Prometheus prints it: ``line:column: parse error: message``.
    """

    def __init__(self, message: str, start: int, end: int, query: str = "") -> None:
        line, column = line_column(query, start)
        super().__init__(f"{line}:{column}: parse error: {message}")
        self.message = message
        self.start = start
        self.end = end
        self.query = query

    @property
    def span(self) -> Span:
        """The byte range at fault."""
        return Span(start=self.start, end=self.end)


class UnsupportedError(ParseError):
    """The query is well formed, and may not be answered in this way."""


class EvaluationError(PromqlError):
    """The query is well formed and has no answer over this data."""


class TooManySamplesError(EvaluationError):
    """The query needs more samples than its budget; narrow its selectors, range or steps."""

    def __init__(self) -> None:
        super().__init__(
            "query processing would load too many samples into memory in query execution"
        )


class TooManySeriesError(EvaluationError):
    """The query selects more series than it may; narrow its selectors."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the query exceeded the maximum number of series (limit: {limit} series)")


class TooManyBytesError(EvaluationError):
    """The query selects more bytes of samples than it may; narrow its selectors or its range."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the query exceeded the aggregated size of selected samples (limit: {limit} bytes)"
        )


class QueryTimeoutError(EvaluationError):
    """The query ran longer than it may."""

    def __init__(self) -> None:
        super().__init__("query timed out in expression evaluation")


class QueryCancelledError(EvaluationError):
    """The caller withdrew the query."""

    def __init__(self) -> None:
        super().__init__("query was canceled in expression evaluation")
