"""How the benches print: a measure, what it came to, its goal, and whether it is met."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured value; less is better. ``goal`` None: no goal, only told."""

    name: str
    value: float
    unit: str
    goal: float | None = None

    @property
    def verdict(self) -> str:
        """Say whether the goal is met."""
        if self.goal is None:
            return ""
        return "met" if self.value <= self.goal else "MISSED"


def show(rows: Iterable[Row]) -> None:
    """Print rows as a table, each as it comes."""
    out = sys.stdout
    out.write(f"{'measure':58}{'value':>10} {'unit':5}{'goal':>8}\n")
    out.flush()
    for row in rows:
        goal = "" if row.goal is None else f"{row.goal:g}"
        out.write(f"{row.name:58}{row.value:10.3f} {row.unit:5}{goal:>8}  {row.verdict}\n")
        out.flush()
