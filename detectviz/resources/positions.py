"""Where a field stands in a text of YAML or JSON, found by its path."""

from dataclasses import dataclass, field

import yaml

from detectviz.resources.yaml import compose_documents

_ENDS = (".", "[", "")


@dataclass(slots=True)
class Positions:
    """The lines of a text that could be read; it is looked at again when the first is asked."""

    text: str | bytes
    _roots: list[yaml.Node] = field(default_factory=list)

    def line(self, index: int, path: str) -> int:
        """Return the line of ``groups[0].rules[1].title`` in a document, counted from one.

        The nearest thing around it counts where it is not there itself; 0 without a document.
        """
        if not self._roots:
            self._roots = compose_documents(self.text)
        if index >= len(self._roots):
            return 0
        node = self._roots[index]
        line = node.start_mark.line + 1
        while path:
            found = _step(node, path)
            if found is None:
                break
            node, line, path = found
        return line


def _step(node: yaml.Node, path: str) -> tuple[yaml.Node, int, str] | None:
    """Return what the first part of a path leads to, its line, and the rest of the path."""
    if isinstance(node, yaml.SequenceNode) and path.startswith("["):
        number, _, rest = path[1:].partition("]")
        if not number.isdecimal() or int(number) >= len(node.value):
            return None
        item = node.value[int(number)]
        return item, item.start_mark.line + 1, rest.removeprefix(".")
    if not isinstance(node, yaml.MappingNode):
        return None
    # Keys may have dots in them: the longest that fits is meant.
    fitting = [
        (key, value)
        for key, value in node.value
        if path.startswith(key.value) and path[len(key.value) :][:1] in _ENDS
    ]
    if not fitting:
        return None
    key, value = max(fitting, key=lambda pair: len(pair[0].value))
    return value, key.start_mark.line + 1, path[len(key.value) :].removeprefix(".")
