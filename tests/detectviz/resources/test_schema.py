"""OpenAPI is made from the registry, without a warning."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import call_command
from jsonschema import Draft202012Validator

from detectviz.resources.api.problems import problem
from detectviz.resources.registry import registry


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What `detectviz spectacular` writes."""
    path: Path = tmp_path_factory.mktemp("schema") / "schema.yaml"
    call_command("spectacular", file=str(path), fail_on_warn=True)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def test_the_schema_describes_every_kind(schema: Any) -> None:
    for kind in registry:
        address = f"/apis/{kind.api_version}/orgs/{{org}}/{kind.plural}"
        assert address in schema["paths"], address
        assert kind.kind in schema["components"]["schemas"]


def test_every_operation_says_what_a_refusal_looks_like(schema: Any) -> None:
    for path, operations in schema["paths"].items():
        for method, operation in operations.items():
            refused = operation["responses"].get("default")
            assert refused == {"$ref": "#/components/responses/Problem"}, (method, path)
    told = schema["components"]["responses"]["Problem"]["content"]["application/problem+json"]
    assert told["schema"] == {"$ref": "#/components/schemas/Problem"}


@pytest.mark.parametrize("fields", [None, {"spec.config.url": ["This field is required."]}])
def test_a_refusal_looks_like_that(schema: Any, fields: Any) -> None:
    shape = {**schema["components"]["schemas"]["Problem"], "additionalProperties": False}
    Draft202012Validator(shape).validate(problem(422, "invalid-fields", "Wrong.", fields))
