"""Objects of the Kubernetes API, read so that what is wrong is named."""

from collections.abc import Mapping
from dataclasses import dataclass

from detectviz.contracts.errors import PluginError
from detectviz.contracts.types import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Part:
    """An object inside an answer, and where it stands. Absent and null mean the same."""

    value: JsonObject
    where: str

    @classmethod
    def of(cls, value: JsonValue, where: str) -> "Part":
        """Return the object ``value``, empty where it is null; raise PluginError for others."""
        if value is None:
            return cls({}, where)
        if not isinstance(value, Mapping):
            raise PluginError(f"{where} must be an object.")
        return cls(value, where)

    def has(self, name: str) -> bool:
        """Return whether ``name`` is there."""
        return self.value.get(name) is not None

    def text(self, name: str) -> str:
        """Return the text ``name``, empty where it is absent."""
        value = self.value.get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise PluginError(f"{self.where}.{name} must be text.")
        return value

    def name(self) -> str:
        """Return ``metadata.name``, which every object has."""
        name = self.part("metadata").text("name")
        if not name:
            raise PluginError(f"{self.where}.metadata.name is missing.")
        return name

    def namespace(self) -> str:
        """Return ``metadata.namespace``, empty for objects outside of namespaces."""
        return self.part("metadata").text("namespace")

    def number(self, name: str) -> int | None:
        """Return the whole number ``name``, None where it is absent."""
        value = self.value.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise PluginError(f"{self.where}.{name} must be a whole number.")
        return value

    def flag(self, name: str) -> bool | None:
        """Return the switch ``name``, None where it is absent."""
        value = self.value.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise PluginError(f"{self.where}.{name} must be true or false.")

    def part(self, name: str) -> "Part":
        """Return the object ``name``, empty where it is absent."""
        return Part.of(self.value.get(name), f"{self.where}.{name}")

    def parts(self, name: str) -> list["Part"]:
        """Return the objects of the list ``name``, none where it is absent."""
        where = f"{self.where}.{name}"
        return [Part.of(each, f"{where}[{place}]") for place, each in enumerate(self._values(name))]

    def texts(self, name: str) -> list[str]:
        """Return the texts of the list ``name``, none where it is absent."""
        values = self._values(name)
        texts = [each for each in values if isinstance(each, str)]
        if len(texts) != len(values):
            raise PluginError(f"{self.where}.{name} must be a list of texts.")
        return texts

    def text_map(self, name: str) -> dict[str, str]:
        """Return the texts of the object ``name``, none where it is absent."""
        part = self.part(name)
        return {key: part.text(key) for key in part.value}

    def _values(self, name: str) -> list[JsonValue]:
        value = self.value.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise PluginError(f"{self.where}.{name} must be a list.")
        return value
