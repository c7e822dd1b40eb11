"""Where a database is, and how TLS is spoken to it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from socket import socket
from ssl import (
    CERT_NONE,
    CERT_REQUIRED,
    PROTOCOL_TLS_CLIENT,
    SSLContext,
    SSLError,
    SSLSession,
    SSLSocket,
)
from tempfile import TemporaryDirectory
from typing import Final
from urllib.parse import urlsplit

from detectviz.contracts.config import get_text
from detectviz.contracts.datasource import DatasourceSettings
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.masking import MASK

TLS_MODES: Final = ("disable", "prefer", "require", "verify-ca", "verify-full")


def split_address(url: str, default_port: int) -> tuple[str, int]:
    """Return host and port of ``host``, ``host:port``, ``[::1]:port`` or a URL with them.

    Raise ConfigurationError for anything else.
    """
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host, port = parts.hostname, parts.port or default_port
    except ValueError as error:
        raise ConfigurationError("Write the address as host:port.", field="/url") from error
    if not host or any(character.isspace() for character in host):
        raise ConfigurationError(
            "The address is missing: write it as host:port, such as db.example.org:5432.",
            field="/url",
        )
    if parts.username or parts.password:
        raise ConfigurationError(
            "Leave user and password out of the address; they have fields of their own.",
            field="/url",
        )
    return host, port


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TlsFiles:
    """Paths of PEM files, empty where the configuration has none."""

    ca: str = ""
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class TlsSettings:
    """How to speak TLS: ``mode`` is one of TLS_MODES, the rest PEM text."""

    mode: str
    ca: str = ""
    certificate: str = ""
    key: str = ""

    @classmethod
    def read(cls, settings: DatasourceSettings) -> "TlsSettings":
        """Return what ``tls_mode``, ``tls_ca``, ``tls_certificate`` and ``tls_key`` say."""
        config = settings.json_data
        return cls(
            mode=get_text(config, "tls_mode", "prefer"),
            ca=get_text(config, "tls_ca"),
            certificate=get_text(config, "tls_certificate"),
            key=settings.secrets.get("tls_key", ""),
        )

    @contextmanager
    def files(self) -> Iterator[TlsFiles]:
        """Yield the PEM texts as files only this user can read, gone when the block ends."""
        with TemporaryDirectory(prefix="datasource-") as folder:
            written = {
                name: _write(Path(folder) / f"{name}.pem", text)
                for name, text in (
                    ("ca", self.ca),
                    ("certificate", self.certificate),
                    ("key", self.key),
                )
                if text
            }
            yield TlsFiles(**written)

    def context(self, server_name: str) -> SSLContext:
        """Return a context that verifies ``server_name`` whatever address is connected to.

        Raise ConfigurationError for PEM text that cannot be read.
        """
        context = _NamedContext(PROTOCOL_TLS_CLIENT)
        context.server_name = server_name
        context.check_hostname = self.mode == "verify-full"
        is_verified = self.mode in {"verify-ca", "verify-full"}
        context.verify_mode = CERT_REQUIRED if is_verified else CERT_NONE
        try:
            if self.ca:
                context.load_verify_locations(cadata=self.ca)
            elif is_verified:
                context.load_default_certs()
            if self.certificate:
                with self.files() as files:
                    context.load_cert_chain(files.certificate, files.key or None)
        except (SSLError, ValueError, OSError) as error:
            message = "A certificate or key of the TLS settings is no PEM text that can be read."
            raise ConfigurationError(message, field="/tls_ca") from error
        return context


class _NamedContext(SSLContext):
    """A context that asks for and verifies one name, whatever a client library says."""

    server_name = ""

    def wrap_socket(  # noqa: PLR0917 - the signature of the standard library
        self,
        sock: socket,
        server_side: bool = False,  # noqa: FBT001, FBT002 - the signature of the standard library
        do_handshake_on_connect: bool = True,  # noqa: FBT001, FBT002 - the same
        suppress_ragged_eofs: bool = True,  # noqa: FBT001, FBT002 - the same
        server_hostname: str | bytes | None = None,
        session: SSLSession | None = None,
    ) -> SSLSocket:
        return super().wrap_socket(
            sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            suppress_ragged_eofs=suppress_ragged_eofs,
            server_hostname=self.server_name,
            session=session,
        )


def _write(path: Path, text: str) -> str:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return str(path)


def without_secrets(text: str, secrets: Mapping[str, str]) -> str:
    """Return what a driver said with every secret taken out of it."""
    for secret in secrets.values():
        if secret:
            text = text.replace(secret, MASK)
    return text
