"""How pages look: the theme each person sees, and the one an org begins with."""

from dataclasses import dataclass
from functools import cached_property

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from apps.extensions.services.themes import (
    PLAIN,
    ThemeOffer,
    theme_choose,
    theme_default,
    theme_offers,
    theme_sheet_get,
)
from detectviz.web.pages import PageRequest, go_to, render_page
from detectviz.web.scope import OrgScope, org_page

SET_DEFAULT = "orgs:update"
_A_YEAR_S = 31_536_000


@dataclass(frozen=True)
class AppearancePage:
    """The themes, what is chosen, and what the org set."""

    scope: OrgScope

    plain = PLAIN

    @cached_property
    def offers(self) -> list[ThemeOffer]:
        """What can be chosen, by name."""
        return theme_offers(org=self.scope.org)

    @property
    def chosen(self) -> str:
        """What the user chose; what is not offered (any more) is shown as nothing chosen."""
        return self._offered(self.scope.user.theme)

    @property
    def default(self) -> str:
        """What the org set."""
        return self._offered(self.scope.org.theme)

    @property
    def default_title(self) -> str:
        """The same in words."""
        titles = {offer.name: offer.title for offer in self.offers}
        return titles.get(self.default, "Detectviz")

    @property
    def may_set_default(self) -> bool:
        """Whether the user may decide for the org."""
        return self.scope.access.allows(SET_DEFAULT)

    def _offered(self, name: str) -> str:
        return name if name in {PLAIN, *(offer.name for offer in self.offers)} else ""


@org_page()
def appearance(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show the choice; a POST makes it."""
    if request.method == "POST":
        theme_choose(org=scope.org, user=scope.user, name=request.POST.get("theme", ""))
        return go_to(request, _here(scope), said="Your theme is saved.")
    return render_page(request, "extensions/appearance.html", AppearancePage(scope))


@require_POST
@org_page(SET_DEFAULT)
def appearance_default(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Set what people see who chose nothing."""
    scope.access.require(SET_DEFAULT)
    theme_default(org=scope.org, name=request.POST.get("theme", ""), actor=scope.user)
    return go_to(request, _here(scope), said="The organisation's theme is saved.")


@require_safe
def theme_sheet(request: HttpRequest, name: str, digest: str) -> HttpResponse:
    """Answer a theme's style sheet; its address has the hash of its text and never changes."""
    sheet = theme_sheet_get(name=name, digest=digest)
    if sheet is None:
        raise Http404("There is no such style sheet.")
    response = HttpResponse(sheet.text, content_type="text/css; charset=utf-8")
    response.headers["Cache-Control"] = f"public, max-age={_A_YEAR_S}, immutable"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _here(scope: OrgScope) -> str:
    return reverse("extensions:appearance", args=[scope.org.name])
