"""The tag that shows a drawing."""

from django import template

from detectviz.contracts.drawings import Drawing
from detectviz.web.drawings import DrawingView

register = template.Library()


@register.inclusion_tag("components/drawing.html")
def show_drawing(drawing: Drawing) -> dict[str, DrawingView]:
    """Show a drawing of a plugin, escaped like everything else."""
    return {"view": DrawingView(drawing)}
