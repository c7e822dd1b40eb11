"""Carries out a template's tree over data, within limits."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from detectviz.gotemplate import nodes
from detectviz.gotemplate.errors import FunctionError, TemplateExecutionError, TemplateLimitError
from detectviz.gotemplate.functions import Callee, Functions, call
from detectviz.gotemplate.limits import Limits
from detectviz.gotemplate.parser import Parsed
from detectviz.gotemplate.values import Struct, Value, is_true, to_text, type_name

SHORT_CIRCUIT = frozenset({"and", "or"})
_PIPED = object()


class _Break(Exception):  # noqa: N818 - control flow, never an error
    """Leaves a range."""


class _Continue(Exception):  # noqa: N818 - control flow, never an error
    """Goes to a range's next element."""


@dataclass(slots=True, kw_only=True)
class Evaluator:
    """One rendering: the scope of variables, what was printed, what was spent."""

    parsed: Parsed
    functions: Functions
    limits: Limits
    scope: list[tuple[str, Value]] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    printed_bytes: int = 0
    steps: int = 0
    depth: int = 0
    deadline: float = 0.0

    def run(self, data: Value, variables: Mapping[str, Value]) -> str:
        """Return the template's output; raise TemplateExecutionError or TemplateLimitError."""
        self.deadline = time.monotonic() + self.limits.seconds
        self.scope = [("$", data), *((f"${name}", value) for name, value in variables.items())]
        self.walk(self.parsed.root, data)
        return "".join(self.printed)

    # --- limits and errors
    def spend(self, place: nodes.Place) -> None:
        self.steps += 1
        if self.steps > self.limits.steps:
            raise self.over(f"more than {self.limits.steps} steps", place)
        if time.monotonic() > self.deadline:
            raise self.over(f"more than {self.limits.seconds:g} s", place)

    def over(self, what: str, place: nodes.Place) -> TemplateLimitError:
        return TemplateLimitError(f"template takes {what}", line=place.line, column=place.column)

    def error(self, message: str, place: nodes.Place) -> TemplateExecutionError:
        return TemplateExecutionError(message, line=place.line, column=place.column)

    def write(self, text: str, place: nodes.Place) -> None:
        self.printed_bytes += len(text.encode(errors="surrogatepass"))
        if self.printed_bytes > self.limits.output_bytes:
            raise self.over(f"more than {self.limits.output_bytes} bytes of output", place)
        self.printed.append(text)

    def shown(self, value: Value, place: nodes.Place) -> str:
        try:
            return "<no value>" if value is None else to_text(value)
        except FunctionError as error:
            raise self.error(str(error), place) from error

    # --- nodes
    def walk(self, body: Sequence[nodes.Node], dot: Value) -> None:
        for node in body:
            self.spend(node.place)
            match node:
                case nodes.Text():
                    self.write(node.text, node.place)
                case nodes.Action():
                    value = self.pipeline(node.pipeline, dot)
                    if not node.pipeline.variables:
                        self.write(self.shown(value, node.place), node.place)
                case nodes.Branch():
                    self.branch(node, dot)
                case nodes.Range():
                    self.range(node, dot)
                case nodes.Jump():
                    raise _Break if node.is_break else _Continue
                case nodes.Invocation():
                    self.invoke(node, dot)

    def branch(self, node: nodes.Branch, dot: Value) -> None:
        mark = len(self.scope)
        value = self.pipeline(node.pipeline, dot)
        if is_true(value):
            self.walk(node.body, value if node.moves_dot else dot)
        else:
            self.walk(node.otherwise, dot)
        del self.scope[mark:]

    def range(self, node: nodes.Range, dot: Value) -> None:
        mark = len(self.scope)
        pairs = self.pairs(self.pipeline(node.pipeline, dot, is_range=True), node.place)
        for key, item in pairs:
            self.spend(node.place)
            inner = len(self.scope)
            self.bind_range(node.pipeline, key, item)
            try:
                self.walk(node.body, item)
            except _Continue:
                continue
            except _Break:
                break
            finally:
                del self.scope[inner:]
        if not pairs:
            self.walk(node.otherwise, dot)
        del self.scope[mark:]

    def bind_range(self, pipeline: nodes.Pipeline, key: Value, item: Value) -> None:
        names = pipeline.variables
        values = (key, item) if len(names) > 1 else (item,)
        for name, value in zip(names, values, strict=False):
            self.set(name, value, is_assignment=pipeline.is_assignment)

    def pairs(self, value: Value, place: nodes.Place) -> list[tuple[Value, Value]]:
        if value is None:
            return []
        if isinstance(value, Mapping):
            return [(key, value[key]) for key in sorted(value)]
        if isinstance(value, list | tuple):
            return list(enumerate(value))
        if isinstance(value, int) and not isinstance(value, bool):
            if value > self.limits.steps:
                raise self.over(f"more than {self.limits.steps} steps", place)
            return [(number, number) for number in range(value)]
        raise self.error(f"range can't iterate over {type_name(value)}", place)

    def invoke(self, node: nodes.Invocation, dot: Value) -> None:
        body = self.parsed.defined.get(node.name)
        if body is None:
            raise self.error(f'template "{node.name}" not defined', node.place)
        value = self.pipeline(node.pipeline, dot) if node.pipeline else None
        self.depth += 1
        if self.depth > self.limits.depth:
            raise self.over(
                f"more than {self.limits.depth} templates inside each other", node.place
            )
        outer, self.scope = self.scope, [("$", value)]
        try:
            self.walk(body, value)
        except TemplateExecutionError as error:
            error.template = error.template or node.name
            raise
        self.scope = outer
        self.depth -= 1

    # --- variables
    def set(self, name: str, value: Value, *, is_assignment: bool) -> None:
        if not is_assignment:
            self.scope.append((name, value))
            return
        for index in range(len(self.scope) - 1, -1, -1):
            if self.scope[index][0] == name:
                self.scope[index] = (name, value)
                return

    def variable(self, node: nodes.Variable) -> Value:
        for name, value in reversed(self.scope):
            if name == node.name:
                return value
        raise self.error(f"undefined variable: {node.name}", node.place)

    # --- pipelines
    def pipeline(self, node: nodes.Pipeline, dot: Value, *, is_range: bool = False) -> Value:
        value: object = _PIPED
        for command in node.commands:
            value = self.command(command, dot, value)
        result: Value = value  # type: ignore[assignment]  # every command replaces the mark
        if not is_range:
            for name in node.variables:
                self.set(name, result, is_assignment=node.is_assignment)
        return result

    def command(self, node: nodes.Command, dot: Value, piped: object) -> Value:
        self.spend(node.place)
        first, *rest = node.operands
        extra: list[Value] = [] if piped is _PIPED else [piped]  # type: ignore[list-item]  # a value
        if isinstance(first, nodes.Function):
            if first.name in SHORT_CIRCUIT:
                return self.logic(first, rest, dot, extra)
            arguments = [self.operand(operand, dot) for operand in rest] + extra
            function = self.functions.plain[first.name]
            return self.called(first.name, function, arguments, first.place)
        if isinstance(first, nodes.Chain):
            arguments = [self.operand(operand, dot) for operand in rest] + extra
            return self.chain(first, dot, arguments)
        if isinstance(first, nodes.Literal) and first.value is None:
            raise self.error("nil is not a command", node.place)
        if rest or extra:
            raise self.error("can't give argument to non-function", node.place)
        return self.operand(first, dot)

    def logic(
        self,
        function: nodes.Function,
        operands: Sequence[nodes.Operand],
        dot: Value,
        extra: list[Value],
    ) -> Value:
        value: Value = None
        for operand in operands:
            value = self.operand(operand, dot)
            if is_true(value) == (function.name == "or"):
                return value
        if extra:
            return extra[0]
        if not operands:
            raise self.error(f"wrong number of args for {function.name}: got 0", function.place)
        return value

    def called(
        self, name: str, function: Callee, arguments: list[Value], place: nodes.Place
    ) -> Value:
        try:
            return call(name, function, arguments)
        except FunctionError as error:
            raise self.error(str(error), place) from error

    def operand(self, node: nodes.Operand, dot: Value) -> Value:
        match node:
            case nodes.Literal():
                return node.value
            case nodes.Dot():
                return dot
            case nodes.Variable():
                return self.variable(node)
            case nodes.Function() if node.name in SHORT_CIRCUIT:
                return self.logic(node, [], dot, [])
            case nodes.Function():
                return self.called(node.name, self.functions.plain[node.name], [], node.place)
            case nodes.Chain():
                return self.chain(node, dot, [])
            case nodes.Pipeline():
                return self.pipeline(node, dot)

    def chain(self, node: nodes.Chain, dot: Value, arguments: list[Value]) -> Value:
        value = self.operand(node.base, dot)
        for index, name in enumerate(node.fields):
            is_last = index == len(node.fields) - 1
            value = self.field(value, name, arguments if is_last else [], node.place)
        return value

    def field(self, value: Value, name: str, arguments: list[Value], place: nodes.Place) -> Value:
        method = self.functions.methods.get(type(value), {}).get(name)
        if method is not None:
            return self.called(name, method, [value, *arguments], place)
        if arguments:
            raise self.error(f"{name} has arguments but cannot be invoked as function", place)
        if isinstance(value, Struct) and name not in value:
            raise self.error(f"can't evaluate field {name}", place)
        if isinstance(value, Mapping):
            return value.get(name, "")
        if value is None:
            raise self.error(f"nil data; no entry for key {name!r}", place)
        raise self.error(f"can't evaluate field {name} in type {type_name(value)}", place)
