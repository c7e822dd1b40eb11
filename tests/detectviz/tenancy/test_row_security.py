"""The second wall between orgs, on a real PostgreSQL whose role is an ordinary one."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from django.core import checks
from django.db import (
    DatabaseError,
    DataError,
    InternalError,
    ProgrammingError,
    connection,
    connections,
    transaction,
)
from django.http import HttpRequest, HttpResponse
from django.test import Client
from pytest_django import DjangoDbBlocker

from apps.accounts.selectors import org_ids_joined
from apps.monitors.models import Monitor
from apps.orgs.models import Folder, Org
from detectviz.tenancy.checks import check_role_is_ordinary
from detectviz.tenancy.context import all_orgs_scope, org_scope, request_scope, scope_enter
from detectviz.tenancy.middleware import OrgScopeMiddleware
from detectviz.tenancy.row_security import POLICY, protected_models, row_security_apply
from detectviz.testing.databases import (
    default_database,
    postgresql_server,
    tables_clear,
    tables_make,
)
from tests.detectviz.tenancy.rows import row_make
from tests.factories.accounts import make_api_key, make_bound_member, make_full_org

pytestmark = [pytest.mark.postgres, pytest.mark.services("initdb", "postgres")]
MODELS = protected_models()


@pytest.fixture(scope="module")
def postgresql(django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """Make our tables in a private PostgreSQL and use it; yield its URL."""
    with (
        django_db_blocker.unblock(),
        postgresql_server() as url,
        default_database(url),
    ):
        tables_make()
        yield url


@pytest.fixture
def clean(postgresql: str) -> Iterator[None]:
    """Give a test the empty database, and transactions of its own."""
    yield
    tables_clear()


@pytest.fixture
def undone(postgresql: str) -> Iterator[None]:
    """Give a test a transaction that is rolled back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


@pytest.fixture
def orgs(undone: None) -> tuple[Org, Org]:
    """Make two orgs, ours and another."""
    return Org.objects.create(name="ours"), Org.objects.create(name="theirs")


def test_every_org_owned_table_is_protected_even_from_its_owner(postgresql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_policy ON polrelid = pg_class.oid "
            "WHERE relrowsecurity AND relforcerowsecurity AND polname = %s AND polcmd = '*'",
            [POLICY],
        )
        protected = {name for (name,) in cursor.fetchall()}
    assert protected == {model._meta.db_table for model in MODELS}
    assert len(protected) > 20


def test_a_table_that_lost_its_policy_gets_it_back_and_the_others_are_left_alone(
    undone: None,
) -> None:
    assert row_security_apply() == []
    table = Monitor._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    assert row_security_apply() == [table]
    assert row_security_apply() == []


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_rows_of_another_org_can_be_neither_seen_nor_changed_nor_made(
    model: Any, orgs: tuple[Org, Org]
) -> None:
    ours, theirs = orgs
    mine, foreign = row_make(model, ours), row_make(model, theirs)
    with org_scope(ours):
        assert [row.pk for row in model.all_orgs.all()] == [mine.pk]
        rows = model.all_orgs.filter(pk=foreign.pk)
        assert not rows.exists()
        assert rows.update(org=ours) == 0
        assert rows._raw_delete("default") == 0
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            row_make(model, theirs)
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            model.all_orgs.filter(pk=mine.pk).update(org=theirs)
        assert row_make(model, ours).org_id == ours.pk
    assert model.all_orgs.count() == 3
    assert model.all_orgs.get(pk=foreign.pk).org_id == theirs.pk


def test_the_restriction_is_lifted_by_a_scope_with_a_reason_only(orgs: tuple[Org, Org]) -> None:
    for org in orgs:
        row_make(Folder, org)
    with org_scope(orgs[0]):
        assert Folder.objects.across_orgs(reason="a test").count() == 1
        with all_orgs_scope(reason="a test"):
            assert Folder.all_orgs.count() == 2
        assert Folder.all_orgs.count() == 1
    assert Folder.all_orgs.count() == 2


def test_a_rollback_takes_the_setting_back_and_it_is_sent_anew(orgs: tuple[Org, Org]) -> None:
    for org in orgs:
        row_make(Folder, org)
    with org_scope(orgs[0]):
        with suppress(ZeroDivisionError), transaction.atomic():
            assert Folder.all_orgs.count() == 1  # sent inside of what is rolled back
            _ = 1 / 0
        assert _setting() == str(orgs[0].pk)
        assert Folder.all_orgs.count() == 1
    assert _setting() == ""


def test_a_whole_transaction_rolled_back_leaves_the_right_setting(clean: None) -> None:
    ours = Org.objects.create(name="ours")
    with org_scope(ours):
        with suppress(ZeroDivisionError), transaction.atomic():
            assert _setting() == str(ours.pk)
            _ = 1 / 0
        assert _setting() == str(ours.pk)
        with suppress(ZeroDivisionError), transaction.atomic(), all_orgs_scope(reason="a test"):
            assert _setting() == ""
            _ = 1 / 0
        assert _setting() == str(ours.pk)


def test_a_failed_transaction_that_is_committed_leaves_no_wrong_belief(clean: None) -> None:
    ours = Org.objects.create(name="ours")
    with org_scope(ours):
        with transaction.atomic():
            assert _setting() == str(ours.pk)
            with suppress(DatabaseError), connection.cursor() as cursor:
                cursor.execute("SELECT 1 / 0")
            with pytest.raises(InternalError), connection.cursor() as cursor:
                cursor.execute("SELECT 1")  # the error of the transaction, not one of ours
        assert _setting() == str(ours.pk)


def test_a_scope_outlives_its_connection(clean: None) -> None:
    for name in ("ours", "theirs"):
        row_make(Folder, Org.objects.create(name=name))
    with org_scope(Org.objects.get(name="ours")):
        assert Folder.all_orgs.count() == 1
        _kill_session()
        with pytest.raises(DatabaseError):
            Folder.all_orgs.count()
        connection.close()
        assert Folder.all_orgs.count() == 1
    assert Folder.all_orgs.count() == 2


def test_a_setting_that_is_no_number_refuses_instead_of_opening(orgs: tuple[Org, Org]) -> None:
    row_make(Folder, orgs[0])
    with suppress(ZeroDivisionError), transaction.atomic():
        connection.connection.execute("SELECT set_config('detectviz.org', 'all', true)")
        with pytest.raises(DataError):
            Folder.all_orgs.count()
        _ = 1 / 0


@pytest.mark.parametrize("ending", ["answer", "exception", "lost"])
def test_a_request_leaves_nothing_on_the_connection(clean: None, ending: str) -> None:
    ours = Org.objects.create(name="ours")
    seen: list[str] = []

    def view(request: HttpRequest) -> HttpResponse:
        scope_enter(ours)
        seen.append(_setting())
        if ending == "lost":
            _kill_session()
        elif ending == "exception":
            raise ZeroDivisionError
        return HttpResponse()

    with suppress(ZeroDivisionError):
        OrgScopeMiddleware(view)(HttpRequest())
    assert seen == [str(ours.pk)]
    if connection.connection is not None:
        (value,) = connection.connection.execute(
            "SELECT current_setting('detectviz.org', true)"
        ).fetchone()
        assert value == ""
    assert (connection.connection is None) == (ending == "lost")


def test_a_request_of_no_org_sends_nothing(postgresql: str) -> None:
    connection.close()

    def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(Org.objects.count())

    OrgScopeMiddleware(view)(HttpRequest())
    (value,) = connection.connection.execute(
        "SELECT current_setting('detectviz.org', true)"
    ).fetchone()
    assert value is None, "the session never heard of it"


def test_entering_an_org_outside_of_a_request_has_no_effect(orgs: tuple[Org, Org]) -> None:
    scope_enter(orgs[0])
    assert _setting() == ""
    with request_scope():
        scope_enter(orgs[0])
        assert _setting() == str(orgs[0].pk)
    assert _setting() == ""


def test_the_api_of_an_org_works_as_before_and_ends_unrestricted(clean: None) -> None:
    ours, theirs = make_full_org("ours"), make_full_org("theirs")
    owner = make_bound_member(ours, "owner", "admin")
    token = make_api_key(ours, owner, name="k").token
    client = Client(headers={"Authorization": f"Bearer {token}"})
    body = {
        "apiVersion": "core/v1",
        "kind": "Folder",
        "metadata": {"name": "hosts"},
        "spec": {"title": "Hosts"},
    }
    url = "/apis/core/v1/orgs/{}/folders"
    made = client.post(url.format(ours), body, content_type="application/json")
    assert made.status_code == 201, made.content
    assert client.get(url.format(ours)).json()["items"][0]["metadata"]["name"] == "hosts"
    assert client.get(url.format(theirs)).status_code == 404
    assert _setting() == ""


def test_a_page_of_one_org_still_lists_the_others_to_switch_to(clean: None) -> None:
    ours, theirs = make_full_org("ours"), make_full_org("theirs")
    person = make_bound_member(ours, "both", "admin")
    make_bound_member(theirs, "both", "admin")
    client = Client()
    client.force_login(person, backend="apps.accounts.services.signin.PersonBackend")
    page = client.get("/o/ours/monitors")
    assert page.status_code == 200, page.content
    assert b"Theirs" in page.content
    with org_scope(ours):
        assert org_ids_joined(person) == [ours.pk, theirs.pk]


def test_an_ordinary_role_is_fine_and_a_superuser_is_told_of(postgresql: str) -> None:
    assert check_role_is_ordinary(None, databases=["default"]) == []
    with default_database(postgresql.replace("//test@", "//postgres@")):
        (warning,) = check_role_is_ordinary(None, databases=["default"])
    assert warning.id == "detectviz.W301"
    assert warning.level == checks.WARNING
    assert warning.hint


def _setting() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COALESCE(current_setting('detectviz.org', true), '')")
        return str(cursor.fetchone()[0])


def _kill_session() -> None:
    settings = connections["default"].settings_dict
    address = f"postgresql://postgres@{settings['HOST']}:{settings['PORT']}/postgres"
    with psycopg.connect(address, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(%s, 5000)", [connection.connection.info.backend_pid]
        )
