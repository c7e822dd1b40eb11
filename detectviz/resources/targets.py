"""What a text is read for: an org, and what the datasources it names are called there."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from django.db import models

from detectviz.resources.errors import InvalidFieldsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``org`` (None: any), and names or uids there by the uids that stand in the text."""

    org: models.Model | None = None
    datasources: Mapping[str, str] = field(default_factory=dict)


class TargetError(InvalidFieldsError):
    """It is not the text that is wrong, but what was said beside it."""


def datasource_pairs(texts: Iterable[str]) -> dict[str, str]:
    """Read ``uid-of-the-file=name-here``; raise TargetError for what is no pair."""
    pairs: dict[str, str] = {}
    for text in texts:
        old, _, new = (part.strip() for part in text.rpartition("="))
        if not old or not new:
            message = "Write the uid of the file, =, and the datasource's name or uid here."
            raise TargetError({"datasource": [f"{text!r}: {message}"]})
        pairs[old] = new
    return pairs
