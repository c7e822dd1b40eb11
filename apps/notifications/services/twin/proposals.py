"""What somebody proposes to a replay, read of manifests or of another program's file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models

from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.formats import MANIFESTS, Loss, Reading, documents_readings
from detectviz.resources.targets import Target

KINDS = ("RoutingTree", "ContactPoint", "Silence", "InhibitionRule", "TimeInterval")
_HARMLESS = "NotificationTemplate"  # contact points of a file may need it
_COMPLETE = "alertmanager"  # what its file does not have is gone
_AS_THEY_FIRED = "left out: alerts are replayed as they fired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Manifests a replay can try; ``is_complete``: inhibition rules that are not there are gone."""

    documents: Sequence[Mapping[str, Any]]
    is_complete: bool
    losses: Sequence[Loss]


def proposal_read(*, org: models.Model, documents: Sequence[Any]) -> Proposal:
    """Read what is proposed for an org; raise InvalidFieldsError for what no replay knows."""
    for index, document in enumerate(documents):
        if not isinstance(document, Mapping):
            raise InvalidFieldsError({f"documents[{index}]": ["Must be a manifest."]})
    native: list[Mapping[str, Any]] = []
    losses: list[Loss] = []
    is_complete = False
    for reading in documents_readings(documents, target=Target(org=org)):
        is_complete = is_complete or _COMPLETE in reading.formats
        is_foreign = reading.formats and MANIFESTS not in reading.formats
        losses += [*reading.losses, *(_unknown(reading) if is_foreign else ())]
        native += [one for one in reading.documents if not is_foreign or _is_known(one)]
    for index, document in enumerate(native):
        _require_kind(document, index)
    return Proposal(documents=native, is_complete=is_complete, losses=losses)


def _is_known(document: Mapping[str, Any]) -> bool:
    return document["kind"] in {*KINDS, _HARMLESS}


def _unknown(reading: Reading) -> list[Loss]:
    """Say once of each kind in a foreign file that it is no part of a replay."""
    found: dict[str, list[str]] = {}
    for index, document in enumerate(reading.documents):
        if not _is_known(document):
            place = reading.origins[index] if index < len(reading.origins) else ""
            found.setdefault(document["kind"], []).append(place)
    return [
        Loss(path=places[0], why=f"{kind} ({len(places)}) {_AS_THEY_FIRED}")
        for kind, places in found.items()
    ]


def _require_kind(document: object, index: int) -> None:
    kind = document.get("kind") if isinstance(document, Mapping) else None
    if kind not in {*KINDS, _HARMLESS}:
        known = ", ".join(KINDS)
        message = f"A replay knows {known}, or a file of Alertmanager or Grafana."
        raise InvalidFieldsError({f"documents[{index}].kind": [message]})
