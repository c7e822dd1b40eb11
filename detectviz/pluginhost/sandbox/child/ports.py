"""Protocols read as tables: which methods and properties may be called, and with what types."""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, get_args, get_origin

from detectviz.pluginhost.sandbox.child.codec import CodecError, hints_of, is_protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of a Protocol."""

    name: str
    is_async: bool
    signature: inspect.Signature
    hints: Mapping[str, Any]

    @property
    def returns(self) -> Any:
        """The annotation of the answer."""
        return self.hints.get("return")

    @property
    def streams(self) -> Any:
        """The annotation of one item where the answer is an iterator, else None."""
        returns = self.returns
        return get_args(returns)[0] if get_origin(returns) is Iterator else None

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Return arguments by name; raise TypeError as the call itself would."""
        return dict(self.signature.bind(*args, **kwargs).arguments)

    def call(self, target: object, values: Mapping[str, Any]) -> Any:
        """Call the method of ``target``: by place as far as possible, then by name."""
        unknown = values.keys() - self.signature.parameters.keys()
        if unknown:
            raise CodecError(f"{self.name} takes no {', '.join(sorted(unknown))}.")
        places: list[Any] = []
        names: dict[str, Any] = {}
        for name, parameter in self.signature.parameters.items():
            if name not in values:
                continue
            is_next = len(places) == list(self.signature.parameters).index(name)
            if is_next and parameter.kind is not inspect.Parameter.KEYWORD_ONLY:
                places.append(values[name])
            else:
                names[name] = values[name]
        return getattr(target, self.name)(*places, **names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One Protocol: its public methods, and its properties with their types."""

    protocol: type
    methods: Mapping[str, Method]
    properties: Mapping[str, Any]


@cache
def port_of(protocol: type) -> Port:
    """Return the table of a Protocol; only what is in it can be called from outside."""
    methods: dict[str, Method] = {}
    properties: dict[str, Any] = {}
    for cls in reversed(protocol.__mro__):
        if not is_protocol(cls) or cls.__module__ == "typing":
            continue
        for name, item in vars(cls).items():
            if name.startswith("_"):
                continue
            if isinstance(item, property):
                properties[name] = hints_of(item.fget)["return"]
            elif inspect.isfunction(item):
                methods[name] = _method(name, item)
        hints = hints_of(cls)
        properties.update({name: hint for name, hint in hints.items() if name[0] != "_"})
    return Port(protocol=protocol, methods=methods, properties=properties)


def ports_in(module: ModuleType) -> dict[str, Port]:
    """Return the ports that a contract's module itself defines."""
    return {
        name: port_of(item)
        for name, item in vars(module).items()
        if is_protocol(item) and item.__module__ == module.__name__
    }


def _method(name: str, function: Any) -> Method:
    signature = inspect.signature(function)
    parameters = [each for each in signature.parameters.values() if each.name != "self"]
    return Method(
        name=name,
        is_async=inspect.iscoroutinefunction(function),
        signature=signature.replace(parameters=parameters),
        hints=hints_of(function),
    )
