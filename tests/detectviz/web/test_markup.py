"""HTML of plugins is written anew: what acts or hides does not come through."""

import pytest

from detectviz.web.markup import markup_clean

BASE = "/o/acme/x/p/"


def clean(html: str) -> str:
    return markup_clean(html, base=BASE, assets="/plugins/assets/pages/p/0/", csrf_field="[token]")


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<script src=/static/js/app.js></script>",
        "<style>*{display:none}</style>",
        "<iframe src=/admin/></iframe>",
        "<svg><script>alert(1)</script></svg>",
        "<svg><foreignObject><p>x</p></foreignObject></svg>",
        "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)></style></math>",
        "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
        "<!--><img src=x onerror=alert(1)>-->",
        "<!-- <!DOCTYPE x> -->",
        "<xmp><img src=x onerror=alert(1)></xmp>",
        "<meta http-equiv=refresh content='0;url=//evil.example'>",
        "<base href=//evil.example><link rel=stylesheet href=//evil.example>",
    ],
)
def test_elements_that_act_are_dropped(html: str) -> None:
    out = clean(html)
    for word in ("script", "style", "iframe", "onerror", "foreign", "meta", "base", "link"):
        assert f"<{word}" not in out
        assert f" {word}=" not in out


@pytest.mark.parametrize(
    "attribute",
    [
        'onclick="x()"', 'style="a"', 'hx-on:click="x()"', 'hx-vals="js:x()"', 'data-hx-get="/a"',
        'hx-get="/o/acme/monitors"', 'hx-post="/o/acme/api-keys"', 'hx-delete="/o/acme/x/p/"',
        'hx-get="/o/acme/x/p/../../api-keys"', 'hx-get="/o/acme/x/p/%2e%2e/y"', 'hx-target="body"',
        'hx-include="#f"', 'hx-trigger="load[x()]"', 'hx-trigger="click from:body"',
        'hx-swap="none show:x"', 'hx-ext="x"', 'hx-headers="{}"', 'nonce="n"', 'data-chart="x"',
    ],
)  # fmt: skip
def test_attributes_that_act_are_dropped(attribute: str) -> None:
    assert clean(f"<div {attribute}>x</div>") == "<div>x</div>"


@pytest.mark.parametrize(
    "html",
    [
        '<a href="javascript:alert(1)">x</a>',
        '<a href=" javascript:alert(1)">x</a>',
        '<a href="//evil.example">x</a>',
        '<a href="https://evil.example">x</a>',
        '<a href="data:text/html,x">x</a>',
    ],
)
def test_links_stay_on_this_site(html: str) -> None:
    assert clean(html) == "<a>x</a>"


def test_a_form_that_posts_to_its_own_pages_gets_the_token_and_no_other_does() -> None:
    own = f'<form method="post" action="{BASE}save"></form>'
    assert clean(own) == f'<form method="post" action="{BASE}save">[token]</form>'
    assert "action" not in clean('<form method="post" action="/o/acme/api-keys"></form>')


def test_text_is_escaped_again_and_elements_are_closed() -> None:
    assert clean("<p>a &lt;b&gt; <b>c") == "<p>a &lt;b&gt; <b>c</b></p>"
    assert clean('<p title="&quot;><img>">x</div>') == '<p title="&quot;&gt;&lt;img&gt;">x</p>'


def test_ids_cannot_be_those_of_the_host() -> None:
    assert clean('<p id="main">x</p>') == '<p id="x-main">x</p>'


def test_what_is_cleaned_once_stays_as_it_is() -> None:
    again = f'hx-get="{BASE}_partials/t" hx-trigger="every 10s"'
    html = f'<section class="a" {again}><br><p>x</p></section>'
    assert clean(clean(html)) == clean(html) == html
