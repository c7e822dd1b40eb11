"""Samples: filtered, converted, renamed, aggregated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import re2

from detectviz.contracts.config import (
    get_duration_s,
    get_float,
    get_object,
    get_objects,
    get_text,
    get_text_map,
    get_texts,
)
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.processor import ProcessorContext
from detectviz.contracts.records import MetricRecord, Record, Signal
from detectviz.contracts.types import JsonObject, Labels
from plugins.processors.metric.windows import Windows

NAME: Final = "__name__"
_MEMORY: Final = "stage"


class _Pattern(Protocol):
    """What is used of a compiled RE2 pattern."""

    def fullmatch(self, text: str, /) -> object | None:
        """Match all of ``text``."""

    def sub(self, replacement: str, text: str, /) -> str:
        """Replace every match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Selector:
    name: _Pattern | None
    labels: Mapping[str, _Pattern]

    def matches(self, labels: Labels) -> bool:
        """Tell whether all of it fits."""
        if self.name is not None and not self.name.fullmatch(labels.get(NAME, "")):
            return False
        return all(
            pattern.fullmatch(labels.get(label, "")) for label, pattern in self.labels.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Conversion:
    name: _Pattern
    factor: float
    offset: float
    unit: str


@dataclass(slots=True, kw_only=True)
class _Stage:
    """The configuration, compiled once a run, and the windows that are open."""

    include: Sequence[_Selector]
    exclude: Sequence[_Selector]
    conversions: Sequence[_Conversion]
    names: Sequence[tuple[_Pattern, str]]
    label_names: Mapping[str, str]
    windows: Windows | None

    def changed(self, record: MetricRecord) -> MetricRecord | None:
        """Return what goes on to the windows, None for what is filtered out."""
        if self.include and not any(one.matches(record.labels) for one in self.include):
            return None
        if any(one.matches(record.labels) for one in self.exclude):
            return None
        return self._renamed(self._converted(record))

    def _converted(self, record: MetricRecord) -> MetricRecord:
        name = record.labels.get(NAME, "")
        for conversion in self.conversions:
            if conversion.name.fullmatch(name):
                value = record.value * conversion.factor + conversion.offset
                return replace(record, value=value, unit=conversion.unit or record.unit)
        return record

    def _renamed(self, record: MetricRecord) -> MetricRecord:
        labels = {self.label_names.get(key, key): value for key, value in record.labels.items()}
        name = labels.get(NAME, "")
        for pattern, replacement in self.names:
            if pattern.fullmatch(name):
                labels[NAME] = pattern.sub(replacement, name)
                break
        return replace(record, labels=labels)


class MetricProcessor:
    """Changes samples one by one, then gathers them into windows."""

    signals = frozenset({Signal.METRICS})

    def process(self, records: Sequence[Record], context: ProcessorContext) -> Sequence[Record]:
        """Return the samples that go on; see the README for order and windows."""
        stage = context.memory.get(_MEMORY)
        if not isinstance(stage, _Stage):
            stage = context.memory[_MEMORY] = _stage(context.config)
        out: list[Record] = []
        for record in records:
            if not isinstance(record, MetricRecord):
                out.append(record)
                continue
            changed = stage.changed(record)
            if changed is not None:
                out += [changed] if stage.windows is None else stage.windows.add(changed)
        if context.is_last and stage.windows is not None:
            out += stage.windows.close()
        return out


def _stage(config: JsonObject) -> _Stage:
    function = get_text(config, "aggregate")
    windows = None
    if function:
        window_ms = int((get_duration_s(config, "window") or 60.0) * 1000)
        windows = Windows(window_ms, function, frozenset(get_texts(config, "by")))
    return _Stage(
        include=[_selector(one, "include") for one in get_objects(config, "include")],
        exclude=[_selector(one, "exclude") for one in get_objects(config, "exclude")],
        conversions=[_conversion(one) for one in get_objects(config, "convert")],
        names=[
            (_compiled(get_text(one, "name"), "rename"), get_text(one, "replacement"))
            for one in get_objects(config, "rename")
        ],
        label_names=get_text_map(config, "rename_labels"),
        windows=windows,
    )


def _selector(config: JsonObject, place: str) -> _Selector:
    name = get_text(config, "name")
    return _Selector(
        name=_compiled(name, place) if name else None,
        labels={
            label: _compiled(str(pattern), place)
            for label, pattern in get_object(config, "labels").items()
        },
    )


def _conversion(config: JsonObject) -> _Conversion:
    return _Conversion(
        name=_compiled(get_text(config, "name"), "convert"),
        factor=get_float(config, "factor", 1.0),
        offset=get_float(config, "offset"),
        unit=get_text(config, "unit"),
    )


def _compiled(pattern: str, place: str) -> _Pattern:
    try:
        compiled: _Pattern = re2.compile(pattern)
    except re2.error as error:
        message = f"{pattern!r} is no regular expression: {error}."
        raise ConfigurationError(message, field=f"/{place}") from error
    return compiled
