"""The table: every routing and timing rule, as something that happens.

Groups wait 1 s and are looked at every 2 s after that, so that steps at even seconds are a second
away from any timer.
"""

from tests.conformance.alertmanager.script import Receiver, Scenario, fire, hush, resolve

_QUIET = Receiver(send_resolved=False)
_BOTH = {"a": (Receiver(),), "b": (Receiver(),)}
_BY_NAME = {"group_by": ["alertname"]}

TIMING = (
    Scenario(name="told-once", steps=[fire(0, "A")], until_s=8),
    Scenario(
        name="told-anew-is-not-told", steps=[fire(0, "A"), fire(2, "A", starts_s=0)], until_s=6
    ),
    Scenario(
        name="group-waits-for-more",
        steps=[fire(0, "A", i="1"), fire(0.4, "A", i="2")],
        until_s=4,
    ),
    Scenario(
        name="new-firing-is-told-at-the-next-flush",
        steps=[fire(0, "A", i="1"), fire(2, "A", i="2")],
        until_s=6,
    ),
    Scenario(
        name="overdue-is-told-at-once",
        route={"group_wait": "6s"},
        steps=[fire(0, "A", starts_s=-60)],
        until_s=4,
    ),
    Scenario(
        name="overdue-hurries-its-group",
        route={"group_wait": "6s"},
        steps=[fire(0, "A", i="1"), fire(1, "A", i="2", starts_s=-60)],
        until_s=4,
    ),
    Scenario(
        name="overdue-does-not-hurry-a-flushed-group",
        route={"group_interval": "6s"},
        steps=[fire(0, "A", i="1"), fire(2, "A", i="2", starts_s=-60)],
        until_s=5,
    ),
    Scenario(
        name="repeat-is-rounded-up-to-the-group-interval",
        route={"repeat_interval": "3s"},
        steps=[fire(0, "A")],
        until_s=10,
    ),
    Scenario(
        name="repeat-shorter-than-the-group-interval",
        route={"repeat_interval": "1s"},
        steps=[fire(0, "A")],
        until_s=6,
    ),
    Scenario(
        name="a-change-starts-the-repeat-interval-anew",
        route={"repeat_interval": "5s"},
        steps=[fire(0, "A", i="1"), fire(2, "A", i="2")],
        until_s=8,
    ),
)
RESOLVING = (
    Scenario(name="resolved", steps=[fire(0, "A"), resolve(2, "A")], until_s=8),
    Scenario(
        name="resolved-before-group-wait",
        steps=[fire(0, "A"), resolve(0.5, "A")],
        until_s=4,
    ),
    Scenario(
        name="one-resolved-before-group-wait",
        steps=[fire(0, "A", i="1"), fire(0, "A", i="2"), resolve(0.5, "A", i="1")],
        until_s=4,
    ),
    Scenario(
        name="one-of-two-resolved",
        steps=[fire(0, "A", i="1"), fire(0, "A", i="2"), resolve(2, "A", i="1")],
        until_s=6,
    ),
    Scenario(
        name="resolved-one-after-the-other",
        steps=[
            fire(0, "A", i="1"),
            fire(0, "A", i="2"),
            resolve(2, "A", i="1"),
            resolve(4, "A", i="2"),
        ],
        until_s=8,
    ),
    Scenario(
        name="resolved-together",
        steps=[
            fire(0, "A", i="1"),
            fire(0, "A", i="2"),
            resolve(2, "A", i="1"),
            resolve(2, "A", i="2"),
        ],
        until_s=6,
    ),
    Scenario(
        name="resolved-and-fired-anew-between-flushes",
        steps=[fire(0, "A"), resolve(1.8, "A"), fire(2.2, "A")],
        until_s=6,
    ),
    Scenario(
        name="resolved-told-and-fired-anew",
        steps=[fire(0, "A"), resolve(2, "A"), fire(4, "A")],
        until_s=8,
    ),
    Scenario(
        name="one-resolved-while-another-begins",
        steps=[fire(0, "A", i="1"), resolve(2, "A", i="1"), fire(2, "A", i="2")],
        until_s=6,
    ),
    Scenario(
        name="an-end-that-passes-resolves",
        steps=[fire(0, "A", ends_s=2)],
        until_s=6,
    ),
    Scenario(
        name="an-end-put-off-does-not-resolve",
        steps=[fire(0, "A", ends_s=2.4), fire(2, "A", starts_s=0, ends_s=60)],
        until_s=6,
    ),
    Scenario(
        name="a-resolve-nobody-heard-of",
        steps=[resolve(0, "A", started_s=-5)],
        until_s=4,
    ),
    Scenario(
        name="no-resolved-wanted",
        receivers={"a": (_QUIET,)},
        steps=[fire(0, "A"), resolve(2, "A")],
        until_s=6,
    ),
    Scenario(
        name="no-resolved-wanted-then-fired-anew",
        receivers={"a": (_QUIET,)},
        steps=[fire(0, "A"), resolve(2, "A"), fire(4, "A")],
        until_s=8,
    ),
    Scenario(
        name="no-resolved-wanted-one-of-two",
        receivers={"a": (_QUIET,)},
        steps=[
            fire(0, "A", i="1"),
            fire(0, "A", i="2"),
            resolve(2, "A", i="1"),
            fire(4, "A", i="3"),
        ],
        until_s=8,
    ),
    Scenario(
        name="one-webhook-wants-resolved-another-not",
        receivers={"a": (Receiver(), _QUIET)},
        steps=[fire(0, "A"), resolve(2, "A")],
        until_s=6,
    ),
    Scenario(
        name="the-summary-of-the-moment",
        steps=[
            fire(0, "A", i="1", summary="first"),
            fire(2, "A", i="1", summary="second", starts_s=0),
            fire(4, "A", i="2", summary="second"),
        ],
        until_s=8,
    ),
)
ROUTING = (
    Scenario(
        name="no-group-by-is-one-group",
        steps=[fire(0, "A"), fire(0, "B")],
        until_s=4,
    ),
    Scenario(
        name="grouped-by-name",
        route=_BY_NAME,
        steps=[fire(0, "A", i="1"), fire(0, "A", i="2"), fire(0, "B")],
        until_s=4,
    ),
    Scenario(
        name="grouped-by-a-label-some-lack",
        route={"group_by": ["alertname", "team"]},
        steps=[fire(0, "A", team="web"), fire(0, "A"), fire(0, "A", i="2")],
        until_s=4,
    ),
    Scenario(
        name="grouped-by-every-label",
        route={"group_by": ["..."]},
        steps=[fire(0, "A", i="1"), fire(0, "A", i="2"), fire(0, "A", i="2", j="3")],
        until_s=4,
    ),
    Scenario(
        name="groups-have-timers-of-their-own",
        route=_BY_NAME,
        steps=[fire(0, "A"), fire(1.5, "B"), resolve(2, "A"), resolve(4.2, "B", started_s=1.5)],
        until_s=8,
    ),
    Scenario(
        name="a-child-inherits",
        route={
            **_BY_NAME,
            "routes": [{"matchers": ['team="web"']}, {"receiver": "b"}],
        },
        receivers=_BOTH,
        steps=[fire(0, "A", team="web", i="1"), fire(0, "A", team="web", i="2"), fire(0, "A")],
        until_s=4,
    ),
    Scenario(
        name="a-child-overrides",
        route={
            **_BY_NAME,
            "group_wait": "30s",
            "routes": [
                {
                    "matchers": ['team="web"'],
                    "receiver": "b",
                    "group_by": ["i"],
                    "group_wait": "1s",
                    "repeat_interval": "3s",
                }
            ],
        },
        receivers=_BOTH,
        steps=[fire(0, "A", team="web", i="1"), fire(0, "B", team="web", i="1"), fire(0, "A")],
        until_s=6,
    ),
    Scenario(
        name="timers-are-inherited-by-grandchildren",
        route={
            "group_wait": "3s",
            "routes": [{"matchers": ['x="1"'], "routes": [{"receiver": "b", "group_by": ["i"]}]}],
        },
        receivers=_BOTH,
        steps=[fire(0, "A", x="1", i="1"), fire(1, "A", x="1", i="1", j="2")],
        until_s=4.5,
    ),
    Scenario(
        name="the-first-match-takes-it",
        route={
            "routes": [
                {"matchers": ['team="web"'], "receiver": "b"},
                {"matchers": ['team=~"w.*"'], "receiver": "a"},
            ]
        },
        receivers=_BOTH,
        steps=[fire(0, "A", team="web")],
        until_s=4,
    ),
    Scenario(
        name="continue-goes-on",
        route={
            "routes": [
                {"matchers": ['team="web"'], "receiver": "b", "continue": True},
                {"matchers": ['team=~"w.*"'], "receiver": "a"},
                {"receiver": "b", "group_by": ["i"]},
            ]
        },
        receivers=_BOTH,
        steps=[fire(0, "A", team="web"), fire(0, "A", team="db", i="1")],
        until_s=4,
    ),
    Scenario(
        name="continue-without-another-match",
        route={"routes": [{"matchers": ['team="web"'], "receiver": "b", "continue": True}]},
        receivers=_BOTH,
        steps=[fire(0, "A", team="web"), fire(0, "A", team="db")],
        until_s=4,
    ),
    Scenario(
        name="the-deepest-match-takes-it",
        route={
            "routes": [
                {
                    "matchers": ['team="web"'],
                    "routes": [{"matchers": ['severity="page"'], "receiver": "b"}],
                }
            ]
        },
        receivers=_BOTH,
        steps=[fire(0, "A", team="web", severity="page"), fire(0, "A", team="web")],
        until_s=4,
    ),
    Scenario(
        name="regexes-are-anchored",
        route={"routes": [{"matchers": ['team=~"we|d"'], "receiver": "b"}]},
        receivers=_BOTH,
        steps=[fire(0, "A", team="web"), fire(0, "B", team="d"), fire(0, "C", team="we")],
        until_s=4,
    ),
    Scenario(
        name="a-missing-label-is-empty",
        route={
            "routes": [
                {"matchers": ['team=""'], "receiver": "b", "group_by": ["i"]},
                {"matchers": ['host!="h"'], "receiver": "b"},
                {"matchers": ['zone!~".+"'], "receiver": "b", "group_by": ["alertname"]},
            ]
        },
        receivers=_BOTH,
        steps=[
            fire(0, "A", i="1"),
            fire(0, "B", team="web"),
            fire(0, "C", team="web", host="h"),
            fire(0, "D", team="web", host="h", zone="z"),
        ],
        until_s=4,
    ),
    Scenario(
        name="matchers-in-every-spelling",
        route={
            "routes": [
                {"matchers": ["team=web", 'path=~"/a\\\\.b"'], "receiver": "b"},
                {"matchers": ['{team="db", path!~"/c|/d"}'], "receiver": "b"},
                {"match": {"team": "ops"}, "receiver": "b"},
            ]
        },
        receivers=_BOTH,
        steps=[
            fire(0, "A", team="web", path="/a.b"),
            fire(0, "B", team="web", path="/axb"),
            fire(0, "C", team="db", path="/c"),
            fire(0, "D", team="db", path="/x"),
            fire(0, "E", team="ops"),
        ],
        until_s=4,
    ),
    Scenario(
        name="several-webhooks",
        receivers={"a": (Receiver(), Receiver())},
        steps=[fire(0, "A"), resolve(2, "A")],
        until_s=6,
    ),
    Scenario(
        name="many-are-cut",
        receivers={"a": (Receiver(max_alerts=2),)},
        steps=[fire(0, "A", i=str(number)) for number in range(4)],
        until_s=4,
    ),
    Scenario(
        name="what-is-common",
        steps=[
            fire(0, "A", i="1", team="web", summary="same"),
            fire(0, "B", i="2", team="web", summary="same"),
        ],
        until_s=4,
    ),
    Scenario(
        name="labels-with-quotes-and-umlauts",
        route={"group_by": ["path"]},
        steps=[fire(0, "A", path='C:\\"x"\nä')],
        until_s=4,
    ),
)
SILENCING = (
    Scenario(name="silenced-from-the-start", steps=[hush(0), fire(0, "A")], until_s=6),
    Scenario(
        name="told-when-the-silence-is-over",
        steps=[hush(0, ends_s=4), fire(0, "A")],
        until_s=8,
    ),
    Scenario(
        name="one-of-two-silenced",
        steps=[hush(0, i="1"), fire(0, "A", i="1"), fire(0, "A", i="2")],
        until_s=4,
    ),
    Scenario(
        name="silenced-after-it-was-told",
        steps=[fire(0, "A", i="1"), fire(0, "A", i="2"), hush(2, i="1")],
        until_s=6,
    ),
    Scenario(
        name="resolved-while-silenced",
        steps=[fire(0, "A"), hush(2), resolve(2, "A")],
        until_s=8,
    ),
    Scenario(
        name="resolved-while-silenced-then-fired-anew",
        steps=[fire(0, "A"), hush(1.8, ends_s=4), resolve(2, "A"), fire(6, "A")],
        until_s=10,
    ),
    Scenario(
        name="one-resolved-while-silenced",
        steps=[
            fire(0, "A", i="1"),
            fire(0, "A", i="2"),
            hush(1.8, i="1"),
            resolve(2, "A", i="1"),
            fire(4, "A", i="3"),
        ],
        until_s=8,
    ),
    Scenario(
        name="a-silence-does-not-stop-others-repeats",
        route={"repeat_interval": "3s"},
        steps=[fire(0, "A", i="1"), fire(0, "A", i="2"), hush(2, i="1")],
        until_s=6,
    ),
    Scenario(
        name="a-silence-of-another-label",
        steps=[hush(0, i="2"), fire(0, "A", i="1"), fire(0, "A")],
        until_s=4,
    ),
    Scenario(
        name="silenced-again-and-told-between",
        steps=[hush(0, ends_s=2), fire(0, "A"), hush(4), fire(4.2, "A", i="2")],
        until_s=8,
    ),
)
_BY_SEVERITY = {"source_matchers": ['severity="page"'], "target_matchers": ['severity="warn"']}
INHIBITING = (
    Scenario(
        name="inhibited-while-the-source-fires",
        route=_BY_NAME,
        inhibit_rules=[_BY_SEVERITY],
        steps=[fire(0, "S", severity="page"), fire(0, "T", severity="warn")],
        until_s=6,
    ),
    Scenario(
        name="told-when-the-source-is-over",
        route=_BY_NAME,
        inhibit_rules=[_BY_SEVERITY],
        steps=[
            fire(0, "S", severity="page"),
            fire(0, "T", severity="warn"),
            resolve(4, "S", severity="page"),
        ],
        until_s=8,
    ),
    Scenario(
        name="the-source-comes-later",
        route=_BY_NAME,
        inhibit_rules=[_BY_SEVERITY],
        steps=[
            fire(0, "T", severity="warn"),
            fire(2, "S", severity="page"),
            fire(4, "T", severity="warn", i="2"),
        ],
        until_s=8,
    ),
    Scenario(
        name="resolved-while-inhibited",
        route=_BY_NAME,
        inhibit_rules=[_BY_SEVERITY],
        steps=[
            fire(0, "T", severity="warn"),
            fire(2, "S", severity="page"),
            resolve(2, "T", severity="warn"),
        ],
        until_s=8,
    ),
    Scenario(
        name="equal-labels-tell-targets-apart",
        inhibit_rules=[{**_BY_SEVERITY, "equal": ["host"]}],
        steps=[
            fire(0, "S", severity="page", host="a"),
            fire(0, "T", severity="warn", host="a"),
            fire(0, "T", severity="warn", host="b"),
            fire(0, "T", severity="warn"),
        ],
        until_s=4,
    ),
    Scenario(
        name="equal-labels-nobody-has",
        inhibit_rules=[{**_BY_SEVERITY, "equal": ["host", "zone"]}],
        steps=[fire(0, "S", severity="page"), fire(0, "T", severity="warn")],
        until_s=4,
    ),
    Scenario(
        name="one-side-each",
        inhibit_rules=[
            {"source_matchers": ['a="1"'], "target_matchers": ['b="1"'], "equal": ["alertname"]}
        ],
        steps=[
            fire(0, "A", a="1", b="1", i="1"),
            fire(0, "A", a="1", b="1", i="2"),
            fire(0, "A", b="1"),
        ],
        until_s=4,
    ),
    Scenario(
        name="both-sides-by-a-source-alone",
        inhibit_rules=[
            {"source_matchers": ['a="1"'], "target_matchers": ['b="1"'], "equal": ["alertname"]}
        ],
        steps=[fire(0, "A", a="1"), fire(0, "A", a="1", b="1")],
        until_s=4,
    ),
    Scenario(
        name="a-silenced-source-inhibits-still",
        route=_BY_NAME,
        inhibit_rules=[_BY_SEVERITY],
        steps=[
            hush(0, severity="page"),
            fire(0, "S", severity="page"),
            fire(0, "T", severity="warn"),
        ],
        until_s=4,
    ),
    Scenario(
        name="an-inhibited-source-inhibits-still",
        route=_BY_NAME,
        inhibit_rules=[
            _BY_SEVERITY,
            {"source_matchers": ['severity="warn"'], "target_matchers": ['severity="info"']},
        ],
        steps=[
            fire(0, "S", severity="page"),
            fire(0, "T", severity="warn"),
            fire(0, "U", severity="info"),
        ],
        until_s=4,
    ),
)


def _timed(**intervals: list[str]) -> dict[str, object]:
    """Return a route whose one child has these intervals."""
    return {"routes": [{"receiver": "b", **intervals}]}


TIMES = (
    Scenario(
        name="muted-always",
        route=_timed(mute_time_intervals=["always"]),
        receivers=_BOTH,
        steps=[fire(0, "A")],
        until_s=4,
    ),
    Scenario(
        name="muted-never",
        route=_timed(mute_time_intervals=["never"]),
        receivers=_BOTH,
        steps=[fire(0, "A")],
        until_s=4,
    ),
    Scenario(
        name="muted-by-one-of-two",
        route=_timed(mute_time_intervals=["never", "always"]),
        receivers=_BOTH,
        steps=[fire(0, "A"), resolve(2, "A")],
        until_s=6,
    ),
    Scenario(
        name="active-never",
        route=_timed(active_time_intervals=["never"]),
        receivers=_BOTH,
        steps=[fire(0, "A")],
        until_s=4,
    ),
    Scenario(
        name="active-always",
        route=_timed(active_time_intervals=["always"]),
        receivers=_BOTH,
        steps=[fire(0, "A"), resolve(2, "A")],
        until_s=6,
    ),
    Scenario(
        name="active-in-one-of-two",
        route=_timed(active_time_intervals=["never", "always"]),
        receivers=_BOTH,
        steps=[fire(0, "A")],
        until_s=4,
    ),
    Scenario(
        name="active-and-muted-at-once",
        route=_timed(active_time_intervals=["always"], mute_time_intervals=["always"]),
        receivers=_BOTH,
        steps=[fire(0, "A")],
        until_s=4,
    ),
    Scenario(
        name="times-are-not-inherited",
        route={
            "routes": [
                {
                    "mute_time_intervals": ["always"],
                    "routes": [{"matchers": ['team="web"'], "receiver": "b"}],
                }
            ]
        },
        receivers=_BOTH,
        steps=[fire(0, "A", team="web"), fire(0, "A")],
        until_s=4,
    ),
    Scenario(
        name="a-muted-route-ends-the-search",
        route={
            "routes": [
                {"mute_time_intervals": ["always"], "receiver": "b"},
                {"receiver": "a", "group_by": ["alertname"]},
            ]
        },
        receivers=_BOTH,
        steps=[fire(0, "A")],
        until_s=4,
    ),
    Scenario(
        name="a-muted-route-goes-on",
        route={
            "routes": [
                {"mute_time_intervals": ["always"], "receiver": "b", "continue": True},
                {"matchers": ['alertname="A"'], "receiver": "a"},
            ]
        },
        receivers=_BOTH,
        steps=[fire(0, "A")],
        until_s=4,
    ),
)
SCENARIOS = (*TIMING, *RESOLVING, *ROUTING, *SILENCING, *INHIBITING, *TIMES)
