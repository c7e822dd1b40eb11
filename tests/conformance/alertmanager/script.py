"""What a scenario is made of, and the configuration file all of them are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FOREVER_S = 3600.0
SCENARIO = "scenario"


@dataclass(frozen=True, slots=True, kw_only=True)
class Say:
    """A program says an alert at ``at_s``; times are seconds from the script's beginning."""

    at_s: float
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_s: float
    ends_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hush:
    """Somebody makes a silence at ``at_s``."""

    at_s: float
    matchers: Mapping[str, str]
    starts_s: float
    ends_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One webhook of a receiver."""

    send_resolved: bool = True
    max_alerts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A route, whom it names, what happens, and when to stop looking."""

    name: str
    steps: Sequence[Say | Hush]
    until_s: float
    route: Mapping[str, Any] = field(default_factory=dict)
    receivers: Mapping[str, Sequence[Receiver]] = field(
        default_factory=lambda: {"a": (Receiver(),)}
    )
    inhibit_rules: Sequence[Mapping[str, Any]] = ()


def fire(
    at_s: float,
    alertname: str,
    *,
    starts_s: float | None = None,
    ends_s: float = FOREVER_S,
    summary: str = "",
    **labels: str,
) -> Say:
    """Return a firing alert."""
    return Say(
        at_s=at_s,
        labels={"alertname": alertname, **labels},
        annotations={"summary": summary} if summary else {},
        starts_s=at_s if starts_s is None else starts_s,
        ends_s=ends_s,
    )


def resolve(at_s: float, alertname: str, *, started_s: float = 0.0, **labels: str) -> Say:
    """Return the word that an alert is over."""
    return Say(
        at_s=at_s,
        labels={"alertname": alertname, **labels},
        annotations={},
        starts_s=started_s,
        ends_s=at_s,
    )


def hush(at_s: float, *, ends_s: float = FOREVER_S, **matchers: str) -> Hush:
    """Return a silence of alerts with these labels, from now."""
    return Hush(at_s=at_s, matchers=matchers, starts_s=at_s, ends_s=ends_s)


def configuration(scenarios: Sequence[Scenario], port: int) -> dict[str, Any]:
    """Return one ``alertmanager.yml`` of all scenarios, apart by a label and their receivers."""
    return {
        "route": {
            "receiver": "nobody",
            "group_wait": "1s",
            "group_interval": "2s",
            "repeat_interval": "1h",
            "routes": [_route(scenario) for scenario in scenarios],
        },
        "receivers": [
            {"name": "nobody"},
            *(
                {"name": f"{scenario.name}-{name}", "webhook_configs": _hooks(scenario, name, port)}
                for scenario in scenarios
                for name in scenario.receivers
            ),
        ],
        "inhibit_rules": [
            {
                "source_matchers": [f'{SCENARIO}="{scenario.name}"', *rule["source_matchers"]],
                "target_matchers": [f'{SCENARIO}="{scenario.name}"', *rule["target_matchers"]],
                "equal": rule.get("equal", []),
            }
            for scenario in scenarios
            for rule in scenario.inhibit_rules
        ],
        "time_intervals": [
            {"name": "always", "time_intervals": [{"years": ["1970:2200"]}]},
            {"name": "never", "time_intervals": [{"years": ["1970"]}]},
        ],
    }


def _route(scenario: Scenario) -> dict[str, Any]:
    first = next(iter(scenario.receivers))
    root = _named({"receiver": first, **scenario.route}, scenario)
    matchers = [f'{SCENARIO}="{scenario.name}"', *root.get("matchers", ())]
    return {**root, "matchers": matchers}


def _named(route: Mapping[str, Any], scenario: Scenario) -> dict[str, Any]:
    named = dict(route)
    if "receiver" in route:
        named["receiver"] = f"{scenario.name}-{route['receiver']}"
    if "routes" in route:
        named["routes"] = [_named(child, scenario) for child in route["routes"]]
    return named


def _hooks(scenario: Scenario, name: str, port: int) -> list[dict[str, Any]]:
    return [
        {
            "url": f"http://127.0.0.1:{port}/{scenario.name}/{name}/{index}",
            "send_resolved": hook.send_resolved,
            "max_alerts": hook.max_alerts,
        }
        for index, hook in enumerate(scenario.receivers[name])
    ]
