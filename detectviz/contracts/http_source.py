"""How a datasource plugin asks a server over HTTP.

Options are named alike everywhere: the connection fields ``url``, ``basic_auth`` and
``basic_auth_user``; of ``json_data`` ``tls_skip_verify``, ``tls_ca``, ``tls_certificate`` and
``tenant`` (sent as X-Scope-OrgID); the secrets ``basic_auth_password``, ``token`` and ``tls_key``.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from detectviz.contracts.config import get_bool, get_text
from detectviz.contracts.datasource import DatasourceContext
from detectviz.contracts.errors import (
    ConfigurationError,
    DeadlineExceededError,
    PluginError,
    QueryError,
)
from detectviz.contracts.network import HttpRequest, HttpResponse, TlsOptions
from detectviz.contracts.sql.connections import without_secrets
from detectviz.contracts.sql.watch import Watch
from detectviz.contracts.types import JsonObject, JsonValue

Parameters = Sequence[tuple[str, str]] | Mapping[str, str]
Reason = Callable[[JsonValue], str]
FORM: Final = "application/x-www-form-urlencoded"
JSON: Final = "application/json"
# JSON is larger than what it says; the values are counted again once they are read.
_OVERHEAD: Final = 4
_SPARE_BYTES: Final = 65_536
_LONGEST_REASON: Final = 1_000
_TENANT: Final = "X-Scope-OrgID"
_REFUSED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_TIMED_OUT: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.GATEWAY_TIMEOUT})
_TOO_LARGE: Final = "The answer is larger than allowed; ask for less."


class HttpSource:
    """One server during one call: its address, credentials, TLS and what is left of the time.

    ``name`` is what the operator calls it, ``reason`` takes the server's own words out of the
    JSON of an answer that is no success ("" where it says none). ``headers`` authenticate in
    place of the usual ones.
    """

    def __init__(
        self,
        context: DatasourceContext,
        *,
        name: str,
        reason: Reason,
        headers: Sequence[tuple[str, str]] | None = None,
    ) -> None:
        self._context = context
        self._name = name
        self._reason = reason
        self._headers = auth_headers(context) if headers is None else headers
        self.watch = Watch(context)

    def get(self, path: str, parameters: Parameters = ()) -> JsonValue:
        """Return the JSON of one GET; raise as ``fetch`` does."""
        return self.read(self.fetch(path, parameters))

    def post_form(self, path: str, parameters: Parameters) -> JsonValue:
        """Return the JSON of one POST of a form; raise as ``fetch`` does."""
        return self.read(self.fetch(path, form=parameters))

    def post_json(
        self, path: str, document: JsonValue, parameters: Parameters = (), content_type: str = JSON
    ) -> JsonValue:
        """Return the JSON of one POST of JSON; raise as ``fetch`` does."""
        body = json.dumps(document).encode()
        answer = self.fetch(path, parameters, body=body, content_type=content_type)
        return self.read(answer)

    def fetch(
        self,
        path: str,
        parameters: Parameters = (),
        *,
        form: Parameters | None = None,
        body: bytes = b"",
        content_type: str = JSON,
        accept: str = JSON,
        method: str = "",
        headers: Sequence[tuple[str, str]] = (),
    ) -> HttpResponse:
        """Return a success; a ``form`` or a ``body`` is sent by POST.

        Raise QueryError with the server's reason for what it refuses (413 for an answer that is
        too large), ConfigurationError for an address that is none, another PluginError for a
        server that does not answer as it should.
        """
        self.watch.check()
        if form is not None:
            body, content_type = urlencode(form).encode(), FORM
        sent = [("Content-Type", content_type)] if body else []
        response = self._context.http.fetch(
            HttpRequest(
                url=self._url(path, parameters),
                method=method or ("POST" if body else "GET"),
                headers=[("Accept", accept), *sent, *self._headers, *headers],
                body=body,
                timeout_s=self.watch.left_s,
                follow_redirects=False,
                max_body_bytes=self._context.max_bytes * _OVERHEAD + _SPARE_BYTES,
                tls=tls_options(self._context),
            )
        )
        self.watch.check()
        self._require_success(response)
        if response.body_truncated:
            raise QueryError(_TOO_LARGE, status=413)
        return response

    def read(self, response: HttpResponse) -> JsonValue:
        """Return the JSON of an answer; raise PluginError for what is none."""
        return parse_json(response.body, self._name)

    def _url(self, path: str, parameters: Parameters) -> str:
        base = base_url(self._context.settings.url)
        url = f"{base}/{path}" if path else base
        return f"{url}?{urlencode(parameters)}" if parameters else url

    def _require_success(self, response: HttpResponse) -> None:
        status = response.status_code
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return
        if status < HTTPStatus.BAD_REQUEST:
            raise PluginError(
                f"{self._name} redirects elsewhere ({status}), which is not followed; "
                "write the address it means."
            )
        reason = self._said(response)
        said = reason or _first_line(response) or f"status {status}"
        said = without_secrets(said, self._context.settings.secrets)
        raise _failure(self._name, status, said, has_reason=bool(reason))

    def _said(self, response: HttpResponse) -> str:
        try:
            document = json.loads(response.body)
            return self._reason(document)[:_LONGEST_REASON].strip()
        except (ValueError, RecursionError):
            return ""


def parse_json(body: bytes, name: str) -> JsonValue:
    """Return the JSON of ``body``; raise PluginError naming who should have written it."""
    try:
        document: JsonValue = json.loads(body)
    except (ValueError, RecursionError):
        raise PluginError(
            f"What answered is not {name}: its answer is no JSON. Check the address."
        ) from None
    return document


def require_object(value: JsonValue, name: str) -> JsonObject:
    """Return ``value``, an object; raise PluginError for anything else."""
    if not isinstance(value, Mapping):
        raise PluginError(f"What answered is not {name}: its answer has another shape.")
    return value


def require_list(value: JsonValue, name: str) -> Sequence[JsonValue]:
    """Return ``value``, a list; raise PluginError for anything else."""
    if not isinstance(value, list):
        raise PluginError(f"What answered is not {name}: its answer has another shape.")
    return value


def require_texts(value: JsonValue, name: str) -> list[str]:
    """Return ``value``, a list, as texts; raise PluginError for anything else."""
    return [str(each) for each in require_list(value, name)]


def base_url(url: str) -> str:
    """Return an address as ``http://host:port/path`` without a slash at its end.

    Raise ConfigurationError for one with user, query or fragment, and for what is no address.
    """
    text = url.strip()
    text = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(text)
        is_fit = parts.scheme in {"http", "https"} and parts.hostname and not parts.username
        is_fit = is_fit and parts.port != 0
    except ValueError:
        is_fit = False
    if not is_fit or parts.query or parts.fragment:
        raise ConfigurationError(
            "Write the address as http://host:port or https://host, with a path if there is one.",
            field="/url",
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def relative_path(text: str) -> tuple[str, list[tuple[str, str]]]:
    """Return path and parameters of a text somebody wrote, encoded; it stays below the address.

    Raise QueryError for one that climbs out of it.
    """
    path, _, query = text.strip().partition("?")
    path = path.lstrip("/")
    plain = unquote(path)
    if (
        "\\" in plain
        or any(part in {".", ".."} for part in plain.split("/"))
        or "%2f" in path.lower()
    ):
        raise QueryError("Write a path without . and .. segments and encoded slashes.")
    return quote(plain, safe="/:@!$&'()*+,;=~-._"), parse_qsl(query, keep_blank_values=True)


def auth_headers(context: DatasourceContext) -> list[tuple[str, str]]:
    """Return the headers that authenticate: basic or bearer, and the tenant."""
    settings = context.settings
    headers: list[tuple[str, str]] = []
    if settings.basic_auth and settings.basic_auth_user:
        password = settings.secrets.get("basic_auth_password", "")
        headers.append(basic_header(settings.basic_auth_user, password))
    elif settings.secrets.get("token"):
        headers.append(("Authorization", f"Bearer {settings.secrets['token']}"))
    tenant = get_text(settings.json_data, "tenant")
    if tenant:
        headers.append((_TENANT, tenant))
    return headers


def basic_header(user: str, password: str) -> tuple[str, str]:
    """Return the header of basic authentication."""
    pair = b64encode(f"{user}:{password}".encode()).decode()
    return "Authorization", f"Basic {pair}"


def tls_options(context: DatasourceContext) -> TlsOptions:
    """Return how to speak TLS."""
    config = context.settings.json_data
    return TlsOptions(
        verify=not get_bool(config, "tls_skip_verify"),
        ca_pem=get_text(config, "tls_ca"),
        certificate_pem=get_text(config, "tls_certificate"),
        private_key_pem=context.settings.secrets.get("tls_key", ""),
    )


def _failure(name: str, status: int, said: str, *, has_reason: bool) -> PluginError:
    if status in _REFUSED:
        return PluginError(f"{name} refuses to let us in ({status}): {said}")
    if status in _TIMED_OUT:
        return DeadlineExceededError(f"{name} took too long: {said}", phase="receive")
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return PluginError(f"{name} cannot answer ({status}): {said}")
    if status == HTTPStatus.NOT_FOUND and not has_reason:
        return PluginError(f"There is no {name} at this address: {said}")
    return QueryError(f"{name} refuses the query: {said}", status=status)


def _first_line(response: HttpResponse) -> str:
    """Return the first words of an answer that is plain text."""
    text = response.body[:_LONGEST_REASON].decode("utf-8", "replace").strip()
    if not text or "<" in text or not text.isprintable():
        return text.partition("\n")[0].strip() if "<" not in text else ""
    return text
