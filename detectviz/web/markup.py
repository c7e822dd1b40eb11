"""HTML of plugins as the host lets it through: parsed, judged by closed lists, written anew.

Everything unknown is dropped. Because the text is written anew, no two parsers can disagree on
it: text and attributes are escaped, attributes quoted, elements closed. Elements whose text
is not text (script, style and their like) are dropped with all they hold. Addresses stay inside
the plugin's own pages (``base``), but links may lead to other pages of this site.
"""

from collections.abc import Sequence
from html import escape
from html.parser import HTMLParser
from typing import Final

from django.utils.safestring import SafeString, mark_safe

_TEXT: Final = {
    "a", "abbr", "article", "b", "br", "button", "caption", "code", "col", "colgroup", "dd",
    "details", "div", "dl", "dt", "em", "fieldset", "figcaption", "figure", "footer", "form", "h2",
    "h3", "h4", "header", "hr", "i", "img", "input", "kbd", "label", "legend", "li", "meter",
    "ol", "optgroup", "option", "output", "p", "pre", "progress", "q", "s", "section", "select",
    "small", "span", "strong", "sub", "summary", "sup", "table", "tbody", "td", "textarea", "tfoot",
    "th", "thead", "time", "tr", "u", "ul",
}  # fmt: skip
_SVG: Final = {
    "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "use",
}  # fmt: skip
_DROPPED: Final = {
    "script", "style", "iframe", "object", "embed", "template", "noscript", "noembed", "noframes",
    "xmp", "plaintext", "title", "math", "foreignobject", "annotation-xml", "frameset", "svg:style",
}  # fmt: skip
_VOID: Final = {"br", "col", "hr", "img", "input"}
_ANYWHERE: Final = {"class", "id", "title", "role", "lang", "dir", "hidden", "tabindex"}
_ATTRIBUTES: Final = {
    "abbr", "alt", "autocomplete", "checked", "cols", "colspan", "cx", "cy", "d", "datetime",
    "disabled", "dx", "dy", "fill", "fill-opacity", "focusable", "for", "height", "high", "label",
    "low", "max", "maxlength", "method", "min", "minlength", "multiple", "name", "open", "optimum",
    "placeholder", "points", "preserveaspectratio", "r", "readonly", "required", "rows", "rowspan",
    "rx", "ry", "scope", "selected", "size", "span", "start", "step", "stroke", "stroke-width",
    "text-anchor", "transform", "type", "value", "viewbox", "width", "x", "x1", "x2", "y", "y1",
    "y2", "hx-swap", "hx-trigger", "hx-target", "data-relative",
}  # fmt: skip
_OWN: Final = {"hx-get", "hx-post", "action", "formaction"}  # only the plugin's own addresses
_SPELT: Final = {"viewbox": "viewBox", "preserveaspectratio": "preserveAspectRatio"}
_INPUTS: Final = {
    "text", "number", "search", "checkbox", "radio", "date", "time", "datetime-local", "submit",
    "hidden", "range", "email", "url",
}  # fmt: skip
_SWAPS: Final = {"innerHTML", "outerHTML", "morph:innerHTML", "morph:outerHTML"}
_OWN_NAMES: Final = {"csrfmiddlewaretoken"}
_TOP: Final = "x-"  # ids of plugins begin so: they can never be one of the host's


def markup_clean(html: str, *, base: str, assets: str = "", csrf_field: str = "") -> SafeString:
    """Return ``html`` with nothing in it but what is allowed.

    ``base`` is the path of the plugin's pages and ``assets`` of its files; both end in ``/``.
    ``csrf_field`` is put into forms that POST.
    """
    cleaner = _Cleaner(base=base, assets=assets, csrf_field=csrf_field)
    cleaner.feed(html)
    cleaner.close()
    return mark_safe("".join(cleaner.finish()))  # noqa: S308 - written anew from closed lists


class _Cleaner(HTMLParser):
    """Writes what it parses, where it is allowed."""

    def __init__(self, *, base: str, assets: str, csrf_field: str) -> None:
        super().__init__(convert_charrefs=True)
        self._base, self._assets, self._csrf = base, assets, csrf_field
        self._out: list[str] = []
        self._open: list[str] = []
        self._dropping: list[str] = []

    def finish(self) -> list[str]:
        """Close what is open and return everything."""
        while self._open:
            self._out.append(f"</{self._open.pop()}>")
        return self._out

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Write an element that is allowed."""
        if self._dropping or tag in _DROPPED:
            self._dropping.append(tag)
            return
        if tag not in _TEXT and tag not in _SVG:
            return
        kept = [text for name, value in attrs if (text := self._attribute(tag, name, value or ""))]
        self._out.append(f"<{' '.join((tag, *dict.fromkeys(kept)))}>")
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "form" and ("method", "post") in [(k, (v or "").lower()) for k, v in attrs]:
            self._out.append(self._csrf)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        """Write an element without content."""
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close an element that is open, and those in it."""
        if self._dropping:
            if tag in self._dropping:
                while self._dropping.pop() != tag:
                    pass
            return
        if tag not in self._open:
            return
        while True:
            closed = self._open.pop()
            self._out.append(f"</{closed}>")
            if closed == tag:
                return

    def handle_data(self, data: str) -> None:
        """Write text."""
        if not self._dropping:
            self._out.append(escape(data, quote=False))

    def _attribute(self, tag: str, name: str, value: str) -> str:
        if not self._is_allowed(tag, name, value):
            return ""
        if name in {"id", "for"}:
            value = value if value.startswith(_TOP) else _TOP + value
        return f'{_SPELT.get(name, name)}="{escape(value)}"'

    def _is_allowed(self, tag: str, name: str, value: str) -> bool:
        if name in _OWN:
            return value.startswith(self._base) and _is_plain(value)
        if name == "href":
            return _is_link(value) if tag == "a" else tag == "use" and _is_icon(value)
        if name == "src":
            return bool(self._assets) and value.startswith(self._assets) and _is_plain(value)
        if name == "type":
            return tag == "button" or value.lower() in _INPUTS
        if name == "name":
            return value not in _OWN_NAMES
        if name == "hx-swap":
            return value in _SWAPS
        if name == "hx-target":
            return value == "this"
        if name == "hx-trigger":
            return not set(value) & set("[]'\"\\") and "from:" not in value
        return name in _ANYWHERE or name in _ATTRIBUTES or name.startswith("aria-")


def _is_plain(address: str) -> bool:
    return not {"..", "\\"} & set(address.split("/")) and "\\" not in address and "%" not in address


def _is_link(address: str) -> bool:
    path = address.partition("?")[0]
    return path.startswith(("/o/", "?", "#")) or (not path and bool(address))


def _is_icon(address: str) -> bool:
    return address.startswith("/static/") and "tabler-icons" in address and ".." not in address
