"""What receivers of some groups know and are about to hear: read once for all, written once."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from apps.notifications.enums import DeliveryStatus
from apps.notifications.models import AlertGroup, Delivery, NotificationRecord
from apps.notifications.services.alert_facts import AlertFacts
from apps.notifications.services.decision import LastSent, Reason
from apps.notifications.services.payload import Members, notification_payload
from detectviz.tenancy.writing import rows_write

_GroupPlace = tuple[str, str]  # key digest, contact point
_Place = tuple[str, str, str]  # …, receiver
_REWRITTEN = ("notifier", "flush_number", "firing", "resolved", "reason", "payload")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Records and pending deliveries of groups of one org, whose rows the caller has locked.

    What is decided is noted here and stored by ``write``.
    """

    org_id: int
    org: str
    time_zone: str
    now: datetime
    _records: Mapping[_GroupPlace, dict[str, NotificationRecord]]
    _pending: Mapping[str, list[Delivery]]
    _failed: Mapping[str, _Place]  # those whose fallbacks are pending, by uid
    _new: list[Delivery] = field(default_factory=list)
    _rewritten: list[Delivery] = field(default_factory=list)
    _superseded: list[int] = field(default_factory=list)
    _remembered: list[NotificationRecord] = field(default_factory=list)

    @classmethod
    def of(cls, groups: Sequence[AlertGroup], *, now: datetime) -> "Told":
        """Read them; there must be a group, and pending deliveries are locked."""
        org_id = groups[0].org_id
        digests = [group.key_digest for group in groups]
        pending = _pending(org_id, digests)
        instead = [each.fallback_of for some in pending.values() for each in some]
        return cls(
            org_id=org_id,
            org=str(groups[0].org),
            time_zone=groups[0].org.time_zone,
            now=now,
            _records=_records(org_id, digests),
            _pending=pending,
            _failed=_failed(org_id, [uid for uid in instead if uid]),
        )

    def last_sent(self, group: AlertGroup, receiver: str) -> LastSent | None:
        """Return what a receiver of the group was last told."""
        record = self._records[_group_place(group)].get(receiver)
        if record is None:
            return None
        return LastSent(
            firing=set(record.firing), resolved=set(record.resolved), sent_at=record.sent_at
        )

    def waiting(self, group: AlertGroup, receiver: str) -> Delivery | None:
        """Return what a receiver of the group is still to hear."""
        place = (*_group_place(group), receiver)
        return next((each for each in self._pending[group.key_digest] if _of(each) == place), None)

    def instead(self, group: AlertGroup, receiver: str) -> Iterator[Delivery]:
        """Yield what the fallback is still to be told of a group in place of a receiver."""
        place = (*_group_place(group), receiver)
        for each in self._pending[group.key_digest]:
            if self._failed.get(each.fallback_of) == place:
                yield each

    def believed(self, group: AlertGroup) -> set[str]:
        """Return the alerts that a receiver takes for firing, or is still to hear of."""
        records = self._records[_group_place(group)].values()
        pending = self._pending[group.key_digest]
        return {
            *(one for record in records for one in record.firing),
            *(one for each in pending for one in (*each.firing, *each.resolved)),
        }

    def heard_of(self, group: AlertGroup) -> set[str]:
        """Return the alerts that a receiver was last told of."""
        records = self._records[_group_place(group)].values()
        return {one for record in records for one in (*record.firing, *record.resolved)}

    def tell(
        self, group: AlertGroup, receiver: Mapping[str, Any], members: Members, reason: Reason
    ) -> None:
        """Have a receiver told.

        What was never attempted is rewritten: it keeps its place among those that wait. What may
        have been heard is superseded by another, under another id.
        """
        waiting = self.waiting(group, receiver["name"])
        if waiting is not None and not waiting.attempts:
            self._rewritten.append(waiting)
        else:
            if waiting is not None:
                self.supersede(waiting)
            waiting = self._begin(group, receiver["name"])
        waiting.notifier = receiver["notifier"]
        waiting.flush_number = group.flush_number
        waiting.firing = [alert.fingerprint for alert in members.firing]
        waiting.resolved = [alert.fingerprint for alert in members.resolved]
        waiting.reason = reason.name.lower()
        waiting.payload = notification_payload(
            group=group,
            members=members,
            delivery_uid=waiting.uid,
            org=self.org,
            time_zone=self.time_zone,
        )

    def supersede(self, delivery: Delivery) -> None:
        """Give up a delivery in favour of what holds now."""
        self._superseded.append(delivery.pk)
        self._pending[delivery.key_digest].remove(delivery)

    def remember(self, group: AlertGroup, receiver: str, resolved: Sequence[AlertFacts]) -> None:
        """Take a receiver as knowing that everything is over."""
        record = NotificationRecord(
            org_id=self.org_id,
            key_digest=group.key_digest,
            contact_point=group.contact_point,
            receiver=receiver,
            firing=[],
            resolved=[alert.fingerprint for alert in resolved],
            sent_at=self.now,
        )
        self._records[_group_place(group)][receiver] = record
        self._remembered.append(record)

    def write(self) -> int:
        """Store what was noted; return how many deliveries are new or say something new."""
        rows = Delivery.objects.for_org(self.org_id)
        if self._superseded:
            rows.filter(pk__in=self._superseded).update(
                status=DeliveryStatus.SUPERSEDED, finished_at=self.now
            )
        for each in self._rewritten:
            rows.filter(pk=each.pk).update(**{name: getattr(each, name) for name in _REWRITTEN})
        rows_write(self._new)
        records_write(self._remembered)
        return len(self._new) + len(self._rewritten)

    def _begin(self, group: AlertGroup, receiver: str) -> Delivery:
        delivery = Delivery(
            org_id=self.org_id,
            group_key=group.group_key,
            key_digest=group.key_digest,
            contact_point=group.contact_point,
            receiver=receiver,
            next_attempt_at=self.now,
            created_at=self.now,
        )
        self._new.append(delivery)
        self._pending[group.key_digest].append(delivery)
        return delivery


def records_write(records: Sequence[NotificationRecord], *, update: Sequence[str] = ()) -> None:
    """Write what receivers know now; of records that are there already, ``update`` as well."""
    rows_write(
        records,
        unique=("org", "key_digest", "contact_point", "receiver"),
        update=("firing", "resolved", "sent_at", *update),
    )


def says(delivery: Delivery, members: Members) -> bool:
    """Say whether a delivery tells just this."""
    firing = {alert.fingerprint for alert in members.firing}
    resolved = {alert.fingerprint for alert in members.resolved}
    return set(delivery.firing) == firing and set(delivery.resolved) == resolved


def _group_place(group: AlertGroup) -> _GroupPlace:
    return group.key_digest, group.contact_point


def _of(delivery: Delivery) -> _Place:
    return delivery.key_digest, delivery.contact_point, delivery.receiver


def _records(
    org_id: int, digests: Sequence[str]
) -> Mapping[_GroupPlace, dict[str, NotificationRecord]]:
    found: dict[_GroupPlace, dict[str, NotificationRecord]] = defaultdict(dict)
    rows = NotificationRecord.objects.for_org(org_id).filter(key_digest__in=digests)
    for record in rows.defer("thread"):
        found[record.key_digest, record.contact_point][record.receiver] = record
    return found


def _pending(org_id: int, digests: Sequence[str]) -> Mapping[str, list[Delivery]]:
    rows: QuerySet[Delivery] = Delivery.objects.for_org(org_id).filter(
        key_digest__in=digests, status=DeliveryStatus.PENDING
    )
    found: dict[str, list[Delivery]] = defaultdict(list)
    # Payloads are large, and what was said before is not asked here.
    for delivery in rows.defer("payload", "history").select_for_update().order_by("pk"):
        found[delivery.key_digest].append(delivery)
    return found


def _failed(org_id: int, uids: Collection[str]) -> Mapping[str, _Place]:
    if not uids:
        return {}
    rows = Delivery.objects.for_org(org_id).filter(uid__in=uids, status=DeliveryStatus.FAILED)
    values = rows.values_list("uid", "key_digest", "contact_point", "receiver")
    return {uid: (digest, point, receiver) for uid, digest, point, receiver in values}
