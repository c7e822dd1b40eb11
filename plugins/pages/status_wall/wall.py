"""The wall: monitors grouped by their label ``team``, the worst first."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from detectviz.contracts.errors import PluginError
from detectviz.contracts.pages import PageAnswer, PageRequest, PagesContext
from detectviz.contracts.types import JsonObject, JsonValue

_ORDER = ("down", "degraded", "unknown", "up", "maintenance", "paused")
_FINE = frozenset({"up", "maintenance", "paused"})
_MOST = 500
_REST = "Everything else"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tile:
    name: str
    title: str
    state: str
    message: str
    since: str | None
    team: str

    @property
    def rank(self) -> tuple[int, str]:
        """The worst comes first."""
        place = _ORDER.index(self.state) if self.state in _ORDER else len(_ORDER)
        return place, self.title.lower()


class StatusWall:
    """Shows what the reader may read, and nothing of its own."""

    def answer(self, request: PageRequest, context: PagesContext) -> PageAnswer:
        """Answer the wall, its tiles, or the widget."""
        template = {"wall": "wall.html", "tiles": "tiles.html", "worst": "worst.html"}
        if request.name not in template:
            raise PluginError(f"The status wall has no part {request.name!r}.", permanent=True)
        envelopes = context.resources.list("monitoring/v1", "Monitor", limit=_MOST)
        tiles = sorted((_tile(each) for each in envelopes), key=lambda each: each.rank)
        data: JsonObject = {"groups": _groups(tiles), "counts": _counts(tiles)}
        return PageAnswer(template=template[request.name], data=data)


def _groups(tiles: Sequence[_Tile]) -> list[JsonValue]:
    teams = dict.fromkeys(tile.team for tile in tiles)  # that of the worst monitor first
    return [_group(team, [tile for tile in tiles if tile.team == team]) for team in teams]


def _group(team: str, tiles: Sequence[_Tile]) -> JsonObject:
    return {
        "title": team,
        "state": tiles[0].state,
        "broken": sum(tile.state not in _FINE for tile in tiles),
        "monitors": [asdict(tile) for tile in tiles],
    }


def _counts(tiles: Sequence[_Tile]) -> list[JsonValue]:
    counts = {state: sum(tile.state == state for tile in tiles) for state in _ORDER}
    return [{"state": state, "count": count} for state, count in counts.items() if count]


def _tile(envelope: JsonObject) -> _Tile:
    metadata, spec = _object(envelope, "metadata"), _object(envelope, "spec")
    status, labels = _object(envelope, "status"), _object(_object(envelope, "metadata"), "labels")
    name, since = str(metadata.get("name", "")), status.get("since")
    is_paused = spec.get("enabled") is False
    return _Tile(
        name=name,
        title=str(spec.get("title") or name),
        state="paused" if is_paused else str(status.get("state") or "unknown"),
        message=str(status.get("message") or ""),
        since=str(since) if since else None,
        team=str(labels.get("team") or _REST),
    )


def _object(value: JsonObject, name: str) -> JsonObject:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}
