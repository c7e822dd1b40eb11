"""Demands on the records of a section, as blackbox_exporter's validate_*_rrs has them."""

from collections.abc import Iterator, Sequence

import re2

from detectviz.contracts.config import get_objects, get_text
from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.types import CheckState, JsonObject

Finding = tuple[CheckState, str]
_SENTENCES = {
    "any": "no record of the {section} matches {pattern}",
    "all": "not every record of the {section} matches {pattern}",
    "none": "a record of the {section} matches {pattern}",
    "not_all": "every record of the {section} matches {pattern}",
}


def find_violations(config: JsonObject, section: str, records: Sequence[str]) -> Iterator[Finding]:
    """Yield what the demands ``config[section]`` find wrong with ``records``.

    Without records ``any`` is violated and the others are met.
    """
    for index, demand in enumerate(get_objects(config, section)):
        pattern = get_text(demand, "pattern")
        matches = _matches(pattern, records, f"/{section}/{index}/pattern")
        require = get_text(demand, "require")
        is_met = {
            "any": any(matches),
            "all": all(matches),
            "none": not any(matches),
            "not_all": not matches or not all(matches),
        }[require]
        if not is_met:
            sentence = _SENTENCES[require].format(section=section, pattern=pattern)
            yield CheckState(get_text(demand, "severity")), sentence


def _matches(pattern: str, records: Sequence[str], field: str) -> list[bool]:
    options = re2.Options()
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        raise ConfigurationError(f"{pattern!r} is no RE2 pattern.", field=field) from error
    return [compiled.search(record) is not None for record in records]
