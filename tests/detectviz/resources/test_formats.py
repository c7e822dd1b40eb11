"""Texts of any known format: lines of what is lost and refused, and where things stand."""

import pytest

from detectviz.resources.errors import InvalidFieldsError
from detectviz.resources.formats import Loss, documents_losses, documents_native, text_read
from detectviz.resources.positions import Positions

TEXT = """# first
---
a:
  b.c: [1, {d: 2}]
  b:
    c: x
---
- y
"""


@pytest.mark.parametrize(
    ("index", "path", "line"),
    [
        (0, "a", 3),
        (0, "a.b.c", 4),
        (0, "a.b.c[1].d", 4),
        (0, "a.b.nothing", 5),
        (0, "nothing", 3),
        (0, "", 3),
        (1, "[0]", 8),
        (1, "[7]", 8),
        (2, "a", 0),
    ],
)
def test_a_path_has_a_line_or_what_is_around_it(index: int, path: str, line: int) -> None:
    assert Positions(TEXT).line(index, path) == line


def test_a_loss_says_what_it_knows() -> None:
    loss = Loss(path="a.b", why="because", cure="Do this.", line=3)
    assert loss.sentence == "line 3: a.b: because. Do this."
    assert Loss.of_json(loss.as_json()) == loss
    assert Loss(path="a", why="b").as_json() == {"path": "a", "why": "b"}


def test_every_document_is_of_its_own_format() -> None:
    text = """
groups: [{name: A, partial_response_strategy: warn, rules: []}]
---
apiVersion: core/v1
kind: Folder
metadata: {name: f}
spec: {}
---
kind: List
items: [{apiVersion: core/v1, kind: Folder, metadata: {name: g}, spec: {}}]
"""
    found = text_read(text)
    assert found.formats == ["prometheus", "manifests"]
    assert [each["metadata"]["name"] for each in found.documents] == ["a", "f", "g"]
    assert [found.line(index) for index in range(4)] == [2, 4, 10, 0]
    assert [(loss.path, loss.line) for loss in found.losses] == [
        ("groups[0].partial_response_strategy", 2)
    ]


def test_a_refusal_says_which_document_of_the_text_is_meant() -> None:
    found = text_read("apiVersion: core/v1\nkind: Folder\nmetadata: {name: f}\nspec: {x: 1}\n")
    placed = found.placed(InvalidFieldsError({"documents[0].spec.x": ["No."], "other": ["No."]}))
    assert placed.fields == {"documents[0].spec.x": ["Folder f, line 1: No."], "other": ["No."]}
    with pytest.raises(InvalidFieldsError) as caught:
        text_read("groups:\n- {name: a}\n- 3\n")
    assert caught.value.fields == {"groups[1]": ["Line 3: Must be a rule group."]}


def test_documents_that_are_read_already_are_converted_too() -> None:
    document = {"groups": [{"name": "A"}]}
    assert documents_native([document, 3])[0]["kind"] == "RuleGroup"
    assert documents_losses([document, 3]) == []
    with pytest.raises(InvalidFieldsError, match="groups: Must be a list"):
        documents_native([{"groups": {"a": 1}}])
