"""What is wrong with a composition: where it is, and what to do about it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositionProblem:
    """One thing to put right: file, line, JSON pointer, and a sentence with the cure."""

    path: str
    line: int
    pointer: str
    message: str

    @property
    def sentence(self) -> str:
        """Read as ``file:line at /pointer: message``."""
        place = f"{self.path}:{self.line}"
        return (
            f"{place} at {self.pointer}: {self.message}"
            if self.pointer
            else (f"{place}: {self.message}")
        )


class CompositionError(Exception):
    """The composition cannot be used; ``problems`` has every reason."""

    def __init__(self, problems: Sequence[CompositionProblem]) -> None:
        super().__init__("\n".join(problem.sentence for problem in problems))
        self.problems = tuple(problems)


def undeclared(what: str, name: str, declared: Iterable[str]) -> str:
    """Return the sentence for what is used and not declared, with what may have been meant."""
    near = get_close_matches(name, list(declared), n=1)
    hint = f"did you mean {near[0]}? Otherwise declare it" if near else "declare it"
    return f"There is no {what} {name} in this composition; {hint}, or remove it here."
