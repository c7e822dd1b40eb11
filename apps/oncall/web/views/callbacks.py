"""Doors for buttons of chats: the list, what to paste where, editing."""

from dataclasses import dataclass
from functools import cached_property

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST

from apps.oncall.models import ChatCallback
from apps.oncall.selectors import callback_get, callback_list
from apps.oncall.services.chat import callback_url
from apps.oncall.services.signatures import chat_services, chat_titles
from apps.oncall.web.editors.callbacks import CALLBACK_EDITOR
from detectviz.contracts.config import get_texts
from detectviz.resources.services import resource_delete
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page
from detectviz.web.specs import spec_create, spec_edit


@dataclass(frozen=True)
class CallbackListPage:
    """The doors somebody may see."""

    scope: OrgScope

    @cached_property
    def rows(self) -> list[tuple[ChatCallback, str]]:
        """The doors by name, with the title of their service."""
        rows = self.scope.access.filter(callback_list(self.scope.org), "contactpoints:read")
        titles = chat_titles()
        return [(row, titles.get(row.service, row.service)) for row in rows]

    @property
    def may_create(self) -> bool:
        """Return whether the user may add doors."""
        return self.scope.can("contactpoints:create")


@dataclass(frozen=True)
class CallbackPage:
    """One door and what to do with its address."""

    scope: OrgScope
    callback: ChatCallback

    @property
    def url(self) -> str:
        """The address to give to the service."""
        return callback_url(self.callback)

    @property
    def service_title(self) -> str:
        """Whose presses it takes, empty for one's own program."""
        manifest = chat_services().get(self.callback.service)
        return manifest.title if manifest else ""

    @property
    def steps(self) -> list[list[tuple[str, bool]]]:
        """What to do with the address: every step in pieces, with whether a piece is typed."""
        manifest = chat_services().get(self.callback.service)
        told = get_texts(manifest.callback, "setup") if manifest else ()
        return [
            [
                (piece.replace("{url}", self.url), bool(place % 2))
                for place, piece in enumerate(step.split("`"))
            ]
            for step in told
        ]

    @property
    def is_reachable(self) -> bool:
        """Return whether chat services take such an address: they want https."""
        return self.url.startswith("https://")

    @property
    def may_update(self) -> bool:
        """Return whether the user may change it."""
        return self.scope.can("contactpoints:update", self.callback)

    @property
    def may_delete(self) -> bool:
        """Return whether the user may delete it."""
        return self.scope.can("contactpoints:delete", self.callback)


def callback_of(scope: OrgScope, name: str, permission: str) -> ChatCallback:
    """Return a door the user may do this with; raise NotFoundError or ForbiddenError."""
    callback = callback_get(scope.org, name)
    scope.access.require(permission, callback)
    return callback


@org_page("contactpoints:read")
def callback_page(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the list."""
    return render_page(request, "oncall/callback_list.html", CallbackListPage(scope))


@org_page("contactpoints:read")
def callback_detail(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show one door: its address and where it goes."""
    page = CallbackPage(scope, callback_of(scope, name, "contactpoints:read"))
    return render_page(request, "oncall/callback_detail.html", page)


@org_page("contactpoints:create")
def callback_create(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the form of a new door and take it."""
    return spec_create(request, scope, CALLBACK_EDITOR)


@org_page("contactpoints:update")
def callback_edit(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Show the form of a door and take it."""
    callback = callback_of(scope, name, "contactpoints:update")
    return spec_edit(request, scope, CALLBACK_EDITOR, callback)


@require_POST
@org_page("contactpoints:delete")
def callback_delete(request: PageRequest, scope: OrgScope, *, name: str) -> HttpResponse:
    """Delete a door."""
    callback_of(scope, name, "contactpoints:delete")
    resource_delete(CALLBACK_EDITOR.resource, org=scope.org, actor=scope.user, name=name)
    target = reverse("oncall:callback-list", args=[scope.org.name])
    return go_to(request, target, said=f"{name} is deleted.")
