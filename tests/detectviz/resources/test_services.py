"""Writing resources: versions, conflicts, unknown fields, events."""

from typing import Any, ClassVar

import pytest
from rest_framework import serializers

from apps.orgs.models import Folder
from detectviz.events import bus
from detectviz.events.types import ResourceChanged
from detectviz.resources.errors import ConflictError, InvalidFieldsError, NotFoundError
from detectviz.resources.registry import ResourceKind, Write
from detectviz.resources.services import resource_delete, resource_write
from tests.factories.orgs import make_org

pytestmark = pytest.mark.django_db


class InnerSerializer(serializers.Serializer[Any]):
    weight = serializers.IntegerField(min_value=0, required=False)


class FolderSpec(serializers.Serializer[Any]):
    title = serializers.CharField(max_length=200, required=False)
    items = serializers.ListField(child=InnerSerializer(), required=False)
    nested = InnerSerializer(required=False)
    parts = InnerSerializer(many=True, required=False)


class FolderKind(ResourceKind[Folder]):
    group: ClassVar[str] = "test"
    kind = "Folder"
    plural = "folders"
    model = Folder
    permission = "folders"
    spec_serializer = FolderSpec

    def to_spec(self, instance: Folder) -> dict[str, Any]:
        return {"title": instance.title}

    def write(self, change: Write[Folder]) -> Folder:
        instance = change.instance or Folder(org_id=change.org.pk, name=change.name)
        instance.title = change.spec.get("title", "")
        instance.save()
        return instance


KIND = FolderKind()


@pytest.fixture
def heard() -> Any:
    events: list[ResourceChanged] = []
    bus.subscribe_batches(ResourceChanged)(events.extend)
    yield events
    bus._handlers[ResourceChanged].remove(events.extend)


def write(name: str = "web", spec: object = None, **options: Any) -> Any:
    org = options.pop("org", None) or make_org()
    spec = {"title": "Web"} if spec is None else spec
    return resource_write(KIND, org=org, actor=None, name=name, spec=spec, **options)


def test_a_first_write_creates_and_tells_the_others(heard: list[ResourceChanged]) -> None:
    result = write(labels={"team": "web"})

    assert result.outcome == "created"
    assert (result.instance.resource_version, result.instance.generation) == (1, 1)
    assert [(event.action, event.name) for event in heard] == [("create", "web")]
    assert heard[0].after is not None
    assert heard[0].after["metadata"]["labels"] == {"team": "web"}


def test_the_same_write_again_changes_nothing(heard: list[ResourceChanged]) -> None:
    org = make_org()
    write(org=org)
    again = write(org=org)

    assert again.outcome == "unchanged"
    assert again.instance.resource_version == 1
    assert len(heard) == 1


def test_a_change_of_spec_counts_both_versions_and_labels_only_one() -> None:
    org = make_org()
    write(org=org)
    assert write(org=org, labels={"a": "b"}).instance.generation == 1
    changed = write(org=org, spec={"title": "Other"}).instance

    assert (changed.resource_version, changed.generation) == (3, 2)


def test_a_stale_version_is_refused_and_says_which_is_current() -> None:
    org = make_org()
    write(org=org)
    write(org=org, spec={"title": "Other"}, resource_version=1)

    with pytest.raises(ConflictError, match="resource_version 2, you have 1"):
        write(org=org, spec={"title": "Mine"}, resource_version=1)


def test_creating_twice_and_updating_nothing_are_refused() -> None:
    org = make_org()
    with pytest.raises(NotFoundError):
        write(org=org, mode="update")
    write(org=org)
    with pytest.raises(ConflictError):
        write(org=org, mode="create")


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"tittle": "x"}, "spec.tittle"),
        ({"nested": {"wieght": 1}}, "spec.nested.wieght"),
        ({"parts": [{}, {"wieght": 1}]}, "spec.parts[1].wieght"),
        ({"parts": [{"weight": -1}]}, "spec.parts[0].weight"),
        ({"title": ["x"]}, "spec.title"),
        ({"title": "x" * 1_000_000}, "spec.title"),
        ({"title": "a\x00b"}, "spec.title"),
        ("text", "spec"),
    ],
)
def test_a_wrong_spec_names_the_path_and_writes_nothing(spec: object, path: str) -> None:
    with pytest.raises(InvalidFieldsError) as caught:
        write(spec=spec)

    assert path in caught.value.fields
    assert not Folder.all_orgs.exists()


@pytest.mark.parametrize("name", ["", "Web", "-web", "web_1", "w" * 64, "../x", "web\n"])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidFieldsError, match="DNS-1123"):
        write(name=name)


def test_deleting_tells_what_is_gone(heard: list[ResourceChanged]) -> None:
    org = make_org()
    write(org=org)
    resource_delete(KIND, org=org, actor=None, name="web")

    assert heard[-1].action == "delete"
    assert heard[-1].after is None
    with pytest.raises(NotFoundError):
        resource_delete(KIND, org=org, actor=None, name="web")


def test_an_org_does_not_see_the_resources_of_another() -> None:
    write(org=make_org("acme"))
    with pytest.raises(NotFoundError):
        resource_delete(KIND, org=make_org("globex"), actor=None, name="web")
