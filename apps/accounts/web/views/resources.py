"""What the list and edit pages of this app's kinds share."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpResponse
from django.urls import reverse

from detectviz.resources.errors import DomainError, NotFoundError
from detectviz.resources.registry import ResourceKind, registry
from detectviz.resources.services import Mode, WriteResult, resource_delete, resource_write
from detectviz.web.django_forms import add_domain_errors, posted
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope

PER_PAGE = 50
MakeForm = Callable[..., forms.Form]
ToSpec = Callable[[Mapping[str, Any]], dict[str, Any]]


def kind_of(name: str) -> ResourceKind[Any]:
    """Return a kind of core/v1."""
    kind = registry.by_kind("core/v1", name)
    assert kind is not None  # registered by this app
    return kind


def list_page(
    request: PageRequest,
    scope: OrgScope,
    template: str,
    rows: models.QuerySet[Any],
    **more: Any,
) -> HttpResponse:
    """Answer a page of rows."""
    number = request.GET.get("page")
    page = {"scope": scope, "rows": Paginator(rows, PER_PAGE).get_page(number), **more}
    return render_page(request, template, page)


def edit_page(
    request: PageRequest,
    scope: OrgScope,
    *,
    kind: str,
    name: str,
    form: MakeForm,
    back: str,
    to_spec: ToSpec = dict,
) -> HttpResponse:
    """Show the form of one resource, or write it through the same path as the API."""
    registered = kind_of(kind)
    instance = row_of(registered, scope, name) if name else None
    action = "update" if instance is not None else "create"
    scope.access.require(f"{registered.permission}:{action}", instance)
    initial = registered.to_spec(instance) if instance is not None else {}
    if isinstance(initial.get("permissions"), list):
        initial["permissions"] = "\n".join(initial["permissions"])
    bound = form(posted(request), initial=initial, has_name=instance is None)
    if request.method == "POST" and bound.is_valid():
        data = dict(bound.cleaned_data)
        written = written_or_errors(
            registered, scope, name or data.pop("name"), to_spec(data), bound
        )
        if written is not None:
            return go_to(request, reverse(back, args=[scope.org.name]), said="Saved.")
    page = {"scope": scope, "form": bound, "kind": kind, "name": name, "back": back}
    status = 422 if bound.errors else 200
    return render_page(request, "accounts/resource_edit.html", page, status=status)


def written_or_errors(
    kind: ResourceKind[Any],
    scope: OrgScope,
    name: str,
    spec: dict[str, Any],
    form: forms.Form,
) -> WriteResult | None:
    """Write; put what was refused beside the fields."""
    mode: Mode = "create" if "name" in form.fields else "update"
    try:
        return resource_write(
            kind, org=scope.org, actor=scope.user, name=name, spec=spec, mode=mode
        )
    except DomainError as error:
        add_domain_errors(form, error)
        return None


def row_delete(
    request: PageRequest, scope: OrgScope, kind: str, name: str, back: str
) -> HttpResponse:
    """Delete one resource and go back to the list."""
    registered = kind_of(kind)
    instance = row_of(registered, scope, name)
    scope.access.require(f"{registered.permission}:delete", instance)
    resource_delete(registered, org=scope.org, actor=scope.user, name=name)
    return go_to(request, reverse(back, args=[scope.org.name]), said=f"{name} was deleted.")


def row_of(kind: ResourceKind[Any], scope: OrgScope, name: str) -> Any:
    """Return one resource that the caller may read, or raise NotFoundError."""
    rows = scope.access.filter(kind.queryset(scope.org), f"{kind.permission}:read")
    found = rows.filter(name=name).first()
    if found is None:
        raise NotFoundError
    return found
