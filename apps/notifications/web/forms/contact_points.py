"""The form of a contact point: its own fields, then one form per receiver from its plugin."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import QueryDict

from apps.extensions.selectors import plugin_manifest
from apps.notifications.services.configuration import QUIET_ABOUT_RESOLVED
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.configuration import split_secrets
from detectviz.pluginhost.errors import PluginHostError
from detectviz.pluginhost.forms import FormField, form_fields
from detectviz.web.forms import Errors, SchemaForm
from detectviz.web.parsing import parse_form

MOST_RECEIVERS = 50
_NUMBERED = re.compile(r"receivers/(\d{1,4})/notifier")  # noqa: TID251 - a constant pattern of ours
_HEAD: JsonObject = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "title": {
            "type": "string",
            "title": "Title",
            "x-placeholder": "On call, web team",
            "description": "What people call it.",
        },
        "name": {
            "type": "string",
            "title": "Name",
            "x-placeholder": "on-call",
            "description": "Lowercase letters, digits and dashes. Routes refer to it; it can't be "
            "changed later.",
        },
        "fallback": {
            "type": "string",
            "title": "Fallback contact point",
            "x-placeholder": "on-call-phone",
            "x-group": "When it can't be reached",
            "description": "Name of the contact point that is told instead. Empty: nobody is.",
        },
        "fallback_after": {
            "type": "string",
            "title": "Tell the fallback after",
            "x-placeholder": "5m",
            "x-group": "When it can't be reached",
            "description": "How long deliveries may wait first; what fails for good doesn't wait.",
        },
        "give_up_after": {
            "type": "string",
            "title": "Give up after",
            "x-placeholder": "1d",
            "x-group": "When it can't be reached",
            "description": "Then the delivery is a dead letter, which can be sent again by hand.",
        },
    },
}
RELIABILITY_FIELDS = ("fallback", "fallback_after", "give_up_after")
_TEXT_FIELDS = ("title_template", "text_template", "rate_limit")


def _options(manifest: Manifest, *, is_new: bool) -> JsonObject:
    name: JsonObject = {
        "type": "string",
        "title": "Receiver name",
        "x-placeholder": manifest.name,
        "x-group": "Options",
        "description": "Tells receivers of one contact point apart. Empty: named after its type.",
    }
    return {
        "type": "object",
        "properties": {
            **({"name": name} if is_new else {}),
            "title_template": {
                "type": "string",
                "title": "Title",
                "x-placeholder": '{{ template "__subject" . }}',
                "x-group": "Words",
                "description": "Go template with Alertmanager's data. Empty: the default title.",
            },
            "text_template": {
                "type": "string",
                "title": "Text",
                "x-placeholder": '{{ template "default.message" . }}',
                "x-widget": "textarea",
                "x-group": "Words",
                "description": "Go template in place of what the notifier would say by itself.",
            },
            "rate_limit": {
                "type": "string",
                "title": "Rate limit",
                "x-placeholder": "30/1m",
                "x-group": "Options",
                "description": "Most messages in a time; the others wait. Empty: no limit.",
            },
            "send_resolved": {
                "type": "boolean",
                "title": "Also tell when alerts are resolved",
                "default": manifest.name not in QUIET_ABOUT_RESOLVED,
                "x-group": "Options",
            },
            "enabled": {
                "type": "boolean",
                "title": "Enabled",
                "default": True,
                "x-group": "Options",
            },
        },
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverDraft:
    """A receiver as stored or as submitted; ``secrets_set`` names what is stored already."""

    notifier: str
    document: Mapping[str, Any]
    name: str = ""
    secrets_set: frozenset[str] = frozenset()

    @property
    def is_stored(self) -> bool:
        """Return whether the receiver has its name for good."""
        return bool(self.name)


@dataclass(frozen=True, kw_only=True)
class ReceiverForm:
    """The form of one receiver at a place in the list."""

    draft: ReceiverDraft
    place: int
    errors: Errors

    @property
    def prefix(self) -> str:
        """What the names of its inputs start with."""
        return f"receivers/{self.place}"

    @property
    def title(self) -> str:
        """The plugin's title, else its name."""
        return self.manifest.title if self.manifest else self.draft.notifier

    @cached_property
    def manifest(self) -> Manifest | None:
        """The plugin's manifest, None while it is not usable."""
        return notifier_manifest(self.draft.notifier)

    @cached_property
    def form(self) -> SchemaForm:
        """The plugin's fields and the receiver's own."""
        prefix = f"{self.prefix}/"
        return SchemaForm(
            receiver_fields(self.draft, self.place),
            {"receivers": {str(self.place): dict(self.draft.document)}},
            {name: texts for name, texts in self.errors.items() if f"{name}/".startswith(prefix)},
            frozenset(f"{prefix}config/{name}" for name in self.draft.secrets_set),
        )

    @property
    def problems(self) -> tuple[tuple[str, str, str], ...]:
        """What is wrong, each label saying which receiver is meant."""
        told = self.draft.name or self.title
        return tuple(
            (f"{told}, {label}" if id_ else told, id_, text)
            for label, id_, text in self.form.problems
        )


@dataclass(frozen=True, kw_only=True)
class PointForm:
    """Everything the page of a contact point asks."""

    head: Mapping[str, Any]
    drafts: tuple[ReceiverDraft, ...]
    errors: Errors
    is_new: bool

    @cached_property
    def about(self) -> SchemaForm:
        """Title and name."""
        own = {name: texts for name, texts in self.errors.items() if not _is_inner(name)}
        return SchemaForm(head_fields(is_new=self.is_new), dict(self.head), own)

    @cached_property
    def receivers(self) -> tuple[ReceiverForm, ...]:
        """The receivers in order."""
        return tuple(
            ReceiverForm(draft=draft, place=place, errors=self.errors)
            for place, draft in enumerate(self.drafts)
        )

    @property
    def problems(self) -> tuple[tuple[str, str, str], ...]:
        """Everything wrong, in order of the page."""
        inner = (each for receiver in self.receivers for each in receiver.problems)
        return (*self.about.problems, *inner)


def notifier_manifest(name: str) -> Manifest | None:
    """Return the manifest of a usable notifier."""
    try:
        return plugin_manifest(PluginKind.NOTIFIER, name)
    except PluginHostError:
        return None


def head_fields(*, is_new: bool) -> tuple[FormField, ...]:
    """Return the contact point's own fields."""
    return tuple(each for each in form_fields(_HEAD) if is_new or each.name != "name")


def receiver_fields(draft: ReceiverDraft, place: int) -> tuple[FormField, ...]:
    """Return the fields of a receiver, none while its plugin is not usable."""
    manifest = notifier_manifest(draft.notifier)
    if manifest is None:
        return ()
    path = ("receivers", str(place))
    return (
        *form_fields(manifest.config_schema, (*path, "config")),
        *form_fields(_options(manifest, is_new=not draft.is_stored), path),
    )


def stored_drafts(spec: Mapping[str, Any]) -> tuple[ReceiverDraft, ...]:
    """Return the receivers of a stored spec, whose secrets are masked."""
    return tuple(
        ReceiverDraft(
            notifier=each["notifier"],
            name=each["name"],
            document=each,
            secrets_set=frozenset(each["secrets"]),
        )
        for each in spec["receivers"]
    )


def submitted_drafts(data: QueryDict, stored: Iterable[ReceiverDraft]) -> tuple[ReceiverDraft, ...]:
    """Return the receivers of a submitted form, in the order of their numbers."""
    known = {each.name: each for each in stored}
    places = sorted(int(found[1]) for key in data if (found := _NUMBERED.fullmatch(key)))
    return tuple(_submitted(data, place, known) for place in places[:MOST_RECEIVERS])


def _submitted(data: QueryDict, place: int, known: Mapping[str, ReceiverDraft]) -> ReceiverDraft:
    prefix = f"receivers/{place}"
    before = known.get(data.get(f"{prefix}/stored", ""))
    draft = ReceiverDraft(
        notifier=data.get(f"{prefix}/notifier", ""),
        name=before.name if before else "",
        document={},
        secrets_set=before.secrets_set if before else frozenset(),
    )
    parsed: Any = parse_form(receiver_fields(draft, place), data)
    document = parsed.get("receivers", {}).get(str(place), {})
    return ReceiverDraft(
        notifier=draft.notifier, name=draft.name, document=document, secrets_set=draft.secrets_set
    )


def next_place(data: QueryDict) -> int:
    """Return the number of a receiver added to those in ``data``."""
    return (
        max((int(found[1]) for key in data if (found := _NUMBERED.fullmatch(key))), default=-1) + 1
    )


def receiver_spec(draft: ReceiverDraft) -> dict[str, Any]:
    """Return the receiver as the resource spells it; the service names what is missing."""
    manifest = notifier_manifest(draft.notifier)
    document = dict(draft.document)
    config: JsonObject = document.get("config", {})
    secrets: Mapping[str, str] = {}
    if manifest is not None:
        config, secrets = split_secrets(manifest.config_schema, config)
    name = draft.name or document.get("name", "")
    return {
        "notifier": draft.notifier,
        **({"name": name} if name else {}),
        "config": config,
        "secrets": secrets,
        **{
            key: document[key]
            for key in ("send_resolved", "enabled", *_TEXT_FIELDS)
            if document.get(key) is not None
        },
    }


def placed_errors(errors: Errors) -> dict[str, list[str]]:
    """Put the errors of secrets where their inputs are, among the configuration."""
    placed: dict[str, list[str]] = {}
    for name, texts in errors.items():
        parts = name.split("/")
        if _is_inner(name) and parts[2:3] == ["secrets"]:
            parts[2] = "config"
        placed.setdefault("/".join(parts), []).extend(texts)
    return placed


def _is_inner(name: str) -> bool:
    return name.startswith("receivers/")
