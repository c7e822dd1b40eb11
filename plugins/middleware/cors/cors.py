"""Cross-origin requests to the API, from origins that are named whole (Fetch standard)."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.middleware import Answer, MiddlewareContext, RequestView, Verdict
from detectviz.contracts.types import JsonObject

NO_CONTENT = 204


class CorsMiddleware:
    """Answers preflights and says which origins may read answers; refuses nobody."""

    def check_config(self, context: MiddlewareContext) -> None:
        """Demand whole origins, and no credentials for all of them."""
        origins = _words(context.config, "origins")
        if "*" in origins and context.config["allow_credentials"]:
            raise ConfigurationError(
                "With allow_credentials origins are named one by one; take * out.",
                field="/allow_credentials",
            )
        for origin in origins:
            if origin != "*" and not _is_origin(origin):
                raise ConfigurationError(
                    f"{origin!r} is no origin; write it as in https://app.example.org.",
                    field="/origins",
                )

    def handle(self, request: RequestView, context: MiddlewareContext) -> Verdict:
        """Add what the browser asks for, to answers of the API only."""
        if not request.is_api:
            return Verdict()
        origin = request.headers.get("origin", "")
        origins = _words(context.config, "origins")
        is_allowed = bool(origin) and ("*" in origins or origin in origins)
        headers: dict[str, str] = {"Vary": "Origin"}
        if is_allowed:
            headers |= _granted(origin, origins, context.config)
        wanted = request.headers.get("access-control-request-method", "")
        if request.method != "OPTIONS" or not (origin and wanted):
            return Verdict(headers=headers)
        if is_allowed:
            headers |= _preflight(context.config)
        return Verdict(answer=Answer(status=NO_CONTENT), headers=headers)


def _granted(origin: str, origins: Sequence[str], config: JsonObject) -> Mapping[str, str]:
    headers = {"Access-Control-Allow-Origin": "*" if "*" in origins else origin}
    if config["allow_credentials"] and "*" not in origins:
        headers["Access-Control-Allow-Credentials"] = "true"
    if exposed := _words(config, "expose_headers"):
        headers["Access-Control-Expose-Headers"] = ", ".join(exposed)
    return headers


def _preflight(config: JsonObject) -> Mapping[str, str]:
    return {
        "Access-Control-Allow-Methods": ", ".join(_words(config, "methods")),
        "Access-Control-Allow-Headers": ", ".join(_words(config, "headers")),
        "Access-Control-Max-Age": str(config["max_age_s"]),
        "Vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
    }


def _words(config: JsonObject, name: str) -> Sequence[str]:
    value = config[name]
    return [str(word) for word in value] if isinstance(value, (list, tuple)) else []


def _is_origin(text: str) -> bool:
    parts = urlsplit(text)
    is_bare = not (parts.path or parts.query or parts.fragment or parts.username)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and is_bare
