"""One HTTP server as an importer or exporter is configured to reach it.

A schema takes part with ``url``, ``user``, ``tenant`` (sent as X-Scope-OrgID), ``tls_skip_verify``
and ``tls_ca``, and with the secrets ``password`` and ``token``.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, Protocol
from urllib.parse import urlencode, urlsplit

from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.errors import ConfigurationError, PluginError
from detectviz.contracts.network import HttpClient, HttpRequest, HttpResponse, TlsOptions
from detectviz.contracts.sql.connections import without_secrets
from detectviz.contracts.types import JsonObject, JsonValue

Parameters = Sequence[tuple[str, str]]
JSON: Final = "application/json"
LARGEST_ANSWER_BYTES: Final = 64 << 20
_LONGEST_REASON: Final = 500
_AGAIN: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


class AnswerTooLargeError(PluginError):
    """An answer is larger than may be read; who can asks for less of it."""


class Caller(Protocol):
    """What the context of an importer and that of an exporter have in common."""

    @property
    def config(self) -> JsonObject:
        """The configuration."""

    @property
    def secrets(self) -> Mapping[str, str]:
        """The secrets."""

    @property
    def timeout_s(self) -> float:
        """How long one exchange may take."""

    @property
    def http(self) -> HttpClient:
        """The guarded way out."""


class HttpEndpoint:
    """Asks one server; ``name`` is what the operator calls it."""

    def __init__(self, caller: Caller, *, name: str) -> None:
        self._caller = caller
        self._name = name
        self._url = base_url(get_text(caller.config, "url"))

    def get_json(self, path: str, parameters: Parameters = ()) -> JsonValue:
        """Return the JSON of one GET below the address; raise as ``fetch`` does."""
        return self.read(self.fetch(self.address(path, parameters)))

    def post(
        self,
        path: str,
        body: bytes,
        *,
        content_type: str = JSON,
        parameters: Parameters = (),
        headers: Parameters = (),
    ) -> HttpResponse:
        """Return what answers one POST below the address; raise as ``fetch`` does."""
        sent = [("Content-Type", content_type), *headers]
        return self.fetch(self.address(path, parameters), method="POST", body=body, headers=sent)

    def address(self, path: str, parameters: Parameters = ()) -> str:
        """Return the URL of ``path`` below the address."""
        url = f"{self._url}/{path}" if path else self._url
        separator = "&" if "?" in url else "?"
        return f"{url}{separator}{urlencode(parameters)}" if parameters else url

    def fetch(
        self,
        url: str,
        *,
        method: str = "GET",
        body: bytes = b"",
        headers: Parameters = (),
    ) -> HttpResponse:
        """Return a success.

        Raise PluginError with the server's reason, ``permanent`` unless trying again can help
        (408, 425, 429, 5xx), and AnswerTooLargeError; redirects are not followed.
        """
        response = self._caller.http.fetch(
            HttpRequest(
                url=url,
                method=method,
                headers=self._headers(headers),
                body=body,
                timeout_s=self._caller.timeout_s,
                follow_redirects=False,
                max_body_bytes=LARGEST_ANSWER_BYTES,
                tls=TlsOptions(
                    verify=not get_bool(self._caller.config, "tls_skip_verify"),
                    ca_pem=get_text(self._caller.config, "tls_ca"),
                ),
            )
        )
        if not HTTPStatus.OK <= response.status_code < HTTPStatus.MULTIPLE_CHOICES:
            raise self._failure(response)
        if response.body_truncated:
            message = f"The answer of {self._name} is larger than 64 MiB; ask for less at once."
            raise AnswerTooLargeError(message, permanent=True)
        return response

    def read(self, response: HttpResponse) -> JsonValue:
        """Return the JSON of an answer; raise PluginError for what is none."""
        try:
            document: JsonValue = json.loads(response.body)
        except (ValueError, RecursionError):
            raise self.unexpected("its answer is no JSON") from None
        return document

    def unexpected(self, what: str) -> PluginError:
        """Return the error for a server that is not what it should be."""
        return PluginError(
            f"What answered is not {self._name}: {what}. Check the address.", permanent=True
        )

    def _headers(self, given: Parameters) -> list[tuple[str, str]]:
        """Return the given headers and those of ours that they do not say themselves."""
        said = {name.lower() for name, _ in given}
        ours = [("Accept", JSON), *self._credentials()]
        return [*given, *(pair for pair in ours if pair[0].lower() not in said)]

    def _credentials(self) -> list[tuple[str, str]]:
        config, secrets = self._caller.config, self._caller.secrets
        user, found = get_text(config, "user"), []
        if user:
            pair = f"{user}:{secrets.get('password', '')}".encode()
            found.append(("Authorization", f"Basic {b64encode(pair).decode()}"))
        elif secrets.get("token"):
            found.append(("Authorization", f"Bearer {secrets['token']}"))
        if get_text(config, "tenant"):
            found.append(("X-Scope-OrgID", get_text(config, "tenant")))
        return found

    def _failure(self, response: HttpResponse) -> PluginError:
        status = response.status_code
        if status < HTTPStatus.BAD_REQUEST:
            return PluginError(
                f"{self._name} redirects elsewhere ({status}), which is not followed; write the "
                "address it means.",
                permanent=True,
            )
        said = response.body[:_LONGEST_REASON].decode("utf-8", "replace").strip()
        said = without_secrets(said, self._caller.secrets) or "it does not say why"
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return PluginError(
                f"{self._name} refuses to let us in ({status}): {said}", permanent=True
            )
        is_passing = status in _AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        word = "cannot answer" if is_passing else "refuses"
        return PluginError(f"{self._name} {word} ({status}): {said}", permanent=not is_passing)


def base_url(url: str) -> str:
    """Return an address without a slash at its end.

    Raise ConfigurationError for one with user or fragment, and for what is no address.
    """
    text = url.strip()
    try:
        parts = urlsplit(text)
        is_fit = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        is_fit = False
    if not is_fit or parts.username or parts.password or parts.fragment:
        raise ConfigurationError(
            "Write the address as https://host/path; user and password have their own fields.",
            field="/url",
        )
    return text.rstrip("/")
