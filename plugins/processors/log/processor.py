"""Lines: parsed, their level found, private text redacted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from detectviz.contracts.config import get_bool, get_text, get_texts
from detectviz.contracts.processor import ProcessorContext
from detectviz.contracts.records import LogRecord, Record, Signal
from detectviz.contracts.types import JsonObject
from plugins.processors.log.levels import find_level, is_lower
from plugins.processors.log.parsing import Parser, parser_of
from plugins.processors.log.redaction import Redactor

_MEMORY: Final = "stage"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stage:
    parser: Parser | None
    message_attribute: str
    detects_level: bool
    default_level: str
    least_level: str
    redactor: Redactor

    def changed(self, record: LogRecord) -> LogRecord | None:
        """Return what goes on, None for a line below the least level."""
        parsed = self._parsed(record)
        level = parsed.severity
        if not level and self.detects_level:
            level = find_level(parsed.body, parsed.attributes)
        level = level or self.default_level
        if is_lower(level, self.least_level):
            return None
        return replace(
            parsed,
            severity=level,
            body=self.redactor.text(parsed.body),
            attributes=self.redactor.attributes(parsed.attributes),
        )

    def _parsed(self, record: LogRecord) -> LogRecord:
        found = None if self.parser is None else self.parser(record.body)
        attributes = {**record.attributes, **(found or {})}
        message = attributes.get(self.message_attribute) if self.message_attribute else None
        body = message if isinstance(message, str) else record.body
        return replace(record, body=body, attributes=attributes)


class LogProcessor:
    """Changes lines one by one."""

    signals = frozenset({Signal.LOGS})

    def process(self, records: Sequence[Record], context: ProcessorContext) -> Sequence[Record]:
        """Return the lines that go on; see the README for the order."""
        stage = context.memory.get(_MEMORY)
        if not isinstance(stage, _Stage):
            stage = context.memory[_MEMORY] = _stage(context.config)
        out: list[Record] = []
        for record in records:
            changed = stage.changed(record) if isinstance(record, LogRecord) else record
            if changed is not None:
                out.append(changed)
        return out


def _stage(config: JsonObject) -> _Stage:
    return _Stage(
        parser=parser_of(get_text(config, "format"), get_text(config, "pattern")),
        message_attribute=get_text(config, "message_attribute"),
        detects_level=get_bool(config, "detect_level", default=True),
        default_level=get_text(config, "default_level"),
        least_level=get_text(config, "least_level"),
        redactor=Redactor(
            get_texts(config, "redact"),
            get_texts(config, "redact_patterns"),
            get_text(config, "replacement"),
        ),
    )
