"""Reads a template once and renders it over many data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from detectviz.gotemplate.builtins import GO_FUNCTIONS
from detectviz.gotemplate.evaluator import SHORT_CIRCUIT, Evaluator
from detectviz.gotemplate.functions import Functions
from detectviz.gotemplate.limits import DEFAULT_LIMITS, Limits
from detectviz.gotemplate.parser import Parsed, parse
from detectviz.gotemplate.values import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template that was read and may be rendered from any thread."""

    parsed: Parsed
    functions: Functions

    @classmethod
    def parse(
        cls,
        source: str,
        *,
        functions: Functions = GO_FUNCTIONS,
        variables: Iterable[str] = (),
    ) -> "Template":
        """Read ``source``; raise TemplateSyntaxError with line and column.

        ``functions`` are the names it may call, ``variables`` those (without ``$``) that
        ``render`` will set beforehand.
        """
        names = functions.plain.keys() | SHORT_CIRCUIT
        parsed = parse(source, functions=names, variables=tuple(variables))
        return cls(parsed=parsed, functions=functions)

    def render(
        self,
        data: Value,
        *,
        variables: Mapping[str, Value] | None = None,
        functions: Functions | None = None,
        limits: Limits = DEFAULT_LIMITS,
    ) -> str:
        """Return the text over ``data``; raise TemplateExecutionError or TemplateLimitError.

        ``functions`` replaces those given to ``parse`` (same names), for functions that close
        over what is rendered, such as ``query``.
        """
        evaluator = Evaluator(
            parsed=self.parsed, functions=functions or self.functions, limits=limits
        )
        return evaluator.run(data, variables or {})

    def with_definitions(self, other: "Template") -> "Template":
        """Return this template with what ``other`` defines, its own definitions winning."""
        defined = {**other.parsed.defined, **self.parsed.defined}
        parsed = Parsed(root=self.parsed.root, defined=defined)
        return Template(parsed=parsed, functions=self.functions)
