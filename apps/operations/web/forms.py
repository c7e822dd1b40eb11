"""The form of a pipeline: its own fields, then those of every stage's plugin."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any

from django.http import QueryDict

from apps.extensions.selectors import plugin_manifest
from apps.operations.models import Pipeline
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import JsonObject, PluginKind
from detectviz.pluginhost.configuration import split_secrets
from detectviz.pluginhost.errors import PluginHostError
from detectviz.pluginhost.forms import FormField, form_fields
from detectviz.resources.errors import NotFoundError
from detectviz.web.forms import Errors, SchemaForm
from detectviz.web.parsing import parse_form

_NAME: JsonObject = {
    "type": "string",
    "title": "Name",
    "x-placeholder": "nightly",
    "description": "Lowercase letters, digits and dashes; it can't be changed later.",
}
_OWN: JsonObject = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "title": "Title", "description": "What people call it."},
        "schedule": {
            "type": "string",
            "title": "Schedule",
            "x-placeholder": "0 3 * * *",
            "description": "A cron expression in UTC; empty: it runs only by hand.",
        },
        "enabled": {"type": "boolean", "title": "Follow the schedule", "default": True},
        "batch_size": {
            "type": "integer",
            "title": "Records in a batch",
            "minimum": 1,
            "maximum": 100_000,
            "default": 1000,
            "x-group": "Options",
        },
        "attempts": {
            "type": "integer",
            "title": "Attempts to write a batch",
            "minimum": 1,
            "maximum": 100,
            "default": 5,
            "x-group": "Options",
        },
        "most_errors": {
            "type": "integer",
            "title": "Most wrong records",
            "minimum": 0,
            "default": 10_000,
            "description": "More of them end the run.",
            "x-group": "Options",
        },
    },
}
_LABELS: JsonObject = {
    "type": "object",
    "title": "Labels",
    "description": "Lists select by them.",
    "x-group": "Details",
}
_OPTIONS = ("batch_size", "attempts", "most_errors")
_KINDS = {
    "importer": PluginKind.IMPORTER,
    "processor": PluginKind.PROCESSOR,
    "exporter": PluginKind.EXPORTER,
}
_GROUPS = {"importer": "source", "processor": "steps", "exporter": "destinations"}
_HEADINGS = {"importer": "Read with", "processor": "Change with", "exporter": "Write with"}
_KEY = re.compile(r"(?:source|(?:steps|destinations)-[0-9a-z]{1,20})")  # noqa: TID251 - a constant pattern of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class FormStage:
    """One stage of the form: ``key`` begins the names of its inputs."""

    key: str
    word: str
    place: tuple[str, ...]  # where it stands in the spec
    manifest: Manifest
    stored: Mapping[str, Any]

    @property
    def heading(self) -> str:
        """What it does."""
        return _HEADINGS[self.word]

    @property
    def mark(self) -> str:
        """What a form says of it when it is sent: key, word, plugin, and its name once stored."""
        return " ".join((self.key, self.word, self.manifest.name, self.stored.get("name", "")))

    @property
    def fields(self) -> tuple[FormField, ...]:
        """The plugin's fields."""
        return form_fields(self.manifest.config_schema, (self.key,))

    def form(self, document: Mapping[str, Any] | None, errors: Errors) -> SchemaForm:
        """Return the fields with what was submitted, else with what is stored."""
        config = self.stored.get("config", {}) if document is None else document.get(self.key, {})
        mine: dict[str, list[str]] = {}
        for name, texts in errors.items():
            before = "/".join(self.place) + "/"
            first, _, rest = name.removeprefix(before).partition("/")
            if name.startswith(before):
                key = f"{self.key}/{rest}" if first in {"config", "secrets"} else ""
                mine.setdefault(key, []).extend(texts)
        secrets = frozenset(f"{self.key}/{name}" for name in self.stored.get("secrets", {}))
        return SchemaForm(self.fields, {self.key: config}, mine, secrets)

    def spec(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the stage of a submitted document."""
        config, secrets = split_secrets(self.manifest.config_schema, document.get(self.key, {}))
        named = {"name": self.stored["name"]} if self.stored.get("name") else {}
        spec: dict[str, Any] = {**named, self.word: self.manifest.name, "config": config}
        return spec if self.word == "processor" else {**spec, "secrets": secrets}


def stages_chosen(data: QueryDict) -> tuple[FormStage, ...]:
    """Return the stages that the page of choices named; raise NotFoundError."""
    return stages_of(
        {
            "source": {"importer": data.get("importer", "")},
            "steps": [{"processor": name} for name in data.getlist("processor") if name],
            "destinations": [{"exporter": name} for name in data.getlist("exporter") if name],
        }
    )


def stages_of(spec: Mapping[str, Any]) -> tuple[FormStage, ...]:
    """Return the stages of a spec; raise NotFoundError for a plugin that can't be used."""
    found = [_stage("source", "importer", ("source",), spec["source"])]
    found += _listed("processor", spec["steps"])
    found += _listed("exporter", spec["destinations"])
    if not spec["destinations"]:
        raise NotFoundError("Choose an exporter first.")
    return tuple(found)


def stage_added(data: QueryDict) -> FormStage:
    """Return a further stage with the plugin that was asked for; raise NotFoundError."""
    word = "processor" if data.get("processor") else "exporter"
    key = f"{_GROUPS[word]}-{token_hex(4)}"
    return _stage(key, word, (_GROUPS[word], ""), {word: data.get(word, "")})


def stages_submitted(marks: Sequence[str], known: Sequence[FormStage]) -> tuple[FormStage, ...]:
    """Return the stages that the sent form had, in its order; raise NotFoundError.

    ``known`` are those it began with, where what is stored of a stage is found.
    """
    if not marks:
        return tuple(known)
    found, counts = [], Counter[str]()
    for mark in marks:
        stage = _marked(mark, known)
        group = _GROUPS[stage.word]
        place = (group,) if stage.word == "importer" else (group, str(counts[group]))
        counts[group] += 1
        found.append(replace(stage, place=place))
    if counts["source"] != 1:
        raise NotFoundError("A pipeline has one importer.")
    return tuple(found)


def _marked(mark: str, known: Sequence[FormStage]) -> FormStage:
    for stage in known:
        if stage.mark == mark:
            return stage
    key, word, plugin = (*mark.split(), "", "", "")[:3]
    if word not in _GROUPS or not _KEY.fullmatch(key):
        raise NotFoundError("The form has a stage nobody knows.")
    return _stage(key, word, (), {word: plugin})


def _listed(word: str, stages: Sequence[Mapping[str, Any]]) -> Iterator[FormStage]:
    group = _GROUPS[word]
    for at, stored in enumerate(stages):
        yield _stage(f"{group}-{at}", word, (group, str(at)), stored)


def _stage(key: str, word: str, place: tuple[str, ...], stored: Mapping[str, Any]) -> FormStage:
    try:
        manifest = plugin_manifest(_KINDS[word], stored[word])
    except PluginHostError as error:
        raise NotFoundError(f"The {word} {stored[word]!r} can't be used.") from error
    return FormStage(key=key, word=word, place=place, manifest=manifest, stored=stored)


def own_fields(folders: Sequence[str], *, is_new: bool) -> tuple[FormField, ...]:
    """Return the pipeline's own fields."""
    naming: JsonObject = {"type": "object", "required": ["name"], "properties": {"name": _NAME}}
    details: JsonObject = {
        "type": "object",
        "properties": {"folder": _folder(folders), "labels": _LABELS},
    }
    named = form_fields(naming) if is_new else ()
    return (*named, *form_fields(_OWN), *form_fields(details))


def _folder(folders: Sequence[str]) -> JsonObject:
    return {
        "type": "string",
        "title": "Folder",
        "enum": ["", *folders],
        "default": "",
        "x-labels": {"": "No folder"},
        "x-group": "Details",
        "description": "Permissions can be given for a folder.",
    }


def own_form(
    document: Mapping[str, Any], errors: Errors, folders: Sequence[str], *, is_new: bool
) -> SchemaForm:
    """Return the form of the pipeline's own fields; problems of stages stand at the stages."""
    mine = {
        "" if name in _GROUPS.values() else name.removeprefix("options/"): texts
        for name, texts in errors.items()
        if name.partition("/")[0] not in _GROUPS.values() or "/" not in name
    }
    return SchemaForm(own_fields(folders, is_new=is_new), dict(document), mine)


def own_document(row: Pipeline, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the form shows of a stored pipeline."""
    shown = {name: spec[name] for name in ("title", "schedule", "enabled")}
    folder = row.folder.name if row.folder else ""
    return {**shown, **spec["options"], "labels": dict(row.labels), "folder": folder}


def submitted(
    stages: Sequence[FormStage], folders: Sequence[str], data: QueryDict
) -> dict[str, Any]:
    """Return the document of a submitted form."""
    mine = own_fields(folders, is_new=True)
    return parse_form([*mine, *(each for stage in stages for each in stage.fields)], data)


def spec_of(stages: Sequence[FormStage], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the spec of a submitted document."""
    own = {name: document[name] for name in ("title", "schedule", "enabled") if name in document}
    specs = {
        word: [stage.spec(document) for stage in stages if stage.word == word] for word in _KINDS
    }
    return {
        **own,
        "source": specs["importer"][0],
        "steps": specs["processor"],
        "destinations": specs["exporter"],
        "options": {name: document[name] for name in _OPTIONS if name in document},
    }
