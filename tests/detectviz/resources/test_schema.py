"""OpenAPI is made from the registry, without a warning."""

from pathlib import Path

import yaml
from django.core.management import call_command

from detectviz.resources.registry import registry


def test_the_schema_describes_every_kind_and_warns_of_nothing(tmp_path: Path) -> None:
    path = tmp_path / "schema.yaml"
    call_command("spectacular", file=str(path), fail_on_warn=True)

    schema = yaml.safe_load(path.read_text(encoding="utf-8"))
    for kind in registry:
        address = f"/apis/{kind.api_version}/orgs/{{org}}/{kind.plural}"
        assert address in schema["paths"], address
        assert kind.kind in schema["components"]["schemas"]
