"""Compositions held against what is installed here."""

from apps.extensions.selectors import plugin_list
from detectviz.composition.loading import composition_load
from detectviz.composition.model import Composition
from detectviz.composition.plugins import plugin_problems
from detectviz.composition.problems import CompositionError


def composition_check(*, reference: str) -> Composition:
    """Return the composition of a built-in name or a path; raise CompositionError."""
    composition, document = composition_load(reference)
    problems = list(plugin_problems(composition, document, plugin_list()))
    if problems:
        raise CompositionError(problems)
    return composition
