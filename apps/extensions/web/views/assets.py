"""What pages show of plugins."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from apps.extensions.selectors import plugin_assets, plugin_icon_path

_NO_CODE = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
_A_YEAR_S = 31_536_000


@cache_control(public=True, max_age=86_400)
def plugin_icon(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """Answer a plugin's own icon; shown by <img>, where SVG can't run scripts."""
    path = plugin_icon_path(kind, name)
    if path is None:
        raise Http404("This plugin has no icon.")
    response = HttpResponse(path.read_bytes(), content_type="image/svg+xml")
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response


@require_safe
def plugin_asset(
    request: HttpRequest, kind: str, name: str, digest: str, path: str
) -> HttpResponse:
    """Answer a file of a plugin; its address has the hash of all of them and never changes."""
    assets = plugin_assets(kind, name)
    found = assets.find(path) if assets is not None and assets.digest == digest else None
    if found is None:
        raise Http404("This plugin shows no such file.")
    content, content_type = found
    response = HttpResponse(content, content_type=content_type)
    response.headers["Cache-Control"] = f"public, max-age={_A_YEAR_S}, immutable"
    response.headers["X-Content-Type-Options"] = "nosniff"
    # Opened by itself, a file of a plugin is a document that may do nothing.
    response.headers["Content-Security-Policy"] = _NO_CODE
    return response
