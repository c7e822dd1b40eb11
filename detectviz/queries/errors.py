"""Why a query has no answer."""

from http import HTTPStatus


class QueryFailure(Exception):  # noqa: N818 - it is the outcome of one query, shown as such
    """One query failed. ``reason`` is a stable word, ``status`` the HTTP status that fits."""

    reason = "failed"
    status = int(HTTPStatus.BAD_GATEWAY)

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        if status is not None:
            self.status = status


class RefusedQueryError(QueryFailure):
    """The query is wrong; asking again cannot help."""

    reason = "bad_query"
    status = int(HTTPStatus.BAD_REQUEST)


class ExpressionError(RefusedQueryError):
    """An expression is wrong or cannot be computed from what it refers to."""

    reason = "expression"


class DependencyError(QueryFailure):
    """An expression was not computed because what it refers to failed."""

    reason = "dependency"
    status = int(HTTPStatus.FAILED_DEPENDENCY)


class VariableError(RefusedQueryError):
    """A variable cannot stand where it was put."""

    reason = "variable"


class TimedOutError(QueryFailure):
    """The time allowed is over."""

    reason = "timeout"
    status = int(HTTPStatus.GATEWAY_TIMEOUT)


class CancelledError(QueryFailure):
    """Nobody waits for the answer any more."""

    reason = "cancelled"
    status = 499


class CrowdedError(QueryFailure):
    """Too many queries are waiting already."""

    reason = "too_many_queries"
    status = int(HTTPStatus.TOO_MANY_REQUESTS)


class CircuitOpenError(QueryFailure):
    """The datasource has failed too often and is left alone for a while."""

    reason = "circuit_open"
    status = int(HTTPStatus.SERVICE_UNAVAILABLE)


class DocumentError(ValueError):
    """A request document is wrong at ``field``, a path such as ``queries[0].ref_id``."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
