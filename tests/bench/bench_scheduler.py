"""What monitors cost beside their checks: claims, and storing what was found.

One process claims the slots of two simulated minutes and stores a result with six metrics for
each; its CPU time of the second minute counts. With PostgreSQL the server's own time is not in it.
"""

from typing import Final

from detectviz.testing.databases import postgresql_server
from detectviz.testing.services import missing_programs
from tests.bench.django_child import measured_in_child
from tests.bench.table import Row, show

# The whole product may take 1/12 of Prometheus with blackbox_exporter (0.847 s per 1,000 checks);
# an HTTP check itself takes 0.045 to 0.07 of that.
GOAL_S: Final = 0.847 / 12


def main() -> int:
    """Print the table; PostgreSQL only where it is installed."""
    rows = _rows("SQLite", measured_in_child("tests.bench.scheduler_child"))
    if not missing_programs(["postgres"]):
        with postgresql_server() as url:
            variables = {
                "DETECTVIZ_DATABASE_URL": url,
                "DETECTVIZ_REDIS_URL": "redis://127.0.0.1:1/0",  # never asked
                "DETECTVIZ_SECRET_KEY": "only-for-this-benchmark-" * 3,
                "DETECTVIZ_MASTER_KEYS": "only-for-this-benchmark-" * 3,
                "DETECTVIZ_ALLOWED_HOSTS": "127.0.0.1",
            }
            rows += _rows(
                "PostgreSQL", measured_in_child("tests.bench.scheduler_child", **variables)
            )
    show(rows)
    return 0


def _rows(name: str, found: dict[str, float]) -> list[Row]:
    return [
        Row(name=f"{name}: claims, CPU per 1,000 checks", value=found["claim"], unit="s"),
        Row(name=f"{name}: storing, CPU per 1,000 checks", value=found["store"], unit="s"),
        Row(
            name=f"{name}: both, CPU per 1,000 checks (goal: whole product)",
            value=found["claim"] + found["store"],
            unit="s",
            goal=round(GOAL_S, 3),
        ),
    ]
