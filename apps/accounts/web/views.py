"""Signing in and out."""

from django.contrib.auth.views import LoginView, LogoutView


class SignInView(LoginView):
    """Sign in with username and password; axes counts failures and locks out."""

    template_name = "accounts/login.html"
    redirect_authenticated_user = True


class SignOutView(LogoutView):
    """Sign out; only by POST, so that no link can do it."""
