"""What beat sets off, what a new org gets, and the command line."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.alerting import tasks
from apps.alerting.models import Rule, RuleGroup
from apps.alerting.schedule import SCHEDULE
from apps.orgs.services import org_create
from detectviz.clock import utc_now
from detectviz.promql.memory_store import MemoryStore
from tests.factories.alerting import make_rulegroup, seconds
from tests.factories.orgs import make_org

DATA = Path(__file__).parent / "data"


@pytest.mark.django_db
def test_a_tick_evaluates_what_is_due(store: MemoryStore) -> None:
    group = make_rulegroup(make_org(), now=utc_now() - seconds(60))
    tasks.tick()
    tasks.tick()
    group.refresh_from_db()
    assert group.last_eval_at is not None
    assert group.epoch == 2


@pytest.mark.django_db
def test_pruning_runs() -> None:
    tasks.prune()


def test_every_scheduled_task_exists() -> None:
    for entry in SCHEDULE.values():
        assert isinstance(entry["task"], str)
        module, _, name = entry["task"].rpartition(".")
        assert module == "apps.alerting.tasks"
        assert hasattr(tasks, name)


@pytest.mark.django_db
def test_a_new_org_gets_the_built_in_group() -> None:
    org = org_create(name="fresh")
    group = RuleGroup.objects.for_org(org).get()
    assert (group.name, group.is_builtin, group.interval_ms) == ("builtin", True, 15_000)
    assert Rule.objects.for_org(org).count() == 3


def test_rules_test_prints_the_verdict(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("rules", "test", str(DATA / "passing.yml"))
    assert capsys.readouterr().out.endswith("passing.yml: 2 passed, 0 failed\n")


def test_rules_test_fails_with_what_failed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError, match="Some rule tests failed"):
        call_command("rules", "test", str(DATA / "failing.yml"))
    assert "FAILED test 1\n    alertname: InstanceDown" in capsys.readouterr().out


def test_rules_test_can_answer_json(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("rules", "test", "-o", "json", str(DATA / "passing.yml"))
    (report,) = json.loads(capsys.readouterr().out)
    assert [case["failures"] for case in report["cases"]] == [[], []]


def test_rules_test_names_a_file_that_is_not_there() -> None:
    with pytest.raises(CommandError, match=r"gone\.yml: No such file"):
        call_command("rules", "test", "gone.yml")
