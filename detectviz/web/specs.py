"""Editing a resource on a page: a form from a schema or the YAML of the spec, two views of one.

A kind says once how it is edited (``SpecEditor``); ``spec_create`` and ``spec_edit`` answer the
pages. Changing the view keeps what is typed and saves nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeAlias

from django.http import HttpResponse, QueryDict
from django.urls import reverse

from detectviz.contracts.types import JsonObject
from detectviz.pluginhost.forms import FormField, form_fields
from detectviz.resources.errors import DomainError, InvalidFieldsError, NotFoundError
from detectviz.resources.models import NAME_MESSAGE, is_name
from detectviz.resources.registry import ResourceKind
from detectviz.resources.services import folder_names
from detectviz.resources.validation import validate_spec
from detectviz.resources.yaml import MalformedYamlError, dump_documents, load_documents
from detectviz.web.forms import Errors, SchemaForm, field_errors
from detectviz.web.label_rows import (
    label_fields,
    labels_document,
    labels_problems,
    labels_submitted,
)
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.parsing import parse_form
from detectviz.web.scope import OrgScope
from detectviz.web.writes import form_save, kind_of

View: TypeAlias = Literal["form", "yaml"]
_TEMPLATE = "components/spec_page.html"
_KEPT = {"set": True}  # how a spec says that a stored secret stays as it is
_NOT_ONE = "Must be one object: the fields of the spec."


def _nothing(_request: PageRequest, _scope: OrgScope) -> JsonObject:
    return {}


def _same(document: JsonObject) -> JsonObject:
    return document


def _no_text(_request: PageRequest, _scope: OrgScope) -> str:
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecEditor:
    """How a kind is edited.

    ``schema`` describes every field of the spec for a scope (choices differ by org); a field it
    leaves out would be lost when the form is saved. ``start`` is the spec a new form begins with,
    ``example`` the commented YAML a new text begins with. Where people are asked otherwise than
    the spec is written, ``to_form`` and ``to_spec`` turn one into the other. ``list_route`` and
    ``detail_route`` name the pages before and after; the second takes the org and the name.
    ``preview_route`` names a page that takes the form as POST and answers with a fragment, asked
    again while one types; ``trial_route`` one that is asked by a button (``trial_label``), as it
    takes longer.
    """

    api_version: str
    kind: str
    noun: str
    title: str
    schema: Callable[[OrgScope], JsonObject]
    list_route: str
    detail_route: str
    lead: str = ""
    start: Callable[[PageRequest, OrgScope], JsonObject] = _nothing
    example: Callable[[PageRequest, OrgScope], str] = _no_text
    to_form: Callable[[JsonObject], JsonObject] = _same
    to_spec: Callable[[JsonObject], JsonObject] = _same
    preview_route: str = ""
    trial_route: str = ""
    trial_label: str = ""
    template: str = _TEMPLATE

    @property
    def resource(self) -> ResourceKind[Any]:
        """The registered kind."""
        return kind_of(self.api_version, self.kind)


@dataclass(frozen=True)
class SpecPage:
    """What the page shows; ``name`` is empty while it is new."""

    scope: OrgScope
    editor: SpecEditor
    view: View
    document: JsonObject = field(default_factory=dict)
    text: str = ""
    name: str = ""
    folder: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    version: int | None = None
    is_new: bool = True
    errors: Errors = field(default_factory=dict)

    @cached_property
    def fields(self) -> tuple[FormField, ...]:
        """What the form asks."""
        return form_fields(self.editor.schema(self.scope))

    @cached_property
    def form(self) -> SchemaForm:
        """The form with what it holds."""
        shown = {**self.editor.to_form(self.document), **labels_document(self.labels)}
        fields = (*self.fields, *label_fields())
        return SchemaForm(fields, shown, self.errors, frozenset(self.secrets_set))

    @cached_property
    def labels_form(self) -> SchemaForm:
        """What is asked beside the YAML of the spec."""
        return SchemaForm(label_fields(), labels_document(self.labels), self.errors)

    @cached_property
    def secrets_set(self) -> Mapping[str, str]:
        """The stored secrets by the name of their input; the form never shows one."""
        secrets = self.document.get("secrets")
        found = secrets if isinstance(secrets, Mapping) else {}
        return {f"secrets/{name}": name for name, value in found.items() if value == _KEPT}

    @property
    def problems(self) -> Sequence[tuple[str, str]]:
        """What is wrong with the text, as (path, message)."""
        return [(path.replace("/", "."), " ".join(texts)) for path, texts in self.errors.items()]

    @property
    def name_errors(self) -> Sequence[str]:
        """What is wrong with the name."""
        return self.errors.get("name", ()) if self.is_new else ()

    @cached_property
    def folders(self) -> Sequence[str]:
        """The folders to choose from; none where rows of the kind lie in no folder."""
        return folder_names(self.scope.org) if self.editor.resource.has_folder else ()

    @property
    def folder_errors(self) -> Sequence[str]:
        """What is wrong with the folder."""
        return self.errors.get("folder", ())

    @property
    def heading(self) -> str:
        """What the page is for."""
        return f"New {self.editor.noun}" if self.is_new else f"Edit {self.name}"

    @property
    def back(self) -> str:
        """Where Cancel leads."""
        if self.is_new:
            return reverse(self.editor.list_route, args=[self.scope.org.name])
        return self.detail_url(self.name)

    @property
    def preview_url(self) -> str:
        """Where the preview is asked, empty without any."""
        return self._url_of(self.editor.preview_route)

    @property
    def trial_url(self) -> str:
        """Where the trial is asked, empty without any."""
        return self._url_of(self.editor.trial_route)

    def _url_of(self, route: str) -> str:
        return reverse(route, args=[self.scope.org.name]) if route else ""

    def detail_url(self, name: str) -> str:
        """Return the page of the saved resource."""
        return reverse(self.editor.detail_route, args=[self.scope.org.name, name])


@dataclass(frozen=True, slots=True)
class Draft:
    """What is typed so far: the validated spec, or what is missing or wrong with it."""

    spec: Mapping[str, Any] | None
    errors: Errors


def spec_create(request: PageRequest, scope: OrgScope, editor: SpecEditor) -> HttpResponse:
    """Show the page of a new resource and take it. The caller has asked for the permission."""
    page = SpecPage(scope, editor, _view_of(request.GET))
    if request.method == "POST":
        return _submitted(request, page)
    document = editor.start(request, scope)
    text = editor.example(request, scope) or dump_documents([document])
    page = replace(page, document=document, text=text, name=request.GET.get("name", ""))
    return render_page(request, editor.template, page)


def spec_edit(
    request: PageRequest, scope: OrgScope, editor: SpecEditor, instance: Any
) -> HttpResponse:
    """Show the page of a stored resource and take it. The caller has asked for the permission."""
    document = editor.resource.to_spec(instance)
    page = SpecPage(
        scope,
        editor,
        _view_of(request.GET),
        document=document,
        text=dump_documents([document]),
        name=instance.name,
        folder=instance.folder.name if instance.folder else None,
        labels=instance.labels,
        version=instance.resource_version,
        is_new=False,
    )
    if request.method == "POST":
        return _submitted(request, page)
    return render_page(request, editor.template, page)


def spec_draft(request: PageRequest, scope: OrgScope, editor: SpecEditor) -> Draft:
    """Return what is typed so far, validated as a write would; nothing is saved."""
    page = SpecPage(scope, editor, _view_of(request.POST))
    try:
        spec = _document_of(page, request.POST)
        return Draft(validate_spec(editor.resource, org=scope.org, instance=None, spec=spec), {})
    except InvalidFieldsError as error:
        return Draft(None, field_errors(error.fields))
    except DomainError as error:
        return Draft(None, {"": [error.message]})


def draft_problems(scope: OrgScope, editor: SpecEditor, errors: Errors) -> list[str]:
    """Return errors as sentences that begin with the label of their field, for a preview."""
    fields = form_fields(editor.schema(scope))
    named = SchemaForm(fields, {}, errors).problems
    return [f"{label}: {text}" if label else text for label, _, text in named]


def _submitted(request: PageRequest, stored: SpecPage) -> HttpResponse:
    data = request.POST
    page = replace(
        stored,
        view=_view_of(data),
        name=data.get("name", "").strip() if stored.is_new else stored.name,
        text=data.get("text", "").replace("\r\n", "\n"),
        folder=data.get("folder", stored.folder),
        labels=labels_submitted(data, stored.labels),
    )
    try:
        document = _document_of(page, data)
    except DomainError as error:
        return _refused(request, page, {"": [error.message]})
    page = replace(page, document=document)
    if data.get("show") in {"form", "yaml"}:
        shown = replace(page, view=_view_of(data, "show"), text=dump_documents([document]))
        return render_page(request, page.editor.template, shown)
    errors = _saved(page, data.get("resource_version", ""))
    if errors:
        return _refused(request, page, errors)
    return go_to(request, page.detail_url(page.name), said="Saved.")


def _refused(request: PageRequest, page: SpecPage, errors: Errors) -> HttpResponse:
    failed = replace(page, errors=errors)
    return render_page(request, page.editor.template, failed, status=422)


def _document_of(page: SpecPage, data: QueryDict) -> dict[str, Any]:
    """Return the spec that was submitted, as text or as a form; raise DomainError."""
    if page.view == "form":
        return _asked(page, data)
    documents = load_documents(data.get("text", "").replace("\r\n", "\n"))
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise MalformedYamlError(_NOT_ONE)
    found: dict[str, Any] = documents[0]
    return found


def _asked(page: SpecPage, data: QueryDict) -> dict[str, Any]:
    """Return the spec of the form; a secret that is left empty stays what it was."""
    document: dict[str, Any] = dict(page.editor.to_spec(parse_form(page.fields, data)))
    if page.secrets_set:
        kept = dict.fromkeys(page.secrets_set.values(), _KEPT)
        document["secrets"] = {**kept, **document.get("secrets", {})}
    return document


def _saved(page: SpecPage, version: str) -> Errors:
    if not is_name(page.name):
        return {"name": [NAME_MESSAGE]}
    if wrong := labels_problems(page.labels):
        return wrong
    if version and not version.isdecimal():
        raise NotFoundError
    errors = form_save(
        page.scope,
        page.editor.resource,
        mode="create" if page.is_new else "update",
        name=page.name,
        spec=page.document,
        labels=page.labels,
        folder=page.folder,
        resource_version=int(version) if version else None,
    )
    return _placed(page, errors)


def _placed(page: SpecPage, errors: Errors) -> Errors:
    """Return errors about secrets at the fields that ask for them beside a configuration."""
    if all(each.name != "secrets" for each in page.fields):
        return errors
    return {
        f"secrets/{name.removeprefix('config/')}" if name.startswith("config/") else name: texts
        for name, texts in errors.items()
    }


def _view_of(data: QueryDict, name: str = "view") -> View:
    return "yaml" if data.get(name) == "yaml" else "form"
