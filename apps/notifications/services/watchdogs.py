"""Proof of delivery: a synthetic alert on the real path, an alarm on another when it fails.

A round begins with an alert of its own (a label ``round`` tells rounds apart), which is routed,
grouped and delivered like any other. The proof is that every receiver it is routed to answered
positively; besides, where asked for, that the message was found again at the services that can be
read, or that somebody called the echo address of the round. All state is in SQL.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core import signing
from django.db import models, transaction

from apps.alerting.services.fingerprints import fingerprint
from apps.notifications.enums import DeliveryStatus, WatchdogProof, WatchdogReading
from apps.notifications.models import ContactPoint, Delivery, RoutedAlert, RoutingTree, Watchdog
from apps.notifications.services.answers import suppressions_of
from apps.notifications.services.direct import DirectNotice, direct_delivery_create
from apps.notifications.services.inbox import alerts_receive
from apps.notifications.services.outward import http_client
from apps.notifications.services.routing import Route, build_tree, match_routes
from apps.notifications.services.suppression import point_receivers
from apps.notifications.services.watchdog_readings import is_read, reading_state, readings_take
from detectviz.contracts.errors import NetworkError
from detectviz.contracts.network import HttpRequest
from detectviz.events.types import AlertChanged

ALERT = "DetectvizWatchdog"
BROKEN = "DetectvizAlertingPathBroken"
RESTORED = "DetectvizAlertingPathRestored"
SALT = "notifications.watchdog"
ABSENCE = timedelta(minutes=1)  # unlooked at for longer, we are what was away
_LONGEST = 1000
_SUCCESS = range(200, 400)
_STATE = (
    "round",
    "readings",
    "fired_at",
    "deadline_at",
    "next_round_at",
    "checked_at",
    "proved_at",
    "is_failing",
    "failing_since",
    "problem",
)


def watchdogs_run(*, now: datetime) -> int:
    """Begin rounds that are due and look for proofs; return how many watchdogs were looked at."""
    rows = Watchdog.objects.across_orgs(reason="one watcher serves every org")
    due = rows.filter(
        models.Q(deadline_at__isnull=False)
        | models.Q(next_round_at__isnull=True)
        | models.Q(next_round_at__lte=now),
        is_enabled=True,
    )
    keys = list(due.order_by("pk").values_list("pk", flat=True))
    for key in keys:
        _read_back(key, now)
        proved = _step(key, now)
        if proved is not None and proved.dead_mans_switch_url:
            _ping(proved, now)
    return len(keys)


def watchdog_labels(watchdog: Watchdog) -> dict[str, str]:
    """Return the labels of the alert of the present round."""
    own = {"alertname": ALERT, "watchdog": watchdog.name, "round": str(watchdog.round)}
    return {**watchdog.route_labels, **own}


def watchdog_points(watchdog: Watchdog) -> list[str]:
    """Return the contact points its alerts are routed to now."""
    return _points(_root(watchdog.org_id), watchdog)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverProof:
    """One receiver the alert is routed to, with its delivery of the last round if there is one."""

    contact_point: str
    receiver: str
    notifier: str
    delivery: Delivery | None
    reading: str = ""
    note: str = ""

    @property
    def reading_title(self) -> str:
        """Whether it was found again, in words."""
        return str(WatchdogReading(self.reading).label) if self.reading else ""

    @property
    def answer(self) -> str:
        """Why it was not found, or not told; empty where all is well or nothing is known yet."""
        return self.note or (self.delivery.error if self.delivery else "")

    @property
    def reading_look(self) -> str:
        """How that looks: found is good, what is not there yet waits."""
        looks = {WatchdogReading.FOUND.value: "ok", WatchdogReading.MISSING.value: "queued"}
        return looks.get(self.reading, "skipped")


def watchdog_proofs(watchdog: Watchdog) -> list[ReceiverProof]:
    """Return every receiver its alert is routed to now, and how the last round reached it."""
    names = watchdog_points(watchdog)
    found = _told(watchdog, names) if watchdog.fired_at else []
    told = {(row.contact_point, row.receiver): row for row in found}
    points = {row.name: row for row in ContactPoint.objects.for_org(watchdog.org_id)}
    return [
        _proof_of(watchdog, name, receiver, told.get((name, receiver["name"])))
        for name in names
        for receiver in point_receivers(points.get(name))
    ]


def _proof_of(
    watchdog: Watchdog, point: str, receiver: Mapping[str, Any], delivery: Delivery | None
) -> ReceiverProof:
    is_told = delivery is not None and delivery.status == DeliveryStatus.DELIVERED
    reading, note = reading_state(watchdog, delivery if is_told else None)
    return ReceiverProof(
        contact_point=point,
        receiver=receiver["name"],
        notifier=receiver["notifier"],
        delivery=delivery,
        reading=reading,
        note=note,
    )


def watchdogs_at(*, org: models.Model, point: str) -> list[Watchdog]:
    """Return the watchdogs that are told through a contact point, by name; two queries."""
    rows = list(Watchdog.objects.for_org(org).order_by("name"))
    root = _root(org.pk) if rows else None
    return [row for row in rows if point in _points(root, row)]


def _root(org_id: int) -> Route | None:
    tree = RoutingTree.objects.for_org(org_id).first()
    return build_tree(tree.root) if tree else None


def _points(root: Route | None, watchdog: Watchdog) -> list[str]:
    routes = match_routes(root, watchdog_labels(watchdog)) if root else []
    return sorted({route.contact_point for route in routes if route.contact_point})


def watchdog_echo(*, org: str, token: str, now: datetime) -> bool:
    """Take a callback of a receiver; return whether it proves the round that is under way."""
    try:
        said = signing.loads(token, salt=SALT)
    except signing.BadSignature:
        return False
    rows = Watchdog.objects.across_orgs(reason="the signed token names the row")
    present = rows.filter(
        org__name=org, uid=said["watchdog"], round=said["round"], deadline_at__gt=now
    )
    return present.update(echoed_round=said["round"]) > 0


def _read_back(key: int, now: datetime) -> None:
    """Look for the messages of a round that is under way, before it is judged."""
    rows = Watchdog.objects.across_orgs(reason="the caller holds a due watchdog's id")
    watchdog = rows.filter(pk=key, proof=WatchdogProof.READ_BACK, deadline_at__isnull=False).first()
    if watchdog is None:
        return
    readings_take(
        watchdog=watchdog,
        told=_told(watchdog, watchdog_points(watchdog)),
        fingerprint=fingerprint(watchdog_labels(watchdog)),
        now=now,
    )


@transaction.atomic
def _step(key: int, now: datetime) -> Watchdog | None:
    """Bring one watchdog forward; return it when its round is proved now."""
    rows = Watchdog.objects.across_orgs(reason="the caller holds a due watchdog's id")
    watchdog: Watchdog | None = (
        rows.select_for_update(skip_locked=True, of=("self",))
        .select_related("org")
        .filter(pk=key)
        .first()
    )
    if watchdog is None:
        return None
    is_proved = _look(watchdog, now)
    watchdog.checked_at = now
    rows.filter(pk=key).update(**{name: getattr(watchdog, name) for name in _STATE})
    return watchdog if is_proved else None


def _look(watchdog: Watchdog, now: datetime) -> bool:
    if watchdog.deadline_at is None:
        _begin(watchdog, now)
        return False
    if watchdog.checked_at is not None and now - watchdog.checked_at > ABSENCE:
        _say(watchdog, now, ends_at=now, is_over=True)
        _begin(watchdog, now)
    missing = list(_missing(watchdog, now))
    if not missing:
        _proved(watchdog, now)
        return True
    if now >= watchdog.deadline_at:
        _failed(watchdog, "; ".join(missing)[:_LONGEST], now)
    return False


def _begin(watchdog: Watchdog, now: datetime) -> None:
    watchdog.round += 1
    watchdog.readings = {}
    watchdog.fired_at = now
    watchdog.deadline_at = now + timedelta(milliseconds=watchdog.within_ms)
    watchdog.next_round_at = now + timedelta(milliseconds=watchdog.every_ms)
    _say(watchdog, now, ends_at=watchdog.next_round_at, is_over=False)


def _proved(watchdog: Watchdog, now: datetime) -> None:
    was_failing = watchdog.is_failing
    watchdog.proved_at, watchdog.deadline_at = now, None
    watchdog.is_failing, watchdog.failing_since, watchdog.problem = False, None, ""
    _say(watchdog, now, ends_at=now, is_over=True)
    if was_failing:
        _tell(watchdog, RESTORED, "The path of alerts delivers again.", now)


def _failed(watchdog: Watchdog, problem: str, now: datetime) -> None:
    watchdog.deadline_at, watchdog.problem = None, problem
    _say(watchdog, now, ends_at=now, is_over=True)
    if not watchdog.is_failing:
        watchdog.is_failing, watchdog.failing_since = True, now
        _tell(watchdog, BROKEN, problem, now)


def _say(watchdog: Watchdog, now: datetime, *, ends_at: datetime, is_over: bool) -> None:
    """Say to the inbox, as a rule's evaluation does, that the round's alert fires or is over."""
    labels = watchdog_labels(watchdog)
    event = AlertChanged(
        org_id=watchdog.org_id,
        fingerprint=fingerprint(labels),
        status="resolved" if is_over else "firing",
        labels=labels,
        annotations={
            "summary": "Detectviz proves that its alerts arrive; nothing is wrong.",
            "echo_url": _echo_url(watchdog),
        },
        starts_at=watchdog.fired_at or now,
        ends_at=ends_at,
        rule_group="",
        rule=ALERT,
        value=None,
        is_transition=True,
    )
    alerts_receive(events=[event])


def _echo_url(watchdog: Watchdog) -> str:
    token = signing.dumps({"watchdog": watchdog.uid, "round": watchdog.round}, salt=SALT)
    return f"{settings.EXTERNAL_URL}/orgs/{watchdog.org}/watchdog/{token}"


def _missing(watchdog: Watchdog, now: datetime) -> Iterator[str]:
    """Yield what the proof of the present round lacks, in words."""
    if watchdog.proof == WatchdogProof.ECHO and watchdog.echoed_round != watchdog.round:
        yield "nobody called the echo address of this round"
    names = watchdog_points(watchdog)
    if not names:
        yield "the routing tree tells nobody of it"
    own = fingerprint(watchdog_labels(watchdog))
    told = _told(watchdog, names)
    points = {row.name: row for row in ContactPoint.objects.for_org(watchdog.org_id)}
    for name in names:
        receivers = point_receivers(points.get(name))
        if not receivers:
            yield f"contact point {name} has no receiver that is switched on"
        for receiver in receivers:
            its = [
                row for row in told if (row.contact_point, row.receiver) == (name, receiver["name"])
            ]
            answered = [row for row in its if row.status == DeliveryStatus.DELIVERED]
            if not answered:
                why = its[-1].error if its else _held(watchdog, own, name, now)
                yield f"{name}/{receiver['name']} was not told: {why or 'no answer yet'}"
            elif not any(is_read(watchdog, row) for row in answered):
                _, why = reading_state(watchdog, answered[-1])
                words = f"{name}/{receiver['name']} took it, but the message is not found there"
                yield f"{words}: {why}" if why else words


def _told(watchdog: Watchdog, names: Sequence[str]) -> list[Delivery]:
    """Return the deliveries of the present round to contact points, in order."""
    own = fingerprint(watchdog_labels(watchdog))
    rows = Delivery.objects.for_org(watchdog.org_id).defer("payload").order_by("pk")
    since = rows.filter(contact_point__in=names, created_at__gte=watchdog.fired_at)
    return [row for row in since if own in row.firing and not row.fallback_of]


def _held(watchdog: Watchdog, own: str, point: str, now: datetime) -> str:
    found = suppressions_of(org=watchdog.org, fingerprint=own, now=now)
    return next((row.sentence for row in found if row.contact_point == point), "")


def _tell(watchdog: Watchdog, alertname: str, words: str, now: datetime) -> None:
    """Tell the fallback contact point, past the routing tree and all that holds alerts back."""
    points = ContactPoint.objects.for_org(watchdog.org_id)
    point = points.filter(name=watchdog.fallback).first()
    labels = {"alertname": alertname, "watchdog": watchdog.name, "severity": "critical"}
    alert = RoutedAlert(
        org_id=watchdog.org_id,
        fingerprint=fingerprint(labels),
        labels=labels,
        annotations={
            "summary": f"Watchdog {watchdog.title or watchdog.name}: alerts may not arrive"
            if alertname == BROKEN
            else f"Watchdog {watchdog.title or watchdog.name}: alerts arrive again",
            "description": words,
        },
        starts_at=now,
    )
    for receiver in point_receivers(point):
        notice = DirectNotice(
            key=f"watchdog/{watchdog.uid}/{watchdog.round}/{alertname}/{receiver['name']}",
            contact_point=watchdog.fallback,
            receiver=receiver["name"],
            notifier=receiver["notifier"],
            group_key=f"watchdog/{watchdog.name}",
            group_labels={"watchdog": watchdog.name},
            reason="watchdog",
        )
        direct_delivery_create(org=watchdog.org, notice=notice, alerts=[alert], now=now)


def _ping(watchdog: Watchdog, now: datetime) -> None:
    """Reach the dead man's switch: whoever minds it raises the alarm when nobody does."""
    request = HttpRequest(url=watchdog.dead_mans_switch_url, max_body_bytes=65_536)
    error = ""
    try:
        answer = http_client().fetch(request)
        if answer.status_code not in _SUCCESS:
            error = f"It answered {answer.status_code}."
    except NetworkError as failed:
        error = failed.message
    changes = {"switch_error": error[:_LONGEST]} | ({} if error else {"switch_at": now})
    rows = Watchdog.objects.for_org(watchdog.org_id).filter(pk=watchdog.pk)
    rows.update(**changes)
