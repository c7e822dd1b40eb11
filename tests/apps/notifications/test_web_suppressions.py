"""The pages of the suppression ledger."""

import pytest

from apps.notifications.models import SuppressionEntry
from apps.orgs.models import Org
from tests.factories.notifications import START
from tests.factories.orgs import make_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
CAUSE = {"kind": "silence", "name": "night", "uid": "", "detail": "Ann: works", "until": None}


@pytest.fixture
def acme() -> Org:
    org = make_org("acme")
    SuppressionEntry.objects.create_for(
        org,
        fingerprint="00aa",
        labels={"alertname": "Down"},
        contact_point="on-call",
        group_key="{}",
        key_digest="d",
        kind="silence",
        causes=[CAUSE],
        since=START,
    )
    return org


def test_the_ledger_says_who_was_not_told_and_why(acme: Org) -> None:
    html = make_browser(acme).get("/o/acme/suppressions").content.decode()
    assert "it is silenced by night (Ann: works)" in html


def test_the_ledger_is_filtered_by_reason_and_time(acme: Org) -> None:
    browser = make_browser(acme)
    shown = browser.get("/o/acme/suppressions?kind=silence&when=open", headers=HTMX)
    hidden = browser.get("/o/acme/suppressions?kind=maintenance", headers=HTMX)
    assert "night" in shown.content.decode()
    assert "Nothing matches" in hidden.content.decode()


def test_an_alerts_page_is_told_why(acme: Org) -> None:
    html = make_browser(acme).get("/o/acme/suppressions/for/00aa/").content.decode()
    assert "Why was I not told?" in html
    assert "silenced by night" in html
