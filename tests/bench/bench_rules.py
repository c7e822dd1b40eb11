"""1,000 alert rules on 1,000 series, one after another with their states kept, a slot at a time."""

from typing import Final

from tests.bench.django_child import measured_in_child
from tests.bench.table import Row, show

GOAL_WALL_S: Final = 10.0
GOAL_CPU_S: Final = 0.1 * 60e-3  # 10,000 rules in 60 ms


def main() -> int:
    """Print the table."""
    found = measured_in_child("tests.bench.rules_child")
    show(
        [
            Row(
                name="1,000 rules, wall time of a cycle",
                value=found["wall"],
                unit="s",
                goal=GOAL_WALL_S,
            ),
            Row(
                name="1,000 rules, CPU of a cycle (goal: fused rules)",
                value=found["cpu"],
                unit="s",
                goal=GOAL_CPU_S,
            ),
        ]
    )
    return 0
