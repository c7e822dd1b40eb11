"""What can go wrong with a datasource."""

from detectviz.resources.errors import ConflictError, DomainError, LimitExceededError


class ReadOnlyError(ConflictError):
    """The datasource is provisioned: its file is the place to change it."""

    code = "read-only"

    def __init__(self, name: str, source: str) -> None:
        place = f"the file {source}" if source else "the file it was provisioned from"
        super().__init__(f"Datasource {name!r} is read-only: change it in {place}.")


class InUseError(ConflictError):
    """Something refers to the datasource."""

    code = "in-use"

    def __init__(self, name: str, uses: str) -> None:
        super().__init__(f"Datasource {name!r} is asked by {uses}; change or delete that first.")


class PluginUnusableError(DomainError):
    """The plugin of the datasource is gone, broken or switched off."""

    status_code = 503
    code = "plugin-unavailable"


class NotOfferedError(DomainError):
    """The plugin can't do what was asked."""

    status_code = 422
    code = "not-offered"


class UpstreamError(DomainError):
    """The datasource did not answer, or refused us."""

    status_code = 502
    code = "datasource-failed"


class UpstreamTimeoutError(UpstreamError):
    """The datasource did not answer in time."""

    status_code = 504
    code = "datasource-timeout"


class RefusedError(DomainError):
    """The datasource refused what it was asked; ``status_code`` is what it answered."""

    code = "datasource-refused"

    def __init__(self, message: str, *, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


class BusyError(LimitExceededError):
    """The org has too many calls under way."""

    code = "too-many-calls"
