"""An exemption carries its reason on the line."""

import io
import re
import tokenize
from pathlib import Path

import pytest

from tests.architecture.sources import python_files, text_of

_EXEMPTION = re.compile(  # noqa: TID251 - our own constant pattern
    r"# (?:noqa: [A-Z]+\d+(?:, ?[A-Z]+\d+)*|type: ignore\[[\w-]+(?:, ?[\w-]+)*\])(?P<reason>.*)"
)


def _unreasoned(path: Path) -> list[str]:
    found = []
    for token in tokenize.generate_tokens(io.StringIO(text_of(path)).readline):
        if token.type != tokenize.COMMENT or not re.match(r"#\s*(noqa|type: ignore)", token.string):
            continue
        match = _EXEMPTION.match(token.string)
        if match is None or not match["reason"].strip(" -#"):
            found.append(f"{path}:{token.start[0]} {token.string}")
    return found


@pytest.mark.parametrize("folder", ["apps", "detectviz", "plugins", "tests", "docker"])
def test_every_noqa_and_type_ignore_says_why(folder: str) -> None:
    assert [line for path in python_files(folder) for line in _unreasoned(path)] == []
