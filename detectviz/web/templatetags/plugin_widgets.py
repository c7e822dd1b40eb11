"""The place of plugins' widgets on a page."""

from typing import Any

from django import template

from detectviz.web.menu import widgets_of
from detectviz.web.scope import OrgScope

register = template.Library()


@register.inclusion_tag("components/widgets.html")
def plugin_widgets(scope: OrgScope, slot: str, subject: str = "") -> dict[str, Any]:
    """Offer the widgets of ``slot`` that the reader may see; ``subject`` is the page's resource."""
    return {"widgets": widgets_of(scope, slot, subject)}
