"""Templates of plugins: its own files, a closed list of tags, no more."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from django.template import Context, Engine
from django.template.exceptions import TemplateDoesNotExist, TemplateSyntaxError
from django.utils.safestring import SafeString

from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import JsonObject
from detectviz.web.markup import markup_clean

FOLDER: Final = "templates"
_MOST_FILES: Final = 100
_LARGEST: Final = 200_000
_LONGEST_PAGE: Final = 2_000_000


class _ClosedEngine(Engine):
    """Django's engine without the tags and filters it brings along."""

    default_builtins = ["detectviz.web.plugin_tags"]


class PluginTemplates:
    """The templates of one plugin, read once; links and files that are too large are left out."""

    def __init__(self, folder: Path, *, plugin: str) -> None:
        self._plugin = plugin
        self._engine = _ClosedEngine(
            loaders=[("django.template.loaders.locmem.Loader", _read(folder / FOLDER))],
            libraries={},
            autoescape=True,
            debug=False,
        )

    def render(
        self,
        template: str,
        data: JsonObject,
        *,
        base: str,
        assets: str = "",
        routes: Mapping[str, str] | None = None,
        csrf_field: str = "",
    ) -> SafeString:
        """Return the cleaned HTML of a template; raise PluginError for what cannot be rendered."""
        own = {"base": base, "assets": assets, "routes": dict(routes or {})}
        try:
            text = self._engine.get_template(template).render(Context({"data": data, **own}))
        except TemplateDoesNotExist as error:
            raise PluginError(f"There is no template {error}.", permanent=True) from error
        except (TemplateSyntaxError, RecursionError, ArithmeticError, LookupError, TypeError,
                ValueError) as error:  # fmt: skip
            raise PluginError(f"{template}: {error}", permanent=True) from error
        if len(text) > _LONGEST_PAGE:
            raise PluginError("The page is too long.", permanent=True)
        return markup_clean(text, base=base, assets=assets, csrf_field=csrf_field)


def _read(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*.html"))[:_MOST_FILES]:
        is_inside = path.resolve().is_relative_to(folder.resolve())
        if is_inside and not path.is_symlink() and path.stat().st_size <= _LARGEST:
            found[path.relative_to(folder).as_posix()] = path.read_text(encoding="utf-8")
    return found
