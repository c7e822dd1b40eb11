"""Notification templates: read, checked, expanded; one that fails never loses a notification."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from django.db import models

from apps.notifications.models import NotificationTemplate
from apps.notifications.services.template_data import template_data
from apps.notifications.services.template_defaults import default_source
from detectviz.clock import utc_now
from detectviz.contracts.message import one_line, title_of
from detectviz.contracts.notifier import Notification
from detectviz.contracts.rendering import short_text
from detectviz.contracts.types import JsonObject, JsonValue
from detectviz.gotemplate.alertmanager import alertmanager_functions
from detectviz.gotemplate.errors import TemplateError, TemplateLimitError
from detectviz.gotemplate.limits import Limits
from detectviz.gotemplate.nodes import Node
from detectviz.gotemplate.parser import Parsed
from detectviz.gotemplate.template import Template
from detectviz.resources.errors import InvalidFieldsError

LIMITS = Limits(output_bytes=131_072, steps=400_000, depth=40, seconds=2.0)
LONGEST_TITLE = 500
MARK = "x-template"


class TemplateProblem(Exception):  # noqa: N818 - a problem of what an operator wrote, not of ours
    """Why a template can't be used; the text names it, the line, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """The definitions an organisation's templates may use, and in which template each stands."""

    definitions: Mapping[str, Sequence[Node]]
    owners: Mapping[str, str]

    def expanded(
        self, source: str, notification: Notification, *, now: datetime, where: str
    ) -> str:
        """Return ``source`` over a notification; raise TemplateProblem. ``where`` is its name."""
        if "{{" not in source:
            return source
        try:
            parsed = _parsed(source).parsed
            defined = {**self.definitions, **parsed.defined}
            functions = alertmanager_functions(now=now)
            whole = Template(parsed=_joined(parsed, defined), functions=functions)
            return whole.render(template_data(notification), limits=LIMITS)
        except TemplateError as error:
            raise TemplateProblem(self._explained(error, where)) from error

    def _explained(self, error: TemplateError, where: str) -> str:
        name = error.template
        owner = self.owners.get(name, "")
        place = f'"{name}"' + (f" of the template {owner}" if owner else "") if name else where
        at = f", line {error.line}" if error.line else ""
        return f"{place}{at}: {error.message.rstrip('.')}. {_advice(error)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """What is sent: the notification, the notifier's settings, and what went wrong on the way."""

    notification: Notification
    config: Mapping[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Rendering:
    """One notification being rendered for one receiver."""

    library: Library
    notification: Notification
    now: datetime
    notes: list[str] = field(default_factory=list)

    def text(self, source: str, where: str, otherwise: Callable[[], str]) -> str:
        try:
            return self.library.expanded(source, self.notification, now=self.now, where=where)
        except TemplateProblem as problem:
            self.notes.append(f"{problem} The default is sent instead.")
            return otherwise()

    def value(self, schema: JsonObject, value: JsonValue, where: str) -> JsonValue:
        """Return ``value`` with every text rendered that ``schema`` marks."""
        if isinstance(value, str):
            if schema.get(MARK) is not True:
                return value
            return self.text(value, where, lambda: self._default(schema, where))
        if isinstance(value, Mapping):
            known = _object(schema.get("properties"))
            others = _object(schema.get("additionalProperties"))
            return {
                name: self.value(_object(known.get(name)) or others, each, f"{where}.{name}")
                for name, each in value.items()
            }
        if isinstance(value, list | tuple):
            items = _object(schema.get("items"))
            return [self.value(items, each, f"{where}[{at}]") for at, each in enumerate(value)]
        return value

    def _default(self, schema: JsonObject, where: str) -> str:
        default = schema.get("default")
        if not isinstance(default, str):
            return ""
        return self.text(default, f"the default of {where}", lambda: "")


def library_of(*, org_id: int, override: Mapping[str, str] | None = None) -> Library:
    """Return what the organisation's templates define, over the defaults.

    ``override`` maps names of templates to texts tried in place of the stored ones. A stored
    template that can no longer be read is left out.
    """
    rows = NotificationTemplate.objects.for_org(org_id).order_by("name")
    sources = {**dict(rows.values_list("name", "template")), **(override or {})}
    definitions: dict[str, Sequence[Node]] = dict(_parsed(default_source()).parsed.defined)
    owners: dict[str, str] = {}
    for name, source in sources.items():
        try:
            defined = _parsed(source).parsed.defined
        except TemplateError:
            continue
        definitions |= defined
        owners |= dict.fromkeys(defined, name)
    return Library(definitions=definitions, owners=owners)


def template_check(source: str, *, where: str) -> tuple[str, ...]:
    """Return the names ``source`` defines; raise TemplateProblem for what is no template."""
    try:
        return tuple(_parsed(source).parsed.defined)
    except TemplateError as error:
        line = f", line {error.line}" if error.line else ""
        raise TemplateProblem(f"{where}{line}: {error.message}.") from error


def template_errors(
    schema: JsonObject, config: Mapping[str, Any], path: str
) -> Iterator[tuple[str, list[str]]]:
    """Yield the fields of a notifier's settings whose template can't be read."""
    for name, described in _object(schema.get("properties")).items():
        marked, value = _object(described), config.get(name)
        here = f"{path}.{name}"
        if isinstance(value, Mapping):
            yield from template_errors(marked, value, here)
        elif isinstance(value, str) and marked.get(MARK) is True:
            yield from text_errors(value, here)
        elif isinstance(value, list) and _object(marked.get("items")).get(MARK) is True:
            for index, each in enumerate(value):
                yield from text_errors(each, f"{here}[{index}]")


def text_errors(source: str, path: str) -> Iterator[tuple[str, list[str]]]:
    """Yield ``path`` with what is wrong with a template, nothing when it can be read."""
    try:
        template_check(source, where="This template")
    except TemplateProblem as problem:
        yield path, [str(problem)]


def notification_render(
    *,
    library: Library,
    notification: Notification,
    receiver: Mapping[str, Any],
    schema: JsonObject,
    now: datetime | None = None,
) -> Rendered:
    """Return the notification with title and text, and the receiver's settings, rendered.

    Never raises for what an operator wrote: what fails is noted and the default taken.
    """
    run = _Rendering(library=library, notification=notification, now=now or utc_now())
    title, text = receiver.get("title_template", ""), receiver.get("text_template", "")
    default_title = title_of(notification)
    shown_title = run.text(title, "the title", lambda: "") if title else ""
    shown_text = run.text(text, "the text", lambda: "").strip() if text else ""
    told = replace(
        notification,
        title=one_line(shown_title, max_characters=LONGEST_TITLE) or default_title,
        text=shown_text or short_text(notification),
        is_templated=bool(shown_text),
    )
    run.notification = told
    config = _object(run.value(schema, receiver["config"], "config"))
    return Rendered(notification=told, config=dict(config), notes=tuple(run.notes))


def template_write(
    *,
    org: models.Model,
    name: str,
    title: str,
    template: str,
    sample: Mapping[str, Any],
    instance: NotificationTemplate | None,
) -> NotificationTemplate:
    """Create or update a template that can be read and defines something."""
    try:
        names = template_check(template, where=f"The template {name}")
    except TemplateProblem as problem:
        raise InvalidFieldsError({"spec.template": [str(problem)]}) from problem
    if not names:
        hint = f'Define something: {{{{ define "{name}.title" }}}}…{{{{ end }}}}.'
        raise InvalidFieldsError({"spec.template": [hint]})
    row = instance or NotificationTemplate(org_id=org.pk, name=name)
    _refuse_doubles(row, names)
    row.title, row.template, row.sample = title, template, dict(sample)
    row.save()
    return row


def _refuse_doubles(row: NotificationTemplate, names: Sequence[str]) -> None:
    """Two templates that define one name would take turns by their order."""
    for other in NotificationTemplate.objects.for_org(row.org_id).exclude(name=row.name):
        doubled = set(names) & set(template_check(other.template, where=other.name))
        if doubled:
            told = f"{min(doubled)!r} is defined by the template {other.name}; rename one of them."
            raise InvalidFieldsError({"spec.template": [told]})


def _advice(error: TemplateError) -> str:
    if isinstance(error, TemplateLimitError):
        return "Make it shorter: range over fewer alerts."
    if "not defined" in error.message:
        return "Define it in a notification template or correct its name."
    if "can't evaluate field" in error.message:
        return "The fields are those of Alertmanager's notification data; see docs/notifiers.md."
    return "Correct it there."


def _object(value: JsonValue) -> JsonObject:
    return value if isinstance(value, Mapping) else {}


@lru_cache(maxsize=2_000)
def _parsed(source: str) -> Template:
    return Template.parse(source, functions=_ANY_TIME)


def _joined(parsed: Parsed, defined: Mapping[str, Sequence[Node]]) -> Parsed:
    return Parsed(root=parsed.root, defined={name: tuple(body) for name, body in defined.items()})


_ANY_TIME = alertmanager_functions(now=datetime.min.replace(tzinfo=UTC))
