"""The mail server is greeted, TLS begun and the password tried; nothing is sent."""

import smtplib
import ssl
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from detectviz.contracts.driver import DriverContext, DriverHandle
from detectviz.contracts.errors import ConfigurationError, NetworkError

_PORTS = {"smtp": 25, "smtps": 465}
_PERMANENT = 500
OK = 250


class SmtpDriver:
    """Reaches the server of outgoing mail."""

    def open(self, context: DriverContext) -> DriverHandle:
        """Speak with it once."""
        handle = _Handle(str(context.config["url"]), context.timeout_s)
        handle.check()
        return handle


@dataclass(slots=True)
class _Handle:
    url: str
    timeout_s: float

    def check(self) -> str:
        """Connect anew: mail servers hang up on those that only listen."""
        try:
            with self._connect() as server:
                return self._greet(server)
        except smtplib.SMTPAuthenticationError as error:
            message = f"The mail server refuses user and password: {_said(error)}"
            raise ConfigurationError(message, field="/url") from error
        except smtplib.SMTPNotSupportedError as error:
            raise ConfigurationError(str(error), field="/url") from error
        except smtplib.SMTPResponseException as error:
            if error.smtp_code >= _PERMANENT:
                raise ConfigurationError(_said(error), field="/url") from error
            raise NetworkError(_said(error), phase="receive") from error
        except (smtplib.SMTPException, OSError) as error:
            raise NetworkError(str(error), phase="connect") from error

    def _connect(self) -> smtplib.SMTP:
        parts = urlsplit(self.url)
        host, port = parts.hostname or "localhost", parts.port or _PORTS[parts.scheme]
        if parts.scheme == "smtps":
            context = ssl.create_default_context()
            return smtplib.SMTP_SSL(host, port, timeout=self.timeout_s, context=context)
        return smtplib.SMTP(host, port, timeout=self.timeout_s)

    def _greet(self, server: smtplib.SMTP) -> str:
        parts = urlsplit(self.url)
        server.ehlo_or_helo_if_needed()
        if parse_qs(parts.query).get("starttls", ["no"])[0] in {"yes", "true", "1"}:
            server.starttls(context=ssl.create_default_context())
            server.ehlo()
        if parts.username:
            server.login(unquote(parts.username), unquote(parts.password or ""))
        code, said = server.noop()
        if code != OK:
            raise smtplib.SMTPResponseException(code, said)
        return f"Mail server at {parts.hostname}"

    def close(self) -> None:
        """Nothing is kept open."""


def _said(error: smtplib.SMTPResponseException) -> str:
    said = error.smtp_error
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    return f"{error.smtp_code} {text}"
