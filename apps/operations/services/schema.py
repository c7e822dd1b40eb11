"""The database schema at start: one process migrates, the others wait for it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connection
from django.db.migrations.executor import MigrationExecutor

from apps.operations.errors import StartupError
from detectviz.runtime.drivers import database_drivers
from detectviz.runtime.driving import ANSWER_TIMEOUT_S
from detectviz.runtime.modules import ModuleError
from detectviz.tenancy.checks import check_role_is_ordinary
from detectviz.tenancy.row_security import row_security_apply

LOCK_KEY = 0x6465_7465_6374_767A  # "detectvz": one number of PostgreSQL's advisory locks
WAIT_TIMEOUT_S = 300.0
POLL_S = 0.5

Say = Callable[[str], object]


def schema_missing() -> list[str]:
    """Return the migrations this version has and the database has not, as ``app.name``."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def schema_migrate(*, say: Say) -> None:
    """Run the migrations that are missing; put up missing row security."""
    if schema_missing():
        say("Preparing the database …")
        call_command("migrate", interactive=False, verbosity=0)
    row_security_apply()


def role_warn(*, say: Say) -> None:
    """Tell when the database role walks through row security."""
    for problem in check_role_is_ordinary(None, databases=[DEFAULT_DB_ALIAS]):
        say(f"WARNING ({problem.id}): {problem.msg} {problem.hint}")


@contextmanager
def schema_lock() -> Iterator[None]:
    """Hold off every other process that prepares this database until the block ends.

    PostgreSQL: a session's advisory lock, which a killed process leaves to the next. SQLite: the
    one supervisor of a data directory is alone with its file, so there is nothing to hold off.
    """
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK_KEY])


def database_await(*, timeout_s: float = ANSWER_TIMEOUT_S) -> None:
    """Wait until the database answers, by its drivers; raise StartupError with their words."""
    *reaching, own = database_drivers(timeout_s=timeout_s)
    try:
        for driver in (*reaching, own):
            driver.start()
    except ModuleError as error:
        raise StartupError(f"The database cannot be used: {error}") from error
    finally:
        for driver in reaching:
            driver.stop(timeout_s)


def schema_await(*, say: Say, timeout_s: float = WAIT_TIMEOUT_S) -> None:
    """Wait until another process has brought the schema to this version.

    Raises StartupError naming a missing migration when nobody does so within ``timeout_s``.
    """
    ends_at = time.monotonic() + timeout_s
    is_told = False
    while missing := schema_missing():
        if not is_told:
            say(f"Waiting for `detectviz up --app web` to run {len(missing)} migrations …")
            is_told = True
        if time.monotonic() >= ends_at:
            raise StartupError(
                f"The database lacks {len(missing)} migrations of this version, first "
                f"{missing[0]}: start `detectviz up --app web` of the same version, or run "
                "`detectviz migrate`."
            )
        time.sleep(POLL_S)
