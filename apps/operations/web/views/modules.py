"""What runs: the composition, the processes, their modules and what these rest on."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpResponse

from apps.extensions.selectors import plugin_list
from detectviz.composition.current import (
    CurrentComposition,
    ModuleGraph,
    ModuleNode,
    composition_current,
    module_graph,
)
from detectviz.composition.loading import composition_load
from detectviz.composition.model import Choice, Composition
from detectviz.composition.plugins import plugin_problems
from detectviz.composition.problems import CompositionError
from detectviz.web.pages import PageRequest, render_page
from detectviz.web.scope import OrgScope, org_page

# About every org, so that no role of one org has it.
PERMISSION = "system:logs"
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 150, 34, 46, 14, 8
_LONGEST_LABEL = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One module of a drawing, in its place."""

    node: ModuleNode
    label: str
    x: int
    y: int
    width: int = _WIDTH
    height: int = _HEIGHT

    @property
    def text_x(self) -> int:
        """Where its name begins."""
        return self.x + 10

    @property
    def text_y(self) -> int:
        """The line its name stands on."""
        return self.y + self.height // 2 + 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """The modules of one process: what others rest on stands to the left."""

    boxes: tuple[Box, ...]
    lines: tuple[tuple[int, int, int, int], ...]
    width: int
    height: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessModules:
    """One living process; ``rows`` are its modules, each with those it rests on."""

    owner: str
    role: str
    rows: tuple[tuple[ModuleNode, str], ...]
    drawing: Drawing


@dataclass(frozen=True)
class ModulesPage:
    """The composition in force and everything that runs by it."""

    scope: OrgScope

    @cached_property
    def current(self) -> CurrentComposition:
        """What this process runs by."""
        return composition_current()

    @property
    def composition(self) -> Composition:
        """The composition itself."""
        return self.current.composition

    @property
    def choices(self) -> list[tuple[str, Choice]]:
        """What fills each place."""
        found = self.composition
        return [
            ("Broker", found.broker),
            ("Cache", found.cache),
            ("Event bus", found.eventbus),
            ("Series", found.tsdb),
        ]

    @cached_property
    def problems(self) -> list[str]:
        """What the composition asks for and is not here, as ``detectviz validate`` says it."""
        try:
            composition, document = composition_load(self.current.path)
        except CompositionError as error:
            return [each.sentence for each in error.problems]
        return [each.sentence for each in plugin_problems(composition, document, plugin_list())]

    @cached_property
    def graph(self) -> ModuleGraph:
        """The modules of all living processes."""
        return module_graph()

    @property
    def failing(self) -> list[ModuleNode]:
        """The modules that do not run."""
        return [node for node in self.graph.nodes if node.state.value == "failed"]

    @property
    def unwell(self) -> list[ModuleNode]:
        """The modules that run and are not well."""
        return [node for node in self.graph.nodes if node.state.value == "degraded"]

    @cached_property
    def processes(self) -> list[ProcessModules]:
        """The processes by role."""
        by_owner: dict[str, list[ModuleNode]] = {}
        for node in self.graph.nodes:
            by_owner.setdefault(node.process, []).append(node)
        needs = needs_of(self.graph)
        names = {node.key: node.name for node in self.graph.nodes}
        return [
            ProcessModules(
                owner=owner,
                role=nodes[0].role,
                rows=tuple(
                    (node, ", ".join(names.get(key, "?") for key in needs.get(node.key, ())))
                    for node in nodes
                ),
                drawing=modules_draw(nodes, needs),
            )
            for owner, nodes in sorted(by_owner.items(), key=lambda one: (one[1][0].role, one[0]))
        ]


def needs_of(graph: ModuleGraph) -> dict[str, list[str]]:
    """Return the keys each module rests on."""
    needs: dict[str, list[str]] = {}
    for upper, lower in graph.edges:
        needs.setdefault(upper, []).append(lower)
    return needs


def modules_draw(nodes: Iterable[ModuleNode], needs: dict[str, list[str]]) -> Drawing:
    """Place modules in columns: each stands right of all it rests on."""
    by_key = {node.key: node for node in nodes}
    columns: dict[int, list[ModuleNode]] = {}
    for node in by_key.values():
        columns.setdefault(_depth(node.key, by_key, needs, ()), []).append(node)
    boxes = {
        node.key: Box(
            node=node,
            label=_short(node.name),
            x=_MARGIN + column * (_WIDTH + _GAP_X),
            y=_MARGIN + row * (_HEIGHT + _GAP_Y),
        )
        for column, members in sorted(columns.items())
        for row, node in enumerate(members)
    }
    lines = tuple(
        _line(boxes[lower], boxes[upper])
        for upper in boxes
        for lower in needs.get(upper, ())
        if lower in boxes
    )
    return Drawing(
        boxes=tuple(boxes.values()),
        lines=lines,
        width=max((box.x + _WIDTH for box in boxes.values()), default=0) + _MARGIN,
        height=max((box.y + _HEIGHT for box in boxes.values()), default=0) + _MARGIN,
    )


def _depth(
    key: str, known: dict[str, Any], needs: dict[str, list[str]], path: tuple[str, ...]
) -> int:
    below = [each for each in needs.get(key, ()) if each in known and each not in path]
    return max((_depth(each, known, needs, (*path, key)) + 1 for each in below), default=0)


def _line(lower: Box, upper: Box) -> tuple[int, int, int, int]:
    middle = _HEIGHT // 2
    return lower.x + _WIDTH, lower.y + middle, upper.x, upper.y + middle


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1]}…"


@org_page(PERMISSION)
def modules(request: PageRequest, scope: OrgScope) -> HttpResponse:
    """Show what runs."""
    return render_page(
        request,
        "operations/modules.html",
        ModulesPage(scope),
        fragment="operations/partials/_modules.html",
    )
