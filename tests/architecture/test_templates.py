"""Templates obey the Content-Security-Policy, and use only icons that are in the sprite."""

import re
from pathlib import Path

import pytest

TEMPLATES = sorted(
    path for folder in (Path("templates"), Path("plugins")) for path in folder.rglob("*.html")
)
SPRITE = Path("static/vendor/tabler-icons.svg").read_text()
SOURCES = [*TEMPLATES, *Path("apps").rglob("menu.py"), *Path("detectviz/web").rglob("*.py")]


@pytest.mark.parametrize("path", TEMPLATES, ids=str)
def test_a_template_has_no_inline_script_or_style(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"<style", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"\sstyle\s*=", text)
    assert not re.search(r"\son[a-z]+\s*=", text)
    assert "hx-on" not in text
    assert "javascript:" not in text
    assert not re.search(r'hx-(vals|headers)=["\']js:', text)


@pytest.mark.parametrize("path", TEMPLATES, ids=str)
def test_a_template_loads_nothing_from_elsewhere(path: Path) -> None:
    assert not re.search(r'(src|href|hx-get|hx-post)\s*=\s*["\']https?://', path.read_text())


def test_every_named_icon_is_in_the_sprite() -> None:
    named = {
        name
        for path in SOURCES
        for name in re.findall(r'(?:{% icon |icon=|icons?: )"([a-z0-9-]+)"', path.read_text())
    }
    assert named
    assert {name for name in named if f'id="{name}"' not in SPRITE} == set()


def test_htmx_is_configured_for_the_strict_policy() -> None:
    base = Path("templates/base.html").read_text()
    assert '"includeIndicatorStyles":false' in base
    assert '"allowEval":false' in base
    assert '"selfRequestsOnly":true' in base
