"""Signed-in browsers for tests of pages."""

from django.test import Client

from apps.orgs.models import Org
from tests.factories.accounts import make_member

HTMX = {"HX-Request": "true"}


def make_browser(org: Org, role: str = "operator", username: str = "") -> Client:
    """Return a client signed in as a new member of ``org``."""
    client = Client()
    client.force_login(make_member(org, username or role, role))
    return client
