"""Private text, replaced."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, cast

from detectviz.contracts.types import JsonObject, JsonValue
from plugins.processors.log.parsing import Pattern, compiled_pattern

_KINDS: Final = {
    "email": r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+",
    "ipv4": r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b",
    "ipv6": r"(?i)\b(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}\b"
    r"|\b(?:[0-9a-f]{1,4}:){1,6}(?::[0-9a-f]{1,4}){1,6}\b|::(?:[0-9a-f]{1,4}:){0,6}[0-9a-f]{1,4}\b",
    "credit-card": r"\b\d(?:[ -]?\d){12,18}\b",
    "bearer": r"(?i)\bbearer +[A-Za-z0-9._~+/=-]+",
    "url-password": r"(?i)\b[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@]+@",
}
_DEEPEST: Final = 20


class Redactor:
    """Replaces what any of the kinds or patterns matches by ``replacement``."""

    def __init__(self, kinds: Sequence[str], patterns: Sequence[str], replacement: str) -> None:
        self._replacement = replacement
        self._steps: list[tuple[Pattern, Callable[[str], bool]]] = [
            (compiled_pattern(_KINDS[kind], "/redact"), _CHECKS.get(kind, _always))
            for kind in kinds
        ]
        self._steps += [(compiled_pattern(one, "/redact_patterns"), _always) for one in patterns]

    def text(self, text: str) -> str:
        """Return the text without private parts."""
        for pattern, check in self._steps:
            text = pattern.sub(lambda match, check=check: self._replaced(match, check), text)  # type: ignore[misc]  # mypy does not see the default's type
        return text

    def attributes(self, attributes: JsonObject) -> JsonObject:
        """Return the attributes with all texts, nested ones too, without private parts."""
        return cast("JsonObject", self._value(attributes, 0))

    def _value(self, value: JsonValue, depth: int) -> JsonValue:
        if isinstance(value, str):
            return self.text(value)
        if depth >= _DEEPEST:
            return self._replacement
        if isinstance(value, Mapping):
            return {key: self._value(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, Sequence):
            return [self._value(inner, depth + 1) for inner in value]
        return value

    def _replaced(self, match: object, check: Callable[[str], bool]) -> str:
        found = str(match[0])  # type: ignore[index]  # RE2's match has no public type
        return self._replacement if check(found) else found


def has_check_digit(number: str) -> bool:
    """Tell whether the digits of ``number`` pass Luhn's test (ISO/IEC 7812-1)."""
    digits = [int(one) for one in reversed(number) if one.isdigit()]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def _always(_: str) -> bool:
    return True


_CHECKS: Final[dict[str, Callable[[str], bool]]] = {"credit-card": has_check_digit}
