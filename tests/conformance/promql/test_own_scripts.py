"""Scripts of ours, in the grammar of Prometheus' and judged in all its forms."""

from pathlib import Path

import pytest

from tests.conformance.promql.runner import load, problem_of
from tests.conformance.promql.script import Clear, Load, read_script
from tests.conformance.promql.store import MemoryStore

SCRIPTS = sorted((Path(__file__).parent / "own").glob("*.test"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_of_ours_is_met(script: Path) -> None:
    store = MemoryStore()
    problems: list[str] = []
    for command in read_script(script):
        match command:
            case Clear():
                store = MemoryStore()
            case Load():
                load(store, command)
            case _:
                problem = problem_of(store, command)
                problems += (
                    [] if problem is None else [f"{command.line} {command.query}: {problem}"]
                )
    assert not problems, "\n".join(problems)
