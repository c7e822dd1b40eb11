"""Where we tell otherwise than Debian's Alertmanager (0.25), on purpose."""

from dataclasses import dataclass

from tests.conformance.alertmanager.script import Receiver, Scenario, fire, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A scenario told differently, and why that is right."""

    scenario: Scenario
    why: str


DIFFERENCES = (
    Difference(
        scenario=Scenario(
            name="an-empty-group-by-overrides",
            route={"group_by": ["alertname"], "routes": [{"group_by": []}]},
            steps=[fire(0, "A"), fire(0, "B")],
            until_s=4,
        ),
        why="since 0.31 an empty group_by overrides the parent's; 0.25 inherits it",
    ),
    Difference(
        scenario=Scenario(
            name="an-emptied-group-is-over",
            route={"group_interval": "8s"},
            steps=[fire(0, "A"), resolve(0.5, "A"), fire(2, "B")],
            until_s=5,
        ),
        why="since 0.32 a group without alerts is over at once, so that the next alert waits for "
        "group_wait; 0.25 keeps its timer for up to 30 s",
    ),
    Difference(
        scenario=Scenario(
            name="firing-alerts-come-first",
            receivers={"a": (Receiver(max_alerts=1),)},
            steps=[fire(0, "A", i="1"), fire(0, "A", i="2"), resolve(2, "A", i="1")],
            until_s=4,
        ),
        why="alerts are listed firing ones first, so that a cut drops what is over",
    ),
    Difference(
        scenario=Scenario(
            name="match-re-is-a-matcher",
            route={"routes": [{"match_re": {"path": "/a.*"}, "group_by": ["path"]}]},
            steps=[fire(0, "A", path="/a/b")],
            until_s=4,
        ),
        why="the deprecated match_re becomes a matcher; the group key alone shows it, where "
        "Alertmanager writes the anchors out",
    ),
    Difference(
        scenario=Scenario(
            name="twins-have-groups-of-their-own",
            route={
                "routes": [
                    {"matchers": ['a="1"'], "continue": True},
                    {"matchers": ['a="1"'], "receiver": "b"},
                ]
            },
            receivers={"a": (Receiver(),), "b": (Receiver(),)},
            steps=[fire(0, "A", a="1")],
            until_s=4,
        ),
        why="routes with equal matchers under one parent would share a group key; the second's "
        "ends in its number",
    ),
)
