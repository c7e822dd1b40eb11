"""The functions and methods a template may call, as tables."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import CodeType
from typing import TypeAlias

from detectviz.gotemplate.errors import FunctionError
from detectviz.gotemplate.values import LARGEST_TEXT, Struct, Value, type_name

Callee: TypeAlias = Callable[..., Value]
MethodTable: TypeAlias = Mapping[type, Mapping[str, Callee]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Functions:
    """What names mean: plain functions, and methods by the exact type of their receiver.

    Nothing outside these tables can be called; a method gets its receiver as first argument.
    """

    plain: Mapping[str, Callee]
    methods: MethodTable = field(default_factory=dict)

    def extended(
        self, plain: Mapping[str, Callee], methods: MethodTable | None = None
    ) -> "Functions":
        """Return these functions with more (or others) of the given names."""
        return Functions(plain={**self.plain, **plain}, methods={**self.methods, **(methods or {})})


def call(name: str, function: Callee, arguments: list[Value]) -> Value:
    """Call a function with the number of arguments it takes and texts it may be given."""
    if not _takes(function, len(arguments)):
        raise FunctionError(f"wrong number of args for {name}: got {len(arguments)}")
    try:
        result = function(*arguments)
    except FunctionError as error:
        raise FunctionError(f"error calling {name}: {error}") from error
    if isinstance(result, str) and len(result) > LARGEST_TEXT:
        raise FunctionError(f"error calling {name}: its text is longer than {LARGEST_TEXT}")
    return result


def _takes(function: Callee, count: int) -> bool:
    """Whether a plain Python function takes so many arguments; ours have no defaults."""
    code: CodeType = function.__code__
    is_open = bool(code.co_flags & inspect.CO_VARARGS)
    return count >= code.co_argcount if is_open else count == code.co_argcount


def as_text(value: Value) -> str:
    """Return a text argument; raise FunctionError for anything else."""
    if not isinstance(value, str):
        raise FunctionError(f"expected string; found {type_name(value)}")
    return value


def as_whole(value: Value) -> int:
    """Return a whole-number argument; raise FunctionError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise FunctionError(f"expected integer; found {type_name(value)}")
    return value


def as_list(value: Value) -> list[Value]:
    """Return a list argument; raise FunctionError for anything else."""
    if not isinstance(value, list | tuple):
        raise FunctionError(f"expected list; found {type_name(value)}")
    return list(value)


def as_struct(value: Value) -> Struct:
    """Return an argument that has named fields; raise FunctionError for anything else."""
    if not isinstance(value, Struct):
        raise FunctionError(f"expected a sample; found {type_name(value)}")
    return value
