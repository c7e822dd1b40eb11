"""The syntax tree of a template."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a node begins, from one."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Literal:
    """A constant: text, number, true, false or nil."""

    value: bool | int | float | str | None
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Dot:
    """The value under the cursor."""

    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """``$name``; plain ``$`` is the data the template was started with."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """The name of a function, called with what follows in its command."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Fields or keys looked up one after the other: ``.Labels.job``, ``$x.y``, ``(f).z``."""

    base: "Operand"
    fields: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """An operand, or a function or method with its arguments."""

    operands: tuple["Operand", ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Commands, each given the last one's value; may declare (or assign) variables."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    is_assignment: bool = False
    place: Place


Operand: TypeAlias = Literal | Dot | Variable | Function | Chain | Pipeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """What is printed as it stands."""

    text: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Prints a pipeline's value, unless it only sets variables."""

    pipeline: Pipeline
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """``if`` or ``with``."""

    pipeline: Pipeline
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...]
    moves_dot: bool
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """``range`` over a list, a map in order of keys, or a count."""

    pipeline: Pipeline
    body: tuple["Node", ...]
    otherwise: tuple["Node", ...]
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Jump:
    """``break`` or ``continue``."""

    is_break: bool
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """``template "name" pipeline``."""

    name: str
    pipeline: Pipeline | None
    place: Place


Node: TypeAlias = Text | Action | Branch | Range | Jump | Invocation
