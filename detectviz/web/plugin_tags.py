"""All that templates of plugins may use: a closed list of Django's tags and filters, and ours.

Nothing here reaches settings, models, the request or files; nothing makes much out of little.
"""

from typing import Any
from urllib.parse import quote

from django import template
from django.template import Library, defaultfilters, defaulttags, loader_tags
from django.template.exceptions import TemplateSyntaxError
from django.utils.dateparse import parse_datetime

from detectviz.web.templatetags import web

register = template.Library()
_TAGS = (
    "comment", "cycle", "firstof", "for", "if", "ifchanged", "regroup", "resetcycle",
    "spaceless", "templatetag", "verbatim", "widthratio", "with",
)  # fmt: skip
_LOADER_TAGS = ("block", "extends", "include")
_FILTERS = (
    "add", "capfirst", "cut", "date", "default", "default_if_none", "dictsort",
    "dictsortreversed", "divisibleby", "escape", "filesizeformat", "first", "floatformat",
    "join", "last", "length", "linebreaksbr", "lower", "pluralize", "random", "slice", "slugify",
    "time", "title", "truncatechars", "truncatewords", "upper", "urlencode", "wordcount", "yesno",
)  # fmt: skip


def _take(source: Library, tags: tuple[str, ...] = (), filters: tuple[str, ...] = ()) -> None:
    register.tags.update({name: source.tags[name] for name in tags})
    register.filters.update({name: source.filters[name] for name in filters})


_take(defaulttags.register, _TAGS)
_take(loader_tags.register, _LOADER_TAGS)
_take(defaultfilters.register, filters=_FILTERS)
_take(web.register, ("icon", "state_pill", "state_tone"), ("duration", "percent"))


@register.filter
def ago(moment: Any) -> str:
    """Show the distance to a time, given as ISO 8601 text."""
    return web.ago(parse_datetime(moment) if isinstance(moment, str) else None)


@register.simple_tag(takes_context=True)
def page_url(context: template.Context, route: str, **parameters: Any) -> str:
    """Return the address of one of the plugin's own routes."""
    path = context["routes"].get(route)
    if path is None:
        raise TemplateSyntaxError(f"There is no route {route!r}.")
    for name, value in parameters.items():
        path = path.replace(f"<{name}>", quote(str(value), safe=""))
    return f"{context['base']}{path}"


@register.simple_tag(takes_context=True)
def partial_url(context: template.Context, name: str) -> str:
    """Return the address of one of the plugin's own partials."""
    return f"{context['base']}_partials/{quote(str(name), safe='')}"


@register.simple_tag(takes_context=True)
def asset_url(context: template.Context, file: str) -> str:
    """Return the address of a file of the plugin's ``static/``, by the hash of all of them."""
    return f"{context['assets']}{quote(str(file))}"


@register.simple_tag(takes_context=True)
def monitor_url(context: template.Context, name: str) -> str:
    """Return the address of the host's page of a monitor."""
    org = str(context["base"]).split("/")[2]
    return f"/o/{org}/monitors/m/{quote(str(name), safe='')}"
