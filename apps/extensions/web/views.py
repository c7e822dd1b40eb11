"""What pages show of plugins."""

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import cache_control

from apps.extensions.selectors import plugin_icon_path


@cache_control(public=True, max_age=86_400)
def plugin_icon(request: HttpRequest, kind: str, name: str) -> HttpResponse:
    """Answer a plugin's own icon; shown by <img>, where SVG can't run scripts."""
    path = plugin_icon_path(kind, name)
    if path is None:
        raise Http404("This plugin has no icon.")
    response = HttpResponse(path.read_bytes(), content_type="image/svg+xml")
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'"
    return response
