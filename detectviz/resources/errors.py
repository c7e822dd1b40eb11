"""Failures every app may raise from services; the API and the pages turn them into answers."""

from collections.abc import Mapping


class DomainError(Exception):
    """The request can't be carried out. ``message`` says what to do; ``code`` is stable."""

    status_code = 400
    code = "invalid"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InvalidFieldsError(DomainError):
    """Some fields are wrong: JSON-pointer-like path (``spec.config.url``) → messages."""

    status_code = 422
    code = "invalid-fields"

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{path}: {' '.join(text)}" for path, text in fields.items()))
        self.fields = dict(fields)


class NotFoundError(DomainError):
    """There is no such thing, or it belongs to another org (told with the same words)."""

    status_code = 404
    code = "not-found"

    def __init__(self, message: str = "Not found.") -> None:
        super().__init__(message)


class ForbiddenError(DomainError):
    """A member without the permission; the message names it."""

    status_code = 403
    code = "forbidden"


class ConflictError(DomainError):
    """The object changed meanwhile, or the name is taken."""

    status_code = 409
    code = "conflict"


class ResourceInUseError(ConflictError):
    """Something still refers to the object."""

    code = "in-use"


class LimitExceededError(DomainError):
    """A quota or a cap was reached."""

    status_code = 429
    code = "limit-exceeded"
