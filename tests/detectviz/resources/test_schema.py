"""OpenAPI is made from the registry, without a warning."""

from drf_spectacular.drainage import GENERATOR_STATS
from drf_spectacular.generators import SchemaGenerator

from detectviz.resources.registry import registry


def test_the_schema_describes_every_kind_and_warns_of_nothing():
    GENERATOR_STATS.reset()
    schema = SchemaGenerator().get_schema(request=None, public=True)

    assert not dict(GENERATOR_STATS._warn_cache)
    assert not dict(GENERATOR_STATS._error_cache)
    for kind in registry:
        path = f"/apis/{kind.api_version}/orgs/{{org}}/{kind.plural}"
        assert path in schema["paths"], path
        assert kind.kind in schema["components"]["schemas"]
