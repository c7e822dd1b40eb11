"""Documentation that can drift is compared with the code, or run."""

import re
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.test import Client

from apps.accounts.models import User
from detectviz.pluginhost.kinds import KINDS
from tests.architecture.sources import ROOT, variables_read
from tests.factories.accounts import make_api_key, make_full_org

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), *ROOT.glob("*.md"), ROOT / "docker" / "README.md"])
LONGEST_ADR = 60
MADE_LATER = {"docker/.env", "docker/secrets/"}


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_the_settings_page_names_every_variable_that_is_read_and_no_other() -> None:
    rows = re.findall(r"^\| `(DETECTVIZ_[A-Z_]+)` \|", _text(DOCS / "settings.md"), re.MULTILINE)
    assert sorted(rows) == sorted(variables_read())


def test_the_plugins_page_shows_every_kind_with_its_verb_contract_and_suite() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| `(\w+)` \| `([\w.:]+)` \| `([\w.]+)` \|",
        _text(DOCS / "plugins.md"),
        re.MULTILINE,
    )
    assert sorted(rows) == sorted(
        (kind.kind.value, kind.verb, kind.contract, kind.suite) for kind in KINDS.values()
    )


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_and_named_files_exist(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", _text(path)):
        assert (path.parent / target).exists(), target
    for target in re.findall(
        r"`((?:detectviz|apps|plugins|docs|docker|tests)/[\w./-]+)`", _text(path)
    ):
        assert (ROOT / target).exists() or target in MADE_LATER, target


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_is_shown_exists(path: Path) -> None:
    shown = re.findall(r"(?:^ {4}|`|\$\(|/bin/)detectviz ([a-z]+)", _text(path), re.MULTILINE)
    assert set(shown) - set(get_commands()) == set()


@pytest.mark.parametrize("path", sorted((DOCS / "adr").glob("0*.md")), ids=lambda path: path.stem)
def test_a_decision_is_short_and_says_why_and_at_what_cost(path: Path) -> None:
    text = _text(path)
    assert len(text.splitlines()) < LONGEST_ADR
    assert text.startswith(f"# {int(path.name[:4])}. ")
    for heading in ("Status: ", "## Context", "## Decision", "## Consequences"):
        assert heading in text


@pytest.mark.django_db
def test_the_examples_of_the_api_answer_what_they_say(client: Client) -> None:
    org = make_full_org("default")
    admin = User.objects.get(username="default-admin")
    key = make_api_key(org, admin).token
    blocks = re.findall(r"```sh\n(.*?)```", _text(DOCS / "api.md"), re.DOTALL)
    examples = [
        example
        for block in blocks
        for example in re.findall(
            r"^# (\d{3})\n(curl .*?)(?=^# \d{3}|\Z)", block, re.DOTALL | re.MULTILINE
        )
    ]
    assert len(examples) > len(blocks) - 1 > 0
    for status, command in examples:
        answer = _run(client, command.replace("$URL", "").replace("$KEY", key))
        assert answer == int(status), command


def _run(client: Client, command: str) -> int:
    words = iter(shlex.split(command.replace("\\\n", " "))[1:])
    method, path, body, headers = "GET", "", "", {}
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        elif word == "--data-binary":
            body = next(words)
        else:
            path = word
    content_type = headers.pop("Content-Type", "application/json")
    answer = client.generic(method, path, body, content_type=content_type, headers=headers)
    return answer.status_code
