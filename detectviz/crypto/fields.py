"""A model field whose value is encrypted in the database and opened only when it is read."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from django.core import checks
from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models.query_utils import DeferredAttribute

from detectviz.crypto.datakeys import OpenKey, current_key, key_by_uid, org_scope
from detectviz.crypto.envelope import Place, key_id_of, seal, unseal
from detectviz.crypto.errors import CryptoError, SealBrokenError
from detectviz.crypto.models import PLATFORM_SCOPE

Origin = tuple[int | None, str, str, str]  # org id, model label, row uid, field name


class Sealed(str):
    """A blob as it came from the database, not opened."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Say nothing."""
        return "Sealed(…)"


class SecretMap(Mapping[str, str]):
    """Secrets by name. Opened on first use of a value; never shown by repr, str or json."""

    __slots__ = ("_blob", "_origin", "_values")

    def __init__(
        self,
        values: Mapping[str, str] | None = None,
        *,
        blob: Sealed | None = None,
        origin: Origin | None = None,
    ) -> None:
        self._values = None if values is None else dict(values)
        self._blob = blob
        self._origin = origin

    @property
    def is_sealed(self) -> bool:
        """Tell whether the value is still the one in the database."""
        return self._blob is not None

    @property
    def origin(self) -> Origin | None:
        """The (org id, model, row uid, field) this value was read from."""
        return self._origin

    @property
    def blob(self) -> Sealed:
        """The stored form."""
        if self._blob is None:
            raise CryptoError("These secrets were not saved yet.")
        return self._blob

    def opened(self) -> dict[str, str]:
        """Return the values; raise UnknownKeyError or SealBrokenError when they can't be read."""
        if self._values is None:
            self._values = _open(self._blob, self._origin)
        return self._values

    def __getitem__(self, name: str) -> str:
        """Return one secret."""
        return self.opened()[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""
        return iter(self.opened())

    def __len__(self) -> int:
        """Return how many secrets there are."""
        return len(self.opened()) if self._blob != "" else 0

    def __or__(self, other: Mapping[str, str]) -> dict[str, str]:
        """Return a plain dict with ``other`` laid over."""
        return {**self.opened(), **other}

    def __repr__(self) -> str:
        """Say nothing about names or values."""
        return "SecretMap(…)"

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel sealed only: neither a pickle nor a cache ever holds a value."""
        return _restored, (str(self.blob), self._origin)


def _restored(blob: str, origin: Origin | None) -> SecretMap:
    return SecretMap(blob=Sealed(blob), origin=origin)


def _open(blob: str | None, origin: Origin | None) -> dict[str, str]:
    if not blob or origin is None:
        return {}
    org_id, model, row_uid, field = origin
    key = key_by_uid(key_id_of(blob))
    if key.org_id != org_id:
        raise SealBrokenError(f"{model} {row_uid}: the stored {field} was sealed for another org.")
    place = Place(org_uid=key.scope, model=model, row_uid=row_uid, field=field)
    values: dict[str, str] = json.loads(unseal(key.secret, blob, place))
    return values


def key_for_org(org_id: int | None) -> OpenKey:
    """Return the current data key of an org, or of the platform."""
    scope = PLATFORM_SCOPE if org_id is None else org_scope(org_id)
    return current_key(scope=scope, org_id=org_id)


def sealed_map(values: Mapping[str, str], origin: Origin, key: OpenKey | None = None) -> SecretMap:
    """Return ``values`` sealed for their place, with the org's current key unless one is given."""
    org_id, model, row_uid, field = origin
    if not values:
        return SecretMap({}, blob=Sealed(), origin=origin)
    key = key or key_for_org(org_id)
    place = Place(org_uid=key.scope, model=model, row_uid=row_uid, field=field)
    blob = Sealed(seal(key.secret, key.uid, json.dumps(dict(values)).encode(), place))
    return SecretMap(values, blob=blob, origin=origin)


class SecretsAttribute(DeferredAttribute):
    """Wraps what is assigned, and binds what was loaded to the row it came from."""

    field: "EncryptedJSONField"

    def __set__(self, instance: models.Model, value: object) -> None:
        """Accept a mapping of strings, or a blob from the database."""
        if value == "":
            value = Sealed()
        elif isinstance(value, Mapping) and not isinstance(value, SecretMap):
            if not all(isinstance(part, str) for pair in value.items() for part in pair):
                raise TypeError(f"{self.field.name}: expected a dict of strings.")
            value = SecretMap(value)
        elif not isinstance(value, SecretMap | Sealed):
            raise TypeError(f"{self.field.name}: expected a dict of strings.")
        instance.__dict__[self.field.attname] = value

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        """Return a SecretMap; nothing is decrypted yet."""
        if instance is None:
            return self
        value = instance.__dict__.get(self.field.attname)
        if value is None:
            value = super().__get__(instance, cls)
            value = instance.__dict__[self.field.attname]
        if isinstance(value, Sealed):
            value = SecretMap(blob=value, origin=self.field.origin_of(instance))
            instance.__dict__[self.field.attname] = value
        return value


if TYPE_CHECKING:
    TextField = models.TextField[Mapping[str, str], SecretMap]
else:
    TextField = models.TextField


class EncryptedJSONField(TextField):
    """A ``dict[str, str]`` of secrets, sealed for the row's org, model, uid and field.

    The model needs ``uid`` and ``org`` (null for rows of the platform). Assign a plain dict and
    save the instance; ``QuerySet.update`` and ``bulk_update`` can't seal and are refused. A value
    that can't be opened raises a typed CryptoError when read and is written back unchanged.
    """

    descriptor_class = SecretsAttribute

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("default", dict)
        kwargs.setdefault("blank", True)
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def check(self, **kwargs: Any) -> list[checks.CheckMessage]:
        """Demand the attributes the associated data is made of."""
        names = {field.name for field in self.model._meta.get_fields()}
        missing = {"uid", "org"} - names
        errors = [
            checks.Error(
                f"{self}: a model with encrypted secrets needs the fields uid and org.",
                hint="Derive it from detectviz.resources.models.ResourceModel.",
                obj=self,
                id="detectviz.E201",
            )
        ]
        return [*super().check(**kwargs), *(errors if missing else [])]

    def origin_of(self, instance: models.Model) -> Origin:
        """Return the place of this field in ``instance``."""
        label = instance._meta.label_lower
        return (
            getattr(instance, "org_id"),  # noqa: B009 - fields demanded by check()
            label,
            getattr(instance, "uid"),  # noqa: B009 - fields demanded by check()
            self.name,
        )

    def from_db_value(
        self, value: str | None, expression: object, connection: BaseDatabaseWrapper
    ) -> Sealed:
        """Keep the blob closed."""
        return Sealed(value or "")

    def to_python(self, value: Any) -> Any:
        """Leave the value as it is: there is no text form to parse."""
        return value

    def pre_save(self, model_instance: models.Model, add: bool) -> Sealed:  # noqa: FBT001 - Django's signature
        """Return the blob to store; unchanged secrets keep theirs."""
        untouched = isinstance(model_instance.__dict__.get(self.attname), Sealed)
        value: SecretMap = getattr(model_instance, self.attname)
        origin = self.origin_of(model_instance)
        if value.is_sealed and value.origin == origin and not (add and untouched and value.blob):
            return value.blob
        value = sealed_map(value.opened(), origin)
        setattr(model_instance, self.attname, value)
        return value.blob

    def get_prep_value(self, value: Any) -> Any:
        """Pass blobs; refuse everything that would store a secret in the clear."""
        if isinstance(value, SecretMap) and value.is_sealed:
            return str(value.blob)
        if isinstance(value, Sealed) or value == "":
            return str(value)
        raise CryptoError(f"{self.name}: assign a dict and save the instance.")

    def value_to_string(self, obj: models.Model) -> str:
        """Return nothing to serializers (dumpdata)."""
        return ""
