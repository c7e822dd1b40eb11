"""How I am told: my contact methods, rules by severity, quiet hours."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.extensions.selectors import plugin_choices
from apps.oncall.models import ContactMethod, NotificationPreference
from apps.oncall.selectors import method_list, preference_get
from apps.oncall.services.methods import (
    method_delete,
    method_verify,
    method_write,
    preference_write,
)
from apps.oncall.services.preferences import MAIL, SEVERITIES
from apps.oncall.services.vapid import WEB_PUSH, vapid_public_key
from apps.oncall.web.forms import (
    DELAYS,
    method_document,
    method_fields,
    notifier_manifest,
    quiet_submitted,
    rules_submitted,
    rules_table,
    stored_document,
)
from detectviz.clock import utc_now
from detectviz.contracts.manifest import Manifest
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.description import PluginDescription
from detectviz.resources.errors import InvalidFieldsError, NotFoundError
from detectviz.web.forms import Errors, SchemaForm, field_errors
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page


@dataclass(frozen=True)
class PreferencePage:
    """Everything about how somebody is told."""

    scope: OrgScope

    @cached_property
    def methods(self) -> list[ContactMethod]:
        """The person's methods."""
        return method_list(self.scope.org, self.scope.user)

    @cached_property
    def preference(self) -> NotificationPreference | None:
        """What they wish."""
        return preference_get(self.scope.org, self.scope.user)

    @property
    def names(self) -> list[str]:
        """The methods rules can use; one's own address among them."""
        own = [MAIL] if self.scope.user.email else []
        return [*own, *(each.name for each in self.methods)]

    @property
    def table(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """The delays by method and severity."""
        return rules_table(self.preference.rules if self.preference else [], self.names)

    @property
    def severities(self) -> tuple[str, ...]:
        """The columns."""
        return SEVERITIES

    @property
    def delays(self) -> tuple[tuple[str, str], ...]:
        """What to choose from."""
        return DELAYS

    @property
    def excepted(self) -> list[str]:
        """What breaks through quiet hours."""
        return list(self.preference.quiet_except) if self.preference else ["critical"]

    @cached_property
    def push_key(self) -> str:
        """What this browser subscribes for; empty where web push can't be used."""
        usable = plugin_choices(PluginKind.NOTIFIER, self.scope.org)
        return vapid_public_key() if any(one.name == WEB_PUSH for one in usable) else ""

    @cached_property
    def notifiers(self) -> list[PluginDescription]:
        """The ways to add."""
        usable = plugin_choices(PluginKind.NOTIFIER, self.scope.org)
        found = [one for one in usable if one.name != WEB_PUSH]  # has a button of its own
        return sorted(found, key=lambda one: one.manifest.title if one.manifest else one.name)


@dataclass(frozen=True, kw_only=True)
class MethodPage:
    """The form of a new method, or of one that is there."""

    scope: OrgScope
    manifest: Manifest
    method: ContactMethod | None = None
    document: dict[str, Any] | None = None
    errors: Errors | None = None

    @cached_property
    def form(self) -> SchemaForm:
        """The fields with what was submitted, else with what is stored."""
        stored = stored_document(self.method) if self.method else {}
        kept = self.method.secrets if self.method else {}
        return SchemaForm(
            method_fields(self.manifest, is_new=self.method is None),
            stored if self.document is None else self.document,
            self.errors or {},
            frozenset(f"config/{name}" for name in kept),
        )


@org_page()
def preference_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show how I am told, and take rules and quiet hours."""
    page = PreferencePage(scope)
    if request.method == "POST":
        preference_write(
            org=scope.org,
            user=scope.user,
            rules=rules_submitted(request.POST, page.names),
            quiet=quiet_submitted(request.POST),
        )
        return go_to(request, _home(scope), said="Saved.")
    return render_page(request, "oncall/preference_edit.html", page)


@org_page()
def method_create(request: PageRequest, scope: OrgScope, *, notifier: str) -> HttpResponse:
    """Show the form of a new method and take it."""
    manifest = notifier_manifest(notifier)
    if manifest is None:
        raise NotFoundError(f"There is no usable notifier {notifier!r}.")
    return _method_form(request, MethodPage(scope=scope, manifest=manifest))


@org_page()
def method_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of one of my methods and take it."""
    method = next((one for one in method_list(scope.org, scope.user) if one.name == name), None)
    manifest = notifier_manifest(method.notifier) if method else None
    if method is None or manifest is None:
        raise NotFoundError
    return _method_form(request, MethodPage(scope=scope, manifest=manifest, method=method))


@require_POST
@org_page()
def method_test(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Send a test through one of my methods; it counts from then on."""
    result = method_verify(org=scope.org, user=scope.user, name=name, now=utc_now())
    said = f"The test was sent: {name} is verified." if result.is_delivered else result.message
    return go_to(request, _home(scope), said=said)


@require_POST
@org_page()
def method_remove(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete one of my methods."""
    method_delete(org=scope.org, user=scope.user, name=name)
    return go_to(request, _home(scope), said=f"{name} is deleted.")


def _method_form(request: PageRequest, page: MethodPage) -> HttpResponse:
    if request.method != "POST":
        return render_page(request, "oncall/method_edit.html", page)
    is_new = page.method is None
    document, config, secrets = method_document(page.manifest, request.POST, is_new=is_new)
    errors = _written(page, document, config, secrets)
    if not errors:
        said = "Saved. Send a test: a method counts once it is verified."
        return go_to(request, _home(page.scope), said=said)
    failed = MethodPage(
        scope=page.scope,
        manifest=page.manifest,
        method=page.method,
        document=document,
        errors=errors,
    )
    return render_page(request, "oncall/method_edit.html", failed, status=422)


def _written(page: MethodPage, document: dict[str, Any], config: Any, secrets: Any) -> Errors:
    try:
        method_write(
            org=page.scope.org,
            user=page.scope.user,
            name=page.method.name if page.method else document.get("name", ""),
            notifier=page.manifest.name,
            config=config,
            secrets=secrets,
        )
    except InvalidFieldsError as error:
        found = field_errors(error.fields)
        return {name.replace("secrets/", "config/"): texts for name, texts in found.items()}
    except ValidationError as error:
        return {name: list(texts) for name, texts in error.message_dict.items()}
    return {}


def _home(scope: OrgScope) -> str:
    return reverse("oncall:preference-edit", args=[scope.org.name])
