from pathlib import Path
from typing import cast

import pytest
from django.http import HttpRequest
from django.test import RequestFactory
from django_htmx.middleware import HtmxDetails
from pytest_django import Settings

from detectviz.web.pages import PageRequest, render_page, toast, wants_fragment


@pytest.fixture(autouse=True)
def templates(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "whole.html").write_text("<main>{% include 'part.html' %}</main>")
    (tmp_path / "part.html").write_text("<p>{{ page.word }}</p>")
    settings.TEMPLATES = [
        {"BACKEND": "django.template.backends.django.DjangoTemplates", "DIRS": [tmp_path]}
    ]


def asked(**headers: str) -> HttpRequest:
    request = cast("PageRequest", RequestFactory().get("/", headers=headers))
    request.htmx = HtmxDetails(request)
    return request


def shown(request: HttpRequest) -> str:
    answer = render_page(request, "whole.html", {"word": "hello"}, fragment="part.html")
    assert "HX-Request" in answer["Vary"]
    return answer.content.decode()


def test_htmx_gets_the_part_that_the_whole_page_includes() -> None:
    part = shown(asked(**{"HX-Request": "true"}))
    assert part == "<p>hello</p>"
    assert part in shown(asked())


def test_restoring_history_and_boosted_links_get_the_whole_page() -> None:
    assert not wants_fragment(asked(**{"HX-Request": "true", "HX-Boosted": "true"}))
    restore = {"HX-Request": "true", "HX-History-Restore-Request": "true"}
    assert "<main>" in shown(asked(**restore))


def test_a_toast_travels_in_a_header() -> None:
    answer = toast(render_page(asked(), "part.html", {}), "Saved - really")
    assert '"toast"' in answer["HX-Trigger"]
