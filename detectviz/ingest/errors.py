"""Why a whole body was refused; a sender must not send it again as it is."""


class IngestError(Exception):
    """A body that can't be taken. ``status`` is the HTTP status that says so."""

    status = 400


class MalformedError(IngestError):
    """The body is not what its content type says."""


class TooLargeError(IngestError):
    """The body, or what it unpacks to, is larger than the limit."""

    status = 413


class UnsupportedError(IngestError):
    """A content type or encoding this door does not speak."""

    status = 415
