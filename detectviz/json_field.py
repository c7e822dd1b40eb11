"""JSON columns read and written by orjson, at a fraction of what the standard library costs.

What orjson refuses (lone surrogates, keys that are no text) goes the standard library's way, so a
column holds what it would hold otherwise. Two things differ: a number that is not finite is stored
as null, where databases refused it, and whole numbers beyond 64 bits come back as floats.
"""

import json
from collections.abc import Sequence
from typing import Any

import orjson
from django.db import models

# Times and dataclasses are no JSON to the standard library; they stay an error.
_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


class Encoder(json.JSONEncoder):
    """Writes compact JSON; where an order or an indent is asked for, the standard library does."""

    def encode(self, o: Any) -> str:
        """Return the text of a value; raises TypeError or ValueError for what is no JSON."""
        if not self.sort_keys and self.indent is None:
            try:
                return orjson.dumps(o, option=_OPTIONS).decode()
            except TypeError:
                pass
        return super().encode(o)


class Decoder:
    """Reads JSON text; made anew for each, so it holds nothing."""

    __slots__ = ()

    def decode(self, text: str) -> Any:
        """Return the value of a text; raises JSONDecodeError."""
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            return json.loads(text)


class JSONField(models.JSONField):
    """Django's field with these two; migrations know no difference."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"encoder": Encoder, "decoder": Decoder, **kwargs})

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        """Return Django's field: what is stored is the same."""
        name, _, args, kwargs = super().deconstruct()
        own = {"encoder": Encoder, "decoder": Decoder}
        kept = {key: value for key, value in kwargs.items() if own.get(key) is not value}
        return name, "django.db.models.JSONField", args, kept
