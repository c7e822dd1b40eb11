"""Typed failures. Each says whether trying again could help."""

from detectviz.contracts.network import TlsReport


class PluginError(Exception):
    """A plugin could not do its work. ``permanent`` is true when a retry cannot help."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent


class ConfigurationError(PluginError):
    """The configuration is wrong; ``field`` is the JSON pointer of the value to change."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message, permanent=True)
        self.field = field


class NetworkError(PluginError):
    """A connection failed. ``phase`` is one of resolve, connect, tls, send, receive."""

    def __init__(self, message: str, *, phase: str, permanent: bool = False) -> None:
        super().__init__(message, permanent=permanent)
        self.phase = phase


class DeadlineExceededError(NetworkError):
    """The time allowed ran out in ``phase``."""


class CertificateError(NetworkError):
    """The peer's certificate was refused; ``report`` holds the chain it presented, if known."""

    def __init__(self, message: str, *, report: TlsReport | None = None) -> None:
        super().__init__(message, phase="tls")
        self.report = report


class EgressDeniedError(NetworkError):
    """The egress guard refused the address; the message names it and the setting to change."""

    def __init__(self, message: str) -> None:
        super().__init__(message, phase="connect", permanent=True)


class QueryError(PluginError):
    """A query was refused, by the plugin or by the datasource; ``message`` repeats its reason.

    ``status`` is the HTTP status that fits: 400 for a wrong query, 404, 413 for an answer over a
    limit, 422 for one that cannot be carried out.
    """

    def __init__(self, message: str, *, status: int = 400) -> None:
        super().__init__(message, permanent=True)
        self.status = status


class DeliveryError(PluginError):
    """A notifier was refused.

    ``reason`` is one of clientError, serverError, authError, rateLimited, timeout (Alertmanager's
    words where it has them); ``retry_after_s`` repeats what the service asked for. ``is_gone`` says
    that the address itself is over for good, as a browser's subscription that was withdrawn.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        permanent: bool = False,
        status_code: int | None = None,
        answer: str = "",
        retry_after_s: float | None = None,
        is_gone: bool = False,
    ) -> None:
        super().__init__(message, permanent=permanent)
        self.is_gone = is_gone
        self.reason = reason
        self.status_code = status_code
        self.answer = answer
        self.retry_after_s = retry_after_s
