"""How I am told: one's own contact methods and preferences, which nobody else may see.

No name of a person stands in these addresses, and no role opens those of others. A program acts
for its owner as far as its scopes say (``contactmethods:read``, ``contactmethods:update``).
"""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.extensions.services import secrets_masked
from apps.oncall.api.me.serializers import ContactMethodSpec, PreferenceSpec
from apps.oncall.models import ContactMethod, NotificationPreference
from apps.oncall.selectors import method_list, preference_get
from apps.oncall.services.methods import (
    method_delete,
    method_verify,
    method_write,
    preference_write,
)
from apps.oncall.services.preferences import MAIL
from detectviz.clock import utc_now
from detectviz.contracts.durations import format_duration, parse_duration_s
from detectviz.contracts.types import PluginKind
from detectviz.resources.api.formats import JsonParser, JsonRenderer, YamlParser, YamlRenderer
from detectviz.resources.errors import ForbiddenError, InvalidFieldsError, NotFoundError
from detectviz.resources.models import NAME_MESSAGE, is_name
from detectviz.resources.validation import flatten_errors
from detectviz.tenancy.requests import org_access

API_VERSION = "oncall/v1"
TAGS = [API_VERSION]


class MineView(APIView):
    """What is the caller's own in an org."""

    parser_classes = [JsonParser, YamlParser]
    renderer_classes = [JsonRenderer, YamlRenderer]
    org: Any
    user: Any

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Resolve the org; refuse programs that are nobody's, and those whose scopes lack it."""
        super().initial(request, *args, **kwargs)
        if request.method == "OPTIONS" or request.method not in self.allowed_methods:
            return  # answered alike wherever it is asked
        self.org, access = org_access(request, kwargs["org"])
        self.user = request.user
        needed = f"contactmethods:{'read' if request.method in SAFE_METHODS else 'update'}"
        if not access.is_in_scope(needed):
            raise ForbiddenError(f"The scopes of this key lack {needed}.")
        if hasattr(self.user, "service_account"):
            raise ForbiddenError("A service account is no person: nobody tells it anything.")

    def mine(self, name: str) -> ContactMethod:
        """Return one of the caller's methods; raise NotFoundError."""
        found = {one.name: one for one in method_list(self.org, self.user)}
        if name not in found:
            raise NotFoundError
        return found[name]


class ContactMethodListView(MineView):
    """``GET`` lists my methods."""

    @extend_schema(operation_id="list_my_contact_methods", responses=dict, tags=TAGS)
    def get(self, request: Request, org: str) -> Response:
        """List the caller's own methods by name."""
        items = [method_json(one) for one in method_list(self.org, self.user)]
        listed = {"apiVersion": API_VERSION, "kind": "ContactMethodList", "metadata": {}}
        return Response({**listed, "items": items})


class ContactMethodView(MineView):
    """One of my methods."""

    @extend_schema(operation_id="get_my_contact_method", responses=dict, tags=TAGS)
    def get(self, request: Request, org: str, name: str) -> Response:
        """Read one; secrets are not shown."""
        return Response(method_json(self.mine(name)))

    @extend_schema(
        operation_id="put_my_contact_method", request=ContactMethodSpec, responses=dict, tags=TAGS
    )
    def put(self, request: Request, org: str, name: str) -> Response:
        """Create or change one; it counts once it is verified."""
        if not is_name(name):
            raise InvalidFieldsError({"metadata.name": [NAME_MESSAGE]})
        spec = _spec(ContactMethodSpec, request.data)
        is_new = all(one.name != name for one in method_list(self.org, self.user))
        try:
            method = method_write(org=self.org, user=self.user, name=name, **spec)
        except ValidationError as error:
            raise InvalidFieldsError(
                {field: list(texts) for field, texts in error.message_dict.items()}
            ) from error
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(method_json(method), status=code)

    @extend_schema(operation_id="delete_my_contact_method", responses={204: None}, tags=TAGS)
    def delete(self, request: Request, org: str, name: str) -> Response:
        """Delete one."""
        method_delete(org=self.org, user=self.user, name=self.mine(name).name)
        return Response(status=status.HTTP_204_NO_CONTENT)


class ContactMethodVerifyView(MineView):
    """``POST`` sends a test."""

    @extend_schema(operation_id="verify_my_contact_method", request=None, responses=dict, tags=TAGS)
    def post(self, request: Request, org: str, name: str) -> Response:
        """Send a test; a method whose service said yes is used from then on."""
        method = self.mine(name)
        result = method_verify(org=self.org, user=self.user, name=method.name, now=utc_now())
        return Response({"delivered": result.is_delivered, "message": result.message})


class PreferenceView(MineView):
    """My rules and quiet hours."""

    @extend_schema(operation_id="get_my_preferences", responses=dict, tags=TAGS)
    def get(self, request: Request, org: str) -> Response:
        """Read them; the defaults where nothing was written."""
        return Response(self._shown(preference_get(self.org, self.user)))

    @extend_schema(
        operation_id="put_my_preferences", request=PreferenceSpec, responses=dict, tags=TAGS
    )
    def put(self, request: Request, org: str) -> Response:
        """Write them; rules name methods that are there."""
        spec = _spec(PreferenceSpec, request.data)
        unknown = [
            index for index, one in enumerate(spec["rules"]) if one["method"] not in self._names()
        ]
        if unknown:
            raise InvalidFieldsError(
                {f"spec.rules[{at}].method": ["You have no such method."] for at in unknown}
            )
        rules = [
            {
                "severities": one["severities"],
                "method": one["method"],
                "delay_s": round(parse_duration_s(one["delay"])),
            }
            for one in spec["rules"]
        ]
        quiet = {"time_zone": "UTC", "start": "", "end": "", "except": ["critical"]}
        written = preference_write(
            org=self.org, user=self.user, rules=rules, quiet={**quiet, **spec["quiet"]}
        )
        return Response(self._shown(written))

    def _names(self) -> list[str]:
        own = [MAIL] if self.user.email else []
        return [*own, *(one.name for one in method_list(self.org, self.user))]

    def _shown(self, row: NotificationPreference | None) -> dict[str, Any]:
        found = row or NotificationPreference()
        return {
            "apiVersion": API_VERSION,
            "kind": "NotificationPreference",
            "spec": {
                "rules": [
                    {
                        "method": rule["method"],
                        "severities": rule["severities"],
                        "delay": format_duration(rule["delay_s"]),
                    }
                    for rule in found.rules
                ],
                "quiet": {
                    "time_zone": found.time_zone,
                    "start": found.quiet_start,
                    "end": found.quiet_end,
                    "except": found.quiet_except if row else ["critical"],
                },
            },
            "status": {"methods": self._names()},
        }


def method_json(method: ContactMethod) -> dict[str, Any]:
    """Return a method for an answer, secrets hidden."""
    secrets = secrets_masked(
        kind=PluginKind.NOTIFIER, name=method.notifier, secrets=dict(method.secrets)
    )
    return {
        "apiVersion": API_VERSION,
        "kind": "ContactMethod",
        "metadata": {"name": method.name},
        "spec": {"notifier": method.notifier, "config": method.config, "secrets": secrets},
        "status": {"verified_at": method.verified_at},
    }


def _spec(kind: type[serializers.Serializer[Any]], body: object) -> dict[str, Any]:
    """Return the validated ``spec`` of a body; every wrong field is named."""
    spec = body.get("spec") if isinstance(body, Mapping) else None
    if not isinstance(spec, Mapping):
        raise InvalidFieldsError({"spec": ["Send an object with a spec."]})
    serializer = kind(data=spec)
    if unknown := sorted(str(name) for name in set(spec) - set(serializer.fields)):
        raise InvalidFieldsError({f"spec.{unknown[0]}": ["Unknown field."]})
    if not serializer.is_valid():
        raise InvalidFieldsError(flatten_errors(serializer.errors, "spec"))
    return dict(serializer.validated_data)
