"""What can go wrong when the platform is started."""

from detectviz.resources.errors import ConflictError


class StartupError(Exception):
    """A process can't start; the message says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class RunIsActiveError(ConflictError):
    """A pipeline runs once at a time."""

    code = "run-active"


class NotResumableError(ConflictError):
    """The run can't go on; the message says why."""

    code = "not-resumable"
