"""The script notifier: what a script reads, and what its end means."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from detectviz.contracts.commands import Command, CommandResult
from detectviz.contracts.errors import DeliveryError, PluginError
from detectviz.contracts.notifier import Notifier, NotifierContext
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.pluginhost.sandbox import bubblewrap
from detectviz.pluginhost.sandbox.commands import CommandsHost
from detectviz.testing.notifiers import (
    NotifierSuite,
    make_notification,
    make_notifier_context,
    notification_with_actions,
)
from detectviz.testing.plugins import built_in_plugins
from detectviz.testing.services import services_are_required

FAILED = CommandResult(exit_code=1, stdout=b"", stderr=b"who are you?\nmore", duration_s=0.1)


@dataclass(slots=True)
class FakeScripts:
    """A runner whose scripts end as told."""

    result: CommandResult = field(
        default_factory=lambda: CommandResult(
            exit_code=0, stdout=b"sent", stderr=b"", duration_s=0.1
        )
    )
    commands: list[Command] = field(default_factory=list)

    def run(self, command: Command) -> CommandResult:
        self.commands.append(command)
        return self.result


def _context(scripts: FakeScripts, secret: str = "", **config: Any) -> NotifierContext:
    secrets: dict[str, JsonValue] = {"secret": secret} if secret else {}
    given: JsonObject = {"script": "page_me", **config}
    return make_notifier_context("script", given, secrets, scripts=scripts)


class TestConformance(NotifierSuite):
    name = "script"

    @pytest.fixture
    def good_context(self) -> NotifierContext:
        return _context(FakeScripts(), self.SECRET)

    @pytest.fixture
    def bad_context(self) -> NotifierContext:
        echoes = CommandResult(exit_code=1, stdout=b"", stderr=self.SECRET.encode(), duration_s=0.1)
        return _context(FakeScripts(result=echoes), self.SECRET)


@pytest.fixture
def notifier() -> Notifier:
    return built_in_plugins().load(PluginKind.NOTIFIER, "script")


def test_a_script_reads_the_webhooks_json_with_title_text_actions_and_secret(
    notifier: Notifier,
) -> None:
    scripts = FakeScripts()
    receipt = notifier.notify(
        notification_with_actions(),
        _context(scripts, "s3cr3t", arguments=["-v", "$(x)"], environment={"TEAM": "web"}),
    )
    (command,) = scripts.commands
    assert (command.program, command.arguments) == ("page_me", ("-v", "$(x)"))
    assert command.environment == {"TEAM": "web"}
    document = json.loads(command.stdin)
    ours = document["detectviz"]
    assert (document["version"], document["status"]) == ("4", "firing")
    assert (ours["secret"], ours["title"]) == ("s3cr3t", "[FIRING:1] HomeDown (critical)")
    assert [each["name"] for each in ours["actions"]] == ["acknowledge"]
    assert receipt.answer == "sent"


@pytest.mark.parametrize(
    ("result", "reason", "permanent", "says"),
    [
        (FAILED, "clientError", True, "exit status 1. who are you?"),
        (
            CommandResult(exit_code=75, stdout=b"", stderr=b"", duration_s=0.1),
            "serverError",
            False,
            "exit status 75",
        ),
        (
            CommandResult(exit_code=None, stdout=b"", stderr=b"", duration_s=9, ended_by="time"),
            "timeout",
            False,
            "was ended: time",
        ),
    ],
)
def test_the_end_of_a_script_is_its_answer(
    notifier: Notifier, result: CommandResult, reason: str, permanent: bool, says: str
) -> None:
    with pytest.raises(DeliveryError) as refused:
        notifier.notify(make_notification(), _context(FakeScripts(result=result)))
    error = refused.value
    assert (error.reason, error.permanent) == (reason, permanent)
    assert says in error.message


def test_without_scripts_nothing_is_delivered(notifier: Notifier) -> None:
    context = make_notifier_context("script", {"script": "x"})
    with pytest.raises(PluginError, match="runs no scripts"):
        notifier.notify(make_notification(), context)


def test_a_real_script_is_run_behind_the_walls(notifier: Notifier, tmp_path: Path) -> None:
    obstacle = bubblewrap.find_obstacle()
    if obstacle and not services_are_required():
        pytest.skip(f"bubblewrap: {obstacle}")
    script = tmp_path / "acme" / "page_me"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\ngrep -q HomeDown && echo told $1\n")
    script.chmod(0o755)
    scripts = CommandsHost(folder=tmp_path).blocking_runner("acme")
    context = make_notifier_context(
        "script", {"script": "page_me", "arguments": ["$HOME"]}, scripts=scripts
    )
    assert notifier.notify(make_notification(), context).answer == "told $HOME\n"
