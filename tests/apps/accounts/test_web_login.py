import pytest
from django.test import Client

from tests.factories.accounts import PASSWORD, make_user

pytestmark = pytest.mark.django_db


def test_the_form_asks_for_both_and_carries_the_way_back(client: Client) -> None:
    html = client.get("/login?next=/o/acme/").content.decode()
    assert 'autocomplete="username"' in html
    assert 'autocomplete="current-password"' in html
    assert 'name="next" value="/o/acme/"' in html


def test_signing_in_leads_to_where_one_wanted_to_go(client: Client) -> None:
    make_user("alice")
    answer = client.post(
        "/login", {"username": "alice", "password": PASSWORD, "next": "/o/acme/monitors"}
    )
    assert (answer.status_code, answer["Location"]) == (302, "/o/acme/monitors")


def test_an_empty_field_is_named(client: Client) -> None:
    html = client.post("/login", {"username": "alice"}).content.decode()
    assert "Password: This field is required." in html
    assert 'aria-describedby="id_password-error"' in html


def test_a_wrong_password_says_so_without_telling_whether_the_user_exists(client: Client) -> None:
    make_user("alice")
    answers = [
        client.post("/login", {"username": name, "password": "wrong"}).content.decode()
        for name in ("alice", "nobody")
    ]
    for html in answers:
        assert 'role="alert"' in html
        assert "correct username and password" in html


def test_the_sixth_attempt_meets_the_lock(client: Client) -> None:
    make_user("alice")
    for _ in range(5):
        answer = client.post("/login", {"username": "alice", "password": "wrong"})
    answer = client.post("/login", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 429
    assert b"locked for 30 minutes" in answer.content


def test_signing_out_needs_a_post(client: Client) -> None:
    client.force_login(make_user("alice"))
    assert client.get("/logout").status_code == 405
    assert client.post("/logout")["Location"] == "/login"
