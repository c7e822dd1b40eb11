"""Bind Django forms, and put what a service refused beside their fields."""

from django import forms
from django.http import HttpRequest, QueryDict

from detectviz.resources.errors import DomainError, InvalidFieldsError


def posted(request: HttpRequest) -> QueryDict | None:
    """Return what binds a form: the fields of a POST, even when there are none."""
    return request.POST if request.method == "POST" else None


def add_domain_errors(form: forms.Form, error: DomainError) -> None:
    """Add an error's messages to the fields they name (``spec.title`` → ``title``), else on top."""
    form.full_clean()
    if not isinstance(error, InvalidFieldsError):
        form.add_error(None, error.message)
        return
    for path, messages in error.fields.items():
        known = [part for part in path.replace("[", ".").split(".") if part in form.fields]
        for message in messages:
            form.add_error(known[0] if known else None, message)
