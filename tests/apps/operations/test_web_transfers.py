"""The page Import and export: what would happen first, then the import; files without secrets."""

import re

import pytest
import yaml
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.alerting.models import RuleGroup
from apps.notifications.models import ContactPoint
from apps.orgs.models import Org
from detectviz.resources.manifests import manifests_apply
from tests.factories.accounts import make_full_org
from tests.factories.pages import HTMX, make_browser

pytestmark = pytest.mark.django_db
PAGE = "/o/acme/transfer"
GRAFANA = """
apiVersion: 1
groups:
  - {orgId: 1, name: Empty, folder: Shop, interval: 1m, rules: []}
contactPoints:
  - name: Web Chat
    receivers:
      - {type: slack, settings: {url: 'https://hooks.slack.com/services/hush'}}
      - {type: kafka, settings: {}}
"""


@pytest.fixture
def acme() -> Org:
    return make_full_org("acme")


@pytest.fixture
def admin(acme: Org) -> Client:
    return make_browser(acme, role="admin")


def seal_of(html: str) -> str:
    found = re.search(r'name="seal" value="([0-9a-f]+)"', html)
    assert found is not None
    return found[1]


def test_first_it_says_what_would_happen_and_then_does_it(acme: Org, admin: Client) -> None:
    html = admin.post(PAGE, {"text": GRAFANA}, headers=HTMX).content.decode()
    for words in ("Grafana alerting file", "web-chat", "Use a webhook to Kafka", "Import this"):
        assert words in html
    assert "<form" not in html
    assert "hush" not in html
    assert not ContactPoint.objects.for_org(acme).filter(name="web-chat").exists()

    done = admin.post(PAGE, {"text": GRAFANA, "seal": seal_of(html)}, headers=HTMX)

    assert "Imported" in done.content.decode()
    assert "hush" not in done.content.decode()
    assert "toast" in done.headers["HX-Trigger"]
    assert ContactPoint.objects.for_org(acme).filter(name="web-chat").exists()
    assert RuleGroup.objects.for_org(acme).get(name="empty").folder.title == "Shop"
    again = admin.post(PAGE, {"text": GRAFANA}, headers=HTMX).content.decode()
    assert "Import this" not in again


def test_a_confirmation_of_something_else_does_nothing(acme: Org, admin: Client) -> None:
    seal = seal_of(admin.post(PAGE, {"text": GRAFANA}).content.decode())
    changed = admin.post(PAGE, {"text": GRAFANA.replace("Web Chat", "Other"), "seal": seal})
    assert "has changed since you looked" in changed.content.decode()
    assert not ContactPoint.objects.for_org(acme).filter(name__in=["other", "web-chat"]).exists()


def test_datasources_of_a_file_are_chosen_before_it_is_imported(acme: Org, admin: Client) -> None:
    spec = {"type": "prometheus", "title": "Metrics", "url": "http://127.0.0.1:9090"}
    metadata = {"name": "metrics"}
    source = {"apiVersion": "datasources/v1", "kind": "Datasource", "metadata": metadata}
    manifests_apply(org=acme, actor=None, access=None, documents=[source | {"spec": spec}])
    asks = "[{refId: A, datasourceUid: P1, relativeTimeRange: {from: 60}, model: {expr: up}}]"
    rule = f"{{title: Down, condition: A, data: {asks}}}"
    text = f"{{apiVersion: 1, groups: [{{name: Web, rules: [{rule}]}}]}}"
    html = admin.post(PAGE, {"text": text}, headers=HTMX).content.decode()
    assert "None: rules that ask it are left out" in html
    assert '<option value="metrics">Metrics (prometheus)</option>' in html
    before = seal_of(html)

    chosen = {"text": text, "source": ["P1"], "source_is": ["metrics"]}
    html = admin.post(PAGE, chosen, headers=HTMX).content.decode()
    assert '<option value="metrics" selected>' in html
    assert "left out or different" not in html
    assert "has changed since" in admin.post(PAGE, chosen | {"seal": before}).content.decode()
    done = admin.post(PAGE, chosen | {"seal": seal_of(html)}, headers=HTMX).content.decode()
    assert "Imported" in done
    [made] = RuleGroup.objects.for_org(acme).get(name="web").rules.all()
    assert made.queries[0]["datasource"] == "metrics"


def test_an_uploaded_file_counts_more_than_the_text(admin: Client) -> None:
    rules = b"\xef\xbb\xbfgroups: [{name: Nodes, rules: []}]"
    file = SimpleUploadedFile("rules.yml", rules)
    html = admin.post(PAGE, {"text": "nonsense", "file": file}, headers=HTMX).content.decode()
    assert "Prometheus rule file: 1 created" in html


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Paste a configuration or choose a file."),
        ("a: [", "Not valid YAML at line 2"),
        ("x: &a [1]\ny: *a", "YAML aliases are not accepted"),
        ("x: " + "[" * 60 + "]" * 60, "Nested deeper than 40 levels."),
        ("route: {}\nreceivers: 3", "Line 2: Must be a list."),
        ("other: thing", "This is no manifest"),
        ("- 1", "The document must be an object"),
        ("groups: [{name: A, rules: [{alert: B, expr: up ==}]}]", "RuleGroup a, line 1: "),
    ],
)
def test_what_is_wrong_is_said_and_nothing_changes(admin: Client, text: str, words: str) -> None:
    response = admin.post(PAGE, {"text": text}, headers=HTMX)
    assert response.status_code == 422
    assert words in response.content.decode().replace("&#x27;", "'")


def test_files_that_are_too_large_or_no_text_are_refused(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def post(content: bytes) -> str:
        file = SimpleUploadedFile("x.yml", content)
        return admin.post(PAGE, {"file": file}, headers=HTMX).content.decode()

    assert "no text in UTF-8" in post(b"\xff\xfe\x00")
    monkeypatch.setattr("apps.operations.services.transfers.MAX_BYTES", 2048)
    assert "Larger than 2 KiB" in post(b"#" * 2049)


def test_who_may_not_write_is_told_which_permission_is_missing(acme: Org) -> None:
    viewer = make_browser(acme, role="viewer")
    response = viewer.post(PAGE, {"text": GRAFANA}, headers=HTMX)
    assert response.status_code == 403
    assert "folders:create" in response.headers["HX-Trigger"]


def test_files_to_download_have_no_secrets_and_say_what_they_leave_out(admin: Client) -> None:
    seal = seal_of(admin.post(PAGE, {"text": GRAFANA}).content.decode())
    admin.post(PAGE, {"text": GRAFANA, "seal": seal})
    page = admin.get(PAGE).content.decode()
    for name in ("manifests", "alertmanager", "grafana", "prometheus"):
        address = f"{PAGE}/{name}"
        assert f'href="{address}"' in page
        response = admin.get(address)
        assert "attachment; filename=" in response.headers["Content-Disposition"]
        text = response.content.decode()
        assert "hush" not in text
        assert list(yaml.safe_load_all(text))
        assert (name == "grafana") is text.startswith("# Left out: groups.builtin.title")
    assert admin.get(f"{PAGE}/word").status_code == 404


def test_rest_recognises_formats_too_and_can_only_say(acme: Org, admin: Client) -> None:
    for query in ("dryRun=true", "dry_run=true"):
        answer = admin.post(
            f"/apis/orgs/acme/apply?{query}", GRAFANA, content_type="application/yaml"
        ).json()
        assert answer["formats"] == ["grafana"]
        assert answer["losses"] == [
            {
                "path": "contactPoints[0].receivers[1].type",
                "why": "the receiver is left out: there is no notifier for 'kafka'",
                "cure": "Use a webhook to Kafka's REST proxy, or the event bus.",
                "line": 9,
            }
        ]
    assert not ContactPoint.objects.for_org(acme).filter(name="web-chat").exists()
    assert answer["changes"][0]["action"] == "created"
