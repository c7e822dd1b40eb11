"""YAML from strangers."""

import pytest

from detectviz.resources.yaml import MalformedYamlError, load_documents


def test_words_stay_words_and_times_stay_text() -> None:
    text = "{on: no, date: 2026-01-01, clock: 12:30:00, octal: 0755, n: 5, f: 1.5, yes: true}"

    assert load_documents(text) == [
        {
            "on": "no",
            "date": "2026-01-01",
            "clock": "12:30:00",
            "octal": "0755",
            "n": 5,
            "f": 1.5,
            "yes": True,
        }
    ]


def test_empty_documents_are_dropped() -> None:
    assert load_documents("---\n---\na: 1\n---\n") == [{"a": 1}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", "line"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("[" * 100 + "]" * 100, "deeper"),
        ("!!python/object/apply:os.system [ls]", "Not valid YAML"),
        ("a: \x01", "Not valid YAML"),
        ("x" * 5_000_000, "larger"),
    ],
)
def test_bad_or_hostile_yaml_is_refused_with_a_place(text: str, message: str) -> None:
    with pytest.raises(MalformedYamlError, match=message):
        load_documents(text)
