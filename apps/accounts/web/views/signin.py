"""The way in: sign in and out, change the password, accept an invitation, choose an org."""

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from apps.accounts.errors import InvitationGoneError
from apps.accounts.models import User
from apps.accounts.selectors import home_org, org_list_of
from apps.accounts.services.identities import proxied_user
from apps.accounts.services.invitations import (
    NewPerson,
    account_exists,
    invitation_accept,
    invitation_find,
)
from apps.accounts.services.users import user_prefer_org
from apps.accounts.web.forms import AcceptForm, ChangePasswordForm, SignInForm
from apps.accounts.web.views.proxied import SESSION_KEY
from detectviz.clock import utc_now
from detectviz.resources.errors import DomainError
from detectviz.web.django_forms import add_domain_errors, posted
from detectviz.web.pages import go_to

BACKEND = "apps.accounts.services.signin.PersonBackend"
PLUGIN_BACKEND = "apps.accounts.services.identities.PluginBackend"


class SignInView(LoginView):
    """Sign in with username or address and password; axes counts failures and locks out."""

    template_name = "accounts/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form; sign in at once whom a trusted proxy names."""
        user = proxied_user(request)
        if user is None:
            return super().get(request, *args, **kwargs)
        login(request, user, backend=PLUGIN_BACKEND)
        request.session[SESSION_KEY] = True
        return redirect(self.get_success_url())


class SignOutView(LogoutView):
    """Sign out; only by POST, so that no link can do it."""


class ChangePasswordView(PasswordChangeView):
    """Change the own password; the other sessions end."""

    template_name = "accounts/password_change.html"
    form_class = ChangePasswordForm
    success_url = reverse_lazy("accounts:home")


@login_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Open the org the user prefers, or the first; say so when there is none."""
    assert isinstance(request.user, User)
    org = home_org(request.user)
    if org is None:
        return render(request, "accounts/no_org.html")
    return redirect(f"/o/{org.name}/")


@login_required
@require_POST
def org_switch(request: HttpRequest) -> HttpResponse:
    """Remember and open another org of the user's."""
    assert isinstance(request.user, User)
    org = org_list_of(request.user).filter(name=request.POST.get("org", "")).first()
    if org is None:
        raise Http404
    user_prefer_org(user=request.user, org=org)
    return go_to(request, f"/o/{org.name}/")


@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show an invitation and accept it."""
    try:
        found = invitation_find(token=token)
        form = AcceptForm(posted(request))
        if request.method == "POST" and (request.user.is_authenticated or form.is_valid()):
            try:
                return _accepted(request, token, form)
            except InvitationGoneError:
                raise
            except DomainError as error:
                add_domain_errors(form, error)
    except InvitationGoneError as gone:
        return render(request, "accounts/invitation_gone.html", {"error": gone}, status=410)
    page: dict[str, Any] = {
        "invitation": found,
        "form": form,
        "has_account": account_exists(email=found.email),
    }
    return render(request, "accounts/invitation_accept.html", page)


def _accepted(request: HttpRequest, token: str, form: AcceptForm) -> HttpResponse:
    if isinstance(request.user, User):
        user = invitation_accept(token=token, now=utc_now(), user=request.user)
    else:
        person = NewPerson(**form.cleaned_data)
        user = invitation_accept(token=token, now=utc_now(), person=person)
        login(request, user, backend=BACKEND)
    return go_to(request, "/", said=f"Welcome, {user.get_full_name() or user.username}.")
