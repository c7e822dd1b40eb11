"""Values that no field of a kind could want, taken from the kind's own serializer."""

from collections.abc import Iterator, Mapping
from typing import Any

from rest_framework import serializers

LONG = "x" * 2**20
NUL = "a\x00b"
Path = tuple[str | int, ...]

_TEXT = (["x"], {"x": 1}, True)
_BY_FIELD: tuple[tuple[type, tuple[Any, ...]], ...] = (
    (serializers.BaseSerializer, ("text", 5, [1])),
    (serializers.ListField, ("text", {"a": 1}, 5)),
    (serializers.DictField, ("text", [1], 5)),
    (serializers.BooleanField, ("perhaps", ["x"], {"x": 1}, 17)),
    (serializers.IntegerField, ("x", ["x"], {"x": 1}, 1.5, -(10**9), 10**18)),
    (serializers.FloatField, ("x", "nan", ["x"], {"x": 1}, -(10**9), 10**18)),
    (serializers.DateTimeField, ("yesterday", 5, ["x"], {"x": 1})),
    (serializers.MultipleChoiceField, ("no-such", {"x": 1})),
    (serializers.ChoiceField, ("no-such", 5, ["x"], {"x": 1})),
    (serializers.EmailField, ("no-address", *_TEXT)),
    (serializers.CharField, _TEXT),
)


def field_paths(
    serializer: serializers.Serializer[Any], before: Path = ()
) -> Iterator[tuple[Path, Any]]:
    """Yield the path of every field that can be written, those inside of lists at index 0."""
    for name, field in serializer.fields.items():
        if field.read_only:
            continue
        path = (*before, name)
        yield path, field
        yield from _inside(path, field)


def _inside(path: Path, field: Any) -> Iterator[tuple[Path, Any]]:
    if isinstance(field, serializers.ListSerializer):
        yield from field_paths(field.child, (*path, 0))  # type: ignore[arg-type]  # many=True holds a serializer
    elif isinstance(field, serializers.Serializer):
        yield from field_paths(field, path)
    elif isinstance(field, serializers.ListField):
        yield (*path, 0), field.child


def wrong_values(field: Any) -> list[Any]:
    """Return values the field must refuse."""
    kinds = (values for kind, values in _BY_FIELD if isinstance(field, kind))
    values = [*next(kinds, (5, [1])), NUL, LONG]
    if not field.allow_null:
        values.append(None)
    return values


def placed(document: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """Return a copy of ``document`` with ``value`` at ``path``; what is missing is made."""
    return _placed(document, path, value)  # type: ignore[no-any-return]  # a mapping stays one


def _placed(place: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    key, *rest = path
    if isinstance(key, int):
        items = list(place) if isinstance(place, list) and place else [{}]
        return [_placed(items[0], tuple(rest), value), *items[1:]]
    inner = place if isinstance(place, Mapping) else {}
    return {**inner, key: _placed(inner.get(key), tuple(rest), value)}


def written(path: Path) -> str:
    """Return a path as answers name it."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}"
    return text.removeprefix(".")
