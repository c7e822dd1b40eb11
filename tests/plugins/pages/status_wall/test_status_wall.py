"""The wall shows monitors by team, the worst first."""

from detectviz.contracts.pages import PageRequest
from detectviz.contracts.types import JsonObject
from detectviz.testing.pages import PagesSuite, make_monitor, make_pages_context
from plugins.pages.status_wall.wall import StatusWall


class TestConformance(PagesSuite):
    """With and without monitors."""

    name = "status-wall"


def test_the_team_of_the_worst_monitor_comes_first() -> None:
    envelopes = [
        make_monitor("a", "up", labels={"team": "web"}),
        make_monitor("b", "down", labels={"team": "data"}),
        make_monitor("c", "degraded", labels={"team": "web"}),
        make_monitor("d", "up"),
    ]
    context = make_pages_context("status-wall", envelopes=envelopes)
    data = StatusWall().answer(PageRequest(target="route", name="wall"), context).data
    groups = data["groups"]
    assert isinstance(groups, list)
    assert [(each["title"], each["state"], each["broken"]) for each in groups] == [
        ("data", "down", 1),
        ("web", "degraded", 1),
        ("Everything else", "up", 0),
    ]
    assert data["counts"] == [
        {"state": "down", "count": 1},
        {"state": "degraded", "count": 1},
        {"state": "up", "count": 2},
    ]


def test_what_is_switched_off_is_paused() -> None:
    monitor: JsonObject = {**make_monitor("a", "down"), "spec": {"title": "A", "enabled": False}}
    context = make_pages_context("status-wall", envelopes=[monitor])
    data = StatusWall().answer(PageRequest(target="partial", name="tiles"), context).data
    assert data["counts"] == [{"state": "paused", "count": 1}]
