"""apply, diff, get, delete and export, as an operator types them."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command

from apps.monitors.models import Monitor
from apps.orgs.services import org_create
from detectviz.resources.errors import DomainError, InvalidFieldsError, NotFoundError

pytestmark = pytest.mark.django_db

MONITOR: dict[str, Any] = {
    "apiVersion": "monitoring/v1",
    "kind": "Monitor",
    "metadata": {"name": "home", "labels": {"team": "web"}},
    "spec": {
        "title": "Home",
        "type": "http",
        "interval": "30s",
        "config": {"url": "http://127.0.0.1:9/"},
        "secrets": {},
    },
}
CONTACT = {
    "apiVersion": "notifications/v1",
    "kind": "ContactPoint",
    "metadata": {"name": "ops"},
    "spec": {
        "receivers": [
            {
                "notifier": "webhook",
                "config": {"url": "http://127.0.0.1:9/hook"},
                "secrets": {"secret": "whsec_c2VjcmV0LW9mLXRoZS1ob29r"},
            }
        ]
    },
}
TREE = {
    "apiVersion": "notifications/v1",
    "kind": "RoutingTree",
    "metadata": {"name": "default"},
    "spec": {"contact_point": "ops", "group_by": ["alertname"]},
}


@pytest.fixture(autouse=True)
def org() -> None:
    org_create(name="default")


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def written(folder: Path, *documents: object) -> str:
    path = folder / "manifests.yaml"
    path.write_text(yaml.safe_dump_all(documents), encoding="utf-8")
    return str(path)


def test_apply_creates_in_the_order_things_need_each_other_and_is_idempotent(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, TREE, MONITOR, CONTACT)

    first = run("apply", "-f", path)
    assert "ContactPoint/ops created" in first
    assert "RoutingTree/default updated" in first
    again = run("apply", "-f", path)
    assert "Monitor/home unchanged" in again
    assert "RoutingTree/default unchanged" in again
    assert "ContactPoint/ops unchanged" in again


def test_a_dry_run_tells_and_changes_nothing(tmp_path: Path) -> None:
    said = run("apply", "--dry-run", "-f", written(tmp_path, MONITOR))

    assert "Monitor/home created" in said
    assert "(dry run)" in said
    assert not Monitor.all_orgs.exists()


def test_one_bad_document_leaves_everything_as_it_was_and_is_named(tmp_path: Path) -> None:
    bad = {**MONITOR, "metadata": {"name": "bad"}, "spec": {**MONITOR["spec"], "interval": "x"}}

    with pytest.raises(InvalidFieldsError, match=r"documents\[1\].spec.interval"):
        run("apply", "-f", written(tmp_path, MONITOR, bad))
    assert not Monitor.all_orgs.exists()


def test_prune_deletes_what_the_files_leave_out_of_the_applied_kinds(tmp_path: Path) -> None:
    other = {**MONITOR, "metadata": {"name": "other"}}
    run("apply", "-f", written(tmp_path, MONITOR, other, CONTACT))

    said = run("apply", "--prune", "-f", written(tmp_path, MONITOR))

    assert "Monitor/other deleted" in said
    assert "ContactPoint" not in said
    assert Monitor.all_orgs.get().name == "home"


def test_what_is_exported_applies_unchanged(tmp_path: Path) -> None:
    run("apply", "-f", written(tmp_path, MONITOR, CONTACT, TREE))
    exported = run("export")

    assert "whsec_" not in exported
    path = tmp_path / "export.yaml"
    path.write_text(exported, encoding="utf-8")
    said = run("apply", "-f", str(path))
    assert "created" not in said
    assert "updated" not in said


def test_diff_shows_the_change_and_fails_like_diff(tmp_path: Path) -> None:
    run("apply", "-f", written(tmp_path, MONITOR))
    assert run("diff", "-f", written(tmp_path, MONITOR)) == ""

    changed = {**MONITOR, "spec": {**MONITOR["spec"], "interval": "1m"}}
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("diff", "-f", written(tmp_path, changed), stdout=out)
    assert ended.value.code == 1
    assert "-  interval: 30s" in out.getvalue()
    assert "+  interval: 1m" in out.getvalue()


def test_get_and_delete_one_and_name_what_is_not_there(tmp_path: Path) -> None:
    run("apply", "-f", written(tmp_path, MONITOR))

    shown = yaml.safe_load(run("get", "monitor", "home", "-o", "yaml"))
    assert shown["spec"]["title"] == "Home"
    assert "Monitor/home deleted" in run("delete", "monitors", "home")
    with pytest.raises(NotFoundError, match="no Monitor 'home'"):
        run("get", "monitors", "home", "-o", "json")
    with pytest.raises(NotFoundError, match="no kind 'monsters'"):
        run("get", "monsters")
    with pytest.raises(DomainError, match="no org 'acme'"):
        run("get", "monitors", "--org", "acme")


def test_a_prometheus_rule_file_applies_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(
        "groups:\n- name: web\n  rules:\n  - alert: Down\n    expr: up == 0\n    for: 5m\n",
        encoding="utf-8",
    )

    assert "RuleGroup/web created" in run("apply", "-f", str(path))
