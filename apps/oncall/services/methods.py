"""A person's contact methods and preferences: written, verified by a test, found for deliveries."""

from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from django.db import models

from apps.accounts.models import Membership, User
from apps.accounts.selectors import membership_list
from apps.extensions.services import StoredConfiguration, configuration_check, manifest_require
from apps.notifications.services.receivers import FoundReceiver
from apps.notifications.services.samples import trial_notification
from apps.notifications.services.trials import TrialResult, receiver_try
from apps.oncall.models import ContactMethod, NotificationPreference
from apps.oncall.services.preferences import MAIL, Planned, Quiet, notices_planned
from apps.oncall.services.vapid import sender_config, sender_secrets
from apps.orgs.selectors import org_get_by_id
from detectviz.contracts.types import PluginKind
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.resources.errors import InvalidFieldsError, NotFoundError

SIGN = "~"  # of contact points that are a person: "~alice"
MAIL_NOTIFIER = "email"
MOST_METHODS = 20


def method_write(
    *,
    org: models.Model,
    user: User,
    name: str,
    notifier: str,
    config: Mapping[str, Any],
    secrets: Mapping[str, Any],
) -> ContactMethod:
    """Create or change a method; one that changed must be verified anew."""
    if name == MAIL:
        raise InvalidFieldsError({"name": ["This is the name of your account's own address."]})
    rows = ContactMethod.objects.for_org(org).filter(user=user)
    method = rows.filter(name=name).first()
    if method is None and rows.count() >= MOST_METHODS:
        raise InvalidFieldsError({"name": [f"At most {MOST_METHODS} methods."]})
    manifest = manifest_require(kind=PluginKind.NOTIFIER, name=notifier, path="notifier", org=org)
    stored = None
    if method is not None:
        stored = StoredConfiguration(
            plugin=method.notifier, config=method.config, secrets=method.secrets
        )
    outcome = configuration_check(
        manifest=manifest, config=dict(config), secrets=dict(secrets), stored=stored, path="spec"
    )
    method = method or ContactMethod(org_id=org.pk, user=user, name=name)
    method.notifier = manifest.name
    method.config, method.secrets = outcome.config, dict(outcome.secrets)
    method.verified_at = None
    method.full_clean(exclude=["org", "user", "config", "secrets"])
    method.save()
    _audit(org, user, "contactmethod.write", name, {"notifier": method.notifier})
    return method


def method_delete(*, org: models.Model, user: User, name: str) -> None:
    """Delete a method; raise NotFoundError."""
    deleted, _ = ContactMethod.objects.for_org(org).filter(user=user, name=name).delete()
    if not deleted:
        raise NotFoundError
    _audit(org, user, "contactmethod.delete", name, {})


def method_retire(*, org_id: int, person: str, name: str) -> None:
    """Delete a member's method whose service says that it is over for good."""
    org = org_get_by_id(org_id)
    member = membership_list(org).filter(name=person).first()
    if member is None:
        return
    rows = ContactMethod.objects.for_org(org).filter(user_id=member.user_id, name=name)
    if rows.delete()[0]:
        _audit(org, None, "contactmethod.retire", name, {"person": person})


def method_verify(*, org: models.Model, user: User, name: str, now: datetime) -> TrialResult:
    """Send a test; a method whose service said yes is verified and used from then on."""
    method = ContactMethod.objects.for_org(org).filter(user=user, name=name).first()
    if method is None:
        raise NotFoundError
    found = _found(method.name, method.notifier, method.config, dict(method.secrets))
    told = trial_notification(
        point=name, org=str(org), labels=None, annotations=None, status="firing"
    )
    result = receiver_try(org_id=org.pk, receiver=found.receiver, secrets=found.secrets, told=told)
    verified_at = now if result.is_delivered else None
    ContactMethod.objects.for_org(org).filter(pk=method.pk).update(verified_at=verified_at)
    return result


def preference_write(
    *,
    org: models.Model,
    user: User,
    rules: Sequence[Mapping[str, Any]],
    quiet: Mapping[str, Any],
) -> NotificationPreference:
    """Write how somebody wants to be told; ``quiet`` has time_zone, start, end and except."""
    if bool(quiet["start"]) != bool(quiet["end"]):
        raise InvalidFieldsError({"quiet_end": ["Quiet hours need a start and an end."]})
    preference, _ = NotificationPreference.objects.for_org(org).update_or_create(
        org_id=org.pk,
        user=user,
        defaults={
            "rules": [dict(rule) for rule in rules],
            "time_zone": quiet["time_zone"],
            "quiet_start": quiet["start"],
            "quiet_end": quiet["end"],
            "quiet_except": list(quiet["except"]),
        },
    )
    written: NotificationPreference = preference
    return written


def person_plan(
    *, org: models.Model, person: Membership, severity: str, now: datetime
) -> list[tuple[Planned, str]]:
    """Return how to tell somebody, with the notifier of each method."""
    methods = {
        one.name: one.notifier
        for one in ContactMethod.objects.for_org(org).filter(
            user_id=person.user_id, verified_at__isnull=False
        )
    }
    if person.user.email:
        methods.setdefault(MAIL, MAIL_NOTIFIER)
    preference = NotificationPreference.objects.for_org(org).filter(user_id=person.user_id).first()
    rules = preference.rules if preference else []
    names = list(methods)
    if MAIL in methods and len(methods) > 1 and not any(r["method"] == MAIL for r in rules):
        names.remove(MAIL)  # whoever has set up a better way is not mailed as well
    planned = notices_planned(
        rules=rules, methods=names, quiet=quiet_of(preference), severity=severity, now=now
    )
    return [(one, methods[one.method]) for one in planned]


def quiet_of(preference: NotificationPreference | None) -> Quiet | None:
    """Return somebody's quiet hours as a value."""
    if preference is None or not preference.quiet_start:
        return None
    return Quiet(
        zone=ZoneInfo(preference.time_zone),
        start=time.fromisoformat(preference.quiet_start),
        end=time.fromisoformat(preference.quiet_end),
        excepted=frozenset(preference.quiet_except),
    )


def personal_receiver(org_id: int, contact_point: str, name: str) -> FoundReceiver | None:
    """Return a person's method for a delivery, None when person or method are gone."""
    person = (
        membership_list(org_get_by_id(org_id))
        .filter(name=contact_point.removeprefix(SIGN), is_active=True, user__is_active=True)
        .first()
    )
    if person is None:
        return None
    if name == MAIL:
        return _found(MAIL, MAIL_NOTIFIER, {"to": [person.user.email]}, {})
    method = ContactMethod.objects.for_org(org_id).filter(user_id=person.user_id, name=name).first()
    if method is None:
        return None
    return _found(method.name, method.notifier, method.config, dict(method.secrets))


def _found(
    name: str, notifier: str, config: Mapping[str, Any], secrets: dict[str, str]
) -> FoundReceiver:
    receiver = {
        "name": name,
        "notifier": notifier,
        "config": sender_config(notifier, config),
        "send_resolved": False,
        "enabled": True,
    }
    return FoundReceiver(receiver=receiver, secrets=secrets | sender_secrets(notifier))


def _audit(
    org: models.Model, user: User | None, action: str, name: str, details: Mapping[str, Any]
) -> None:
    publish(
        SecurityEventOccurred(
            action=action,
            org_id=org.pk,
            actor_id=user.pk if user else None,
            kind="ContactMethod",
            name=name,
            details=details,
        )
    )
