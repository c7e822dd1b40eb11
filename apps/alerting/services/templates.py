"""Labels and annotations of rules: Go templates over one element of the answer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from detectviz.gotemplate.errors import FunctionError, TemplateError
from detectviz.gotemplate.functions import Functions
from detectviz.gotemplate.prometheus import prometheus_functions, sample
from detectviz.gotemplate.template import Template
from detectviz.gotemplate.values import Struct, Value

VARIABLES = ("labels", "externalLabels", "externalURL", "value")
MOST_QUERIES = 100
_ANY_FUNCTIONS = prometheus_functions()

TemplateQuery = Callable[[str], Sequence[tuple[Mapping[str, str], float]]]


def template_check(text: str, *, has_values: bool = False) -> str | None:
    """Return why ``text`` is no template, with its place, or None when it is one.

    ``has_values`` tells that ``$values`` is there too: the rule asks datasources.
    """
    try:
        _parsed(text, has_values=has_values)
    except TemplateError as error:
        return str(error)
    return None


@lru_cache(maxsize=20_000)
def _parsed(text: str, *, has_values: bool) -> Template:
    variables = (*VARIABLES, "values") if has_values else VARIABLES
    return Template.parse(text, functions=_ANY_FUNCTIONS, variables=variables)


@dataclass(slots=True, kw_only=True)
class TemplateScope:
    """What the templates of one rule may see during one evaluation.

    ``query`` answers ``{{ query "…" }}`` at the evaluation's time; it may raise any exception
    whose text then stands in the template's place. At most 100 are asked per evaluation.
    """

    query: TemplateQuery
    external_url: str = ""
    external_labels: Mapping[str, str] = field(default_factory=dict)
    queries_asked: int = 0
    _functions: Functions | None = None

    def expanded(
        self,
        text: str,
        labels: Mapping[str, str],
        value: Value,
        values: Mapping[str, Value] | None = None,
    ) -> str:
        """Return ``text`` expanded; a failure becomes text, as in Prometheus.

        ``values`` are the numbers of a rule's queries by ref id, None for a rule in PromQL.
        """
        if "{{" not in text:
            return text
        data: dict[str, Value] = {
            "labels": dict(labels),
            "externalLabels": dict(self.external_labels),
            "externalURL": self.external_url,
            "value": value,
        }
        if values is not None:
            data["values"] = values
        root = Struct({name[0].upper() + name[1:]: item for name, item in data.items()})
        try:
            return _parsed(text, has_values=values is not None).render(
                root, variables=data, functions=self._known()
            )
        except TemplateError as error:
            return f"<error expanding template: {error}>"

    def _known(self) -> Functions:
        if self._functions is None:
            self._functions = prometheus_functions(
                query=self._answer, external_url=self.external_url
            )
        return self._functions

    def _answer(self, expression: str) -> Sequence[Struct]:
        self.queries_asked += 1
        if self.queries_asked > MOST_QUERIES:
            raise FunctionError(f"more than {MOST_QUERIES} queries in one evaluation")
        try:
            found = self.query(expression)
        except Exception as error:  # whatever fails belongs to this one template
            raise FunctionError(f"query {expression!r} failed: {error}") from error
        return [sample(dict(labels), value) for labels, value in found]
