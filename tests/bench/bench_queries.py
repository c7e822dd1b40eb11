"""50 queries of datasources at once: through our service, and by the drivers alone.

Both answer the same 100 rows of the same PostgreSQL and MariaDB, 50 threads at a time. The drivers
keep a connection for each thread and do nothing else; the service authenticates the request,
resolves the datasource, checks the query, runs it in a read-only session and writes JSON.
"""

import shutil
import sys

from detectviz.testing.databases import postgresql_server
from detectviz.testing.mariadb import mariadb_server
from tests.bench.django_child import measured_in_child
from tests.bench.table import Row, show

PROGRAMS = ("postgres", "mariadbd")
SEED = (
    "CREATE USER bench IDENTIFIED BY 'bench-secret'",
    "CREATE DATABASE bench",
    "GRANT SELECT ON bench.* TO bench",
)


def main() -> int:
    """Print p50 and p95 of both and their ratio; 1 where a server is missing."""
    try:
        with postgresql_server() as postgresql, mariadb_server() as mariadb:
            mariadb.execute(*SEED)
            found = measured_in_child(
                "tests.bench.queries_child",
                BENCH_POSTGRESQL=postgresql,
                BENCH_MARIADB=str(mariadb.port),
                # 50 at once in both: without these the service would let 8 through at a time.
                DETECTVIZ_ALLOWED_HOSTS="testserver",
                DETECTVIZ_DATASOURCE_QUERIES="50",
                DETECTVIZ_DATASOURCE_QUERIES_PER_ORG="50",
                DETECTVIZ_DATASOURCE_QUERIES_PER_SOURCE="50",
            )
    except (FileNotFoundError, KeyError) as error:
        missing = [name for name in PROGRAMS if shutil.which(name) is None]
        sys.stdout.write(f"cannot run without {', '.join(missing) or error}\n")
        return 1
    rows = []
    for name, (service, driver) in found.items():
        for quantile in ("p50", "p95"):
            ratio = service[quantile] / driver[quantile]
            rows += [
                Row(
                    name=f"{name}: service, 50 at once, {quantile}",
                    value=service[quantile],
                    unit="ms",
                ),
                Row(name=f"{name}: driver alone, {quantile}", value=driver[quantile], unit="ms"),
                Row(name=f"{name}: service / driver, {quantile}", value=ratio, unit="x"),
            ]
    show(rows)
    return 0
