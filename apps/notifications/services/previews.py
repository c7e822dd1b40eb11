"""What templates make of a notification, shown before anybody is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models

from apps.notifications.services.samples import notification_sample
from apps.notifications.services.templates import (
    Library,
    TemplateProblem,
    library_of,
    template_check,
)
from detectviz.clock import utc_now
from detectviz.contracts.notifier import Notification

MOST_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What one definition prints; exactly one of text and error is set, or the text is empty."""

    name: str
    text: str = ""
    error: str = ""


def template_preview(
    *,
    org: models.Model,
    template: str,
    name: str = "",
    expression: str = "",
    alert: str = "",
    delivery: str = "",
    payload: Mapping[str, Any] | None = None,
) -> list[Preview]:
    """Return what each definition of ``template`` prints, or only what ``expression`` does.

    ``name`` is the stored template it would replace. The notification is that of a past
    ``delivery`` (uid), a stored ``alert`` (fingerprint), ``payload``, or the built-in sample.
    Raise NotFoundError or InvalidFieldsError for one that can't be had.
    """
    told = notification_sample(org=org, alert=alert, delivery=delivery, payload=payload)
    try:
        names = template_check(template, where="This template")
    except TemplateProblem as problem:
        return [Preview(name=expression or "template", error=str(problem))]
    library = library_of(org_id=org.pk, override={name or "this": template})
    if expression:
        return [_shown(library, expression, expression, told)]
    shown = names[:MOST_SHOWN]
    return [_shown(library, each, f'{{{{ template "{each}" . }}}}', told) for each in shown]


def _shown(library: Library, name: str, source: str, told: Notification) -> Preview:
    try:
        text = library.expanded(source, told, now=utc_now(), where="This expression")
    except TemplateProblem as problem:
        return Preview(name=name, error=str(problem))
    return Preview(name=name, text=text)
