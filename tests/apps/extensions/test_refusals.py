"""What plugins are refused comes to the audit."""

import pytest

from apps.audit.models import AuditEvent
from apps.extensions.services.refusals import refusal_record
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.refusals import Refusal
from tests.factories.orgs import make_org


@pytest.mark.django_db
def test_a_refusal_is_an_event_of_the_org_whose_call_it_was() -> None:
    org = make_org(name="acme")
    refusal_record(
        refusal=Refusal(
            kind=PluginKind.COLLECTOR,
            plugin="enemy",
            permission="hosts",
            wanted="evil.example.org:443",
            org="acme",
        )
    )
    event = AuditEvent.objects.get(action="plugin.refuse")
    assert (event.org_id, event.is_success) == (org.pk, False)
    assert event.name == "enemy"
