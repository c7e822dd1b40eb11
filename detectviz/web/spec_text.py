"""Editing a resource as YAML: the spec as text, saved as the API would save it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.http import HttpResponse

from detectviz.resources.errors import NotFoundError
from detectviz.resources.models import NAME_MESSAGE, is_name
from detectviz.resources.registry import ResourceKind
from detectviz.resources.yaml import MalformedYamlError, dump_documents, load_documents
from detectviz.web.forms import Errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope
from detectviz.web.writes import form_save


@dataclass(frozen=True)
class SpecText:
    """A spec as text; ``name`` is empty while it is new, ``back`` where Cancel leads."""

    scope: OrgScope
    kind: ResourceKind[Any]
    text: str
    back: str
    name: str = ""
    version: int | None = None
    is_new: bool = True
    problems: Sequence[tuple[str, str]] = ()

    @classmethod
    def of(
        cls, scope: OrgScope, kind: ResourceKind[Any], instance: Any, *, back: str
    ) -> "SpecText":
        """Return the text of a resource that is there."""
        return cls(
            scope,
            kind,
            text=dump_documents([kind.to_spec(instance)]),
            back=back,
            name=instance.name,
            version=instance.resource_version,
            is_new=False,
        )


def spec_save(
    request: PageRequest,
    page: SpecText,
    *,
    template: str,
    done: Callable[[OrgScope, str], str],
) -> HttpResponse:
    """Show the text, or take what was submitted and go where ``done`` says.

    The caller has asked for the permission.
    """
    if request.method != "POST":
        return render_page(request, template, page)
    text = request.POST.get("text", "").replace("\r\n", "\n")
    name = request.POST.get("name", "").strip() if page.is_new else page.name
    version = request.POST.get("resource_version", "")
    problems = _problems(page, text, name, version)
    if problems:
        failed = replace(page, text=text, name=name, problems=problems)
        return render_page(request, template, failed, status=422)
    return go_to(request, done(page.scope, name), said="Saved.")


def _problems(page: SpecText, text: str, name: str, version: str) -> list[tuple[str, str]]:
    if not is_name(name):
        return [("name", NAME_MESSAGE)]
    if version and not version.isdecimal():
        raise NotFoundError
    try:
        documents = load_documents(text)
    except MalformedYamlError as error:
        return [("", error.message)]
    spec: Any = documents[0] if len(documents) == 1 else None  # the serializer refuses others
    errors: Errors = form_save(
        page.scope,
        page.kind,
        mode="create" if page.is_new else "update",
        name=name,
        spec=spec,
        resource_version=int(version) if version else None,
    )
    return [(path.replace("/", "."), " ".join(texts)) for path, texts in errors.items()]
