"""Two orgs with the same names: ``watched``, whose words nobody else may read, and ``rival``."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import orjson
from django.db import models, transaction

from apps.accounts.models import Membership, Role, User
from apps.accounts.services.invitations import invitation_create
from apps.alerting.models import Rule
from apps.audit.models import AuditEvent
from apps.datasources.models import Datasource
from apps.monitors.models import Heartbeat, StateChange
from apps.notifications.models import Delivery
from apps.oncall.models import ChatCallback, OnCallSchedule
from apps.oncall.services.links import token_of
from apps.operations.models import PipelineRun
from apps.orgs.models import Org
from apps.orgs.services import org_create
from detectviz.clock import utc_now
from detectviz.resources.services import resource_write
from tests.factories.accounts import make_api_key, make_bound_member, make_user
from tests.factories.events import make_dead_letter
from tests.isolation.manifests import SHARED, manifest, spec_of, writable_kinds
from tests.isolation.personas import Persona, people
from tests.isolation.rows import marks_put, owned_models, rows_make, rows_of

WATCHED, RIVAL = "watched", "rival"
CANARY, PLAIN = "canary7f3watched", "plain7f3rival"
ONLY_WATCHED, NOWHERE = "only-watched", "not-anywhere"
ROLES = ("operator", "viewer")


@dataclass(frozen=True, kw_only=True)
class World:
    """Both orgs, everybody who asks, and the words that must not leave the watched org."""

    watched: Org
    rival: Org
    personas: Mapping[str, Persona]
    values: Mapping[str, Mapping[str, object]]  # org name → URL parameter → value
    canaries: frozenset[bytes]

    def rivals(self) -> list[Persona]:
        """Return who may know nothing of the watched org."""
        return [each for each in self.personas.values() if not each.is_member]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    content: bytes
    headers: Mapping[str, str]
    cookies: str

    @property
    def everything(self) -> bytes:
        """Body, headers and cookies."""
        headers = "\n".join(f"{name}: {value}" for name, value in self.headers.items())
        return self.content + headers.encode() + self.cookies.encode()


_SECRETS = ("audit", "invitation", "invitation_token", "push_token", "calendar_token", "act_token")


def world_make() -> World:
    """Fill both orgs and sign everybody in. The caller owns the transaction."""
    rival, watched = _org(RIVAL, PLAIN), _org(WATCHED, CANARY)
    _contents(watched, CANARY, ONLY_WATCHED)
    values = {org.name: _values(org) for org in (watched, rival)}
    personas = people()
    _sign_in(personas, watched, rival)
    return World(
        watched=watched,
        rival=rival,
        personas=personas,
        values=values,
        canaries=_canaries(watched, values[WATCHED]),
    )


def ask(persona: Persona, method: str, path: str, body: object = None, **headers: str) -> Answer:
    """Send one request and undo what it did. ``body`` of a mapping is sent as JSON."""
    data = b"" if body is None else orjson.dumps(body)
    content_type = "application/json" if data else "application/x-www-form-urlencoded"
    cookies = persona.client.cookies.output()
    with transaction.atomic():
        response: Any = persona.client.generic(
            method, path, data, content_type=content_type, headers=headers or None
        )
        content = b"".join(response.streaming_content) if response.streaming else response.content
        transaction.set_rollback(True)
    persona.client.cookies = SimpleCookie(cookies.replace("Set-Cookie: ", ""))
    return Answer(
        status=response.status_code,
        content=content,
        headers=dict(response.headers.items()),
        cookies=response.cookies.output(),
    )


def counted(org: Org) -> dict[str, int]:
    """Return how many rows of each model an org has."""
    return {model.__name__: rows_of(model, org).count() for model in owned_models()}


def _org(name: str, mark: str) -> Org:
    org = org_create(name=name, title=mark)
    admin = make_bound_member(org, f"{mark}-admin", "admin")
    User.objects.filter(pk=admin.pk).update(first_name=mark, last_name=mark)
    shared = make_user(f"{mark}-shared")
    Membership.objects.create_for(org, user=shared, name=SHARED)
    _contents(org, mark, SHARED)
    rows_make(org, mark)
    marks_put(org, mark)
    return org


def _contents(org: Org, mark: str, name: str) -> None:
    """Write one object of every kind as the API would, so that the audit log speaks of it too."""
    admin = User.objects.get(username=f"{mark}-admin")
    if not Membership.objects.for_org(org).filter(name=name).exists():
        Membership.objects.create_for(org, user=make_user(f"{mark}-{name}"), name=name)
    for kind in writable_kinds():
        document = manifest(kind, mark, name)
        resource_write(
            kind,
            org=org,
            actor=admin,
            name=document["metadata"]["name"],
            spec=spec_of(kind.kind, mark, name),
            labels=document["metadata"]["labels"],
        )


def _values(org: Org) -> dict[str, object]:
    """Return what stands in the org's own addresses."""
    role = Role.objects.for_org(org).get(name=SHARED)
    inviter = User.objects.get(username__in=[f"{CANARY}-admin", f"{PLAIN}-admin"], **_member(org))
    sent = invitation_create(
        org=org,
        email=f"{org.title}-guest@example.org",
        role=role,
        actor=inviter,
        now=utc_now() - timedelta(minutes=1),
    )
    heartbeat = Heartbeat.objects.for_org(org).get(monitor__name=SHARED)
    return {
        "org": org.name,
        "name": SHARED,
        "audit": AuditEvent.objects.filter(org=org).latest("seq").uid,
        "invitation": sent.invitation.uid,
        "invitation_token": sent.link.rpartition("/")[2],
        "act_token": token_of(Delivery.objects.for_org(org).latest("pk"), "acknowledge"),
        "callback_uid": ChatCallback.objects.for_org(org).get(name=SHARED).uid,
        "calendar_token": OnCallSchedule.objects.for_org(org).get(name=SHARED).calendar["token"],
        "push_token": heartbeat.token["token"],
        "delivery": Delivery.objects.for_org(org).latest("pk").uid,
        "datasource_uid": Datasource.objects.for_org(org).get(name=SHARED).uid,
        "dead_letter": make_dead_letter(org).uid,
        "rule": Rule.objects.for_org(org).filter(group__name=SHARED).latest("pk").uid,
        "run": PipelineRun.objects.for_org(org).latest("pk").uid,
        "change": StateChange.objects.for_org(org).latest("pk").pk,
    }


def _member(org: Org) -> dict[str, Any]:
    ids = Membership.objects.for_org(org).values_list("user_id", flat=True)
    return {"pk__in": list(ids)}


def _sign_in(personas: Mapping[str, Persona], watched: Org, rival: Org) -> None:
    owner = User.objects.get(username=f"{CANARY}-admin")
    outsider = User.objects.get(username=f"{PLAIN}-admin")
    users = {"owner": owner, "outsider": outsider, "homeless": make_user("homeless")}
    users["roleless"] = make_bound_member(watched, "roleless")
    users |= {role: make_bound_member(watched, role, role) for role in ROLES}
    for name, user in users.items():
        personas[name].client.force_login(
            user, backend="apps.accounts.services.signin.PersonBackend"
        )
    keys = {
        "own-key": make_api_key(watched, owner, name="own"),
        "reading-key": make_api_key(watched, owner, "*:read", name="reading"),
        "foreign-key": make_api_key(rival, outsider, name="foreign"),
    }
    for name, key in keys.items():
        personas[name].client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {key.token}"


def _canaries(org: Org, values: Mapping[str, object]) -> frozenset[bytes]:
    """Return the mark, every public identifier and every credential of an org."""
    words = {CANARY, org.uid, ONLY_WATCHED}
    words |= {str(values[key]) for key in _SECRETS}
    for model in owned_models():
        names = {field.name for field in model._meta.concrete_fields}
        for field in {"uid", "key_id"} & names:
            words |= set(rows_of(model, org).values_list(field, flat=True))
    return frozenset(word.encode() for word in words)


def row_images(model: type[models.Model], org: Org) -> list[dict[str, Any]]:
    """Return an org's rows of one model as they are."""
    return list(rows_of(model, org).order_by("pk").values())
