"""First start, every start: data directory, database, static files, then the processes."""

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from django.conf import settings
from django.core.management import call_command

from apps.accounts.services.bootstrap import DEFAULT_ORG, platform_bootstrap
from apps.datasources.services.provisioning import (
    FOLDER,
    ProvisioningError,
    datasources_provision,
)
from apps.operations.services.schema import (
    database_await,
    role_warn,
    schema_await,
    schema_lock,
    schema_migrate,
)
from apps.orgs.selectors import org_get
from detectviz import __version__
from detectviz.clock import utc_now
from detectviz.composition.current import composition_current
from detectviz.paths import resource_folder
from detectviz.resources.manifests import manifests_apply
from detectviz.resources.yaml import load_documents
from detectviz.runtime.applications import (
    LATE_NICENESS,
    late_forget,
    late_listeners,
    processes_of,
    run_alone,
    run_role,
)
from detectviz.runtime.pidfile import pid_file
from detectviz.runtime.supervisor import Late, Supervisor
from detectviz.runtime.systemd import Notifier, service_notifier
from detectviz.settings import env

Say = Callable[[str], object]
DEMO_PORT = 8080  # where fixtures/demo says the product listens
DEMO_END = "2030-01-01"  # when it ends what can't go on for ever
DEMO_YEARS = 4  # that it goes on for; a recurring silence may for five


def startup_prepare(*, applications: Sequence[str], with_demo: bool, say: Say) -> None:
    """Bring data directory and database to this version; idempotent and quick when done."""
    database_await()
    role_warn(say=say)
    if not {"all", "web"} & set(applications):
        schema_await(say=say)
        return
    with schema_lock():
        schema_migrate(say=say)
        credentials = admin_prepare()
    static_prepare()
    if credentials:
        say(credentials)
    if settings.PROVISIONING_DIR is not None:
        provisioning_prepare(folder=settings.PROVISIONING_DIR / FOLDER, say=say)
    if with_demo:
        demo_prepare(say=say)


def admin_prepare() -> str:
    """Make the first org and administrator; return what to tell the operator, once."""
    username = env.text("DETECTVIZ_ADMIN_USERNAME", "admin")
    generated = platform_bootstrap(
        username=username,
        email=env.text("DETECTVIZ_ADMIN_EMAIL", "admin@localhost.localdomain"),
        password=env.text("DETECTVIZ_ADMIN_PASSWORD") or None,
    )
    if generated is None:
        return ""
    path = Path(settings.DATA_DIR) / "initial-admin.txt"
    text = f"username: {username}\npassword: {generated}\n"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return f"\nFirst administrator (also in {path}):\n{text}"


def provisioning_prepare(*, folder: Path, say: Say) -> None:
    """Bring the datasources to what the operator's files say; a wrong file leaves them as they are.

    The rest of the product does not wait for a file to be corrected: it watches meanwhile.
    """
    if not folder.is_dir():
        return
    try:
        report = datasources_provision(folder=folder)
    except ProvisioningError as error:
        say(f"Nothing was provisioned. {error.message}")
        return
    for warning in report.warnings:
        say(warning)
    say(report.sentence)


def static_prepare() -> None:
    """Collect and hash static files when they changed; of several who start at once, one does."""
    stamp = _static_stamp()
    folder = Path(settings.STATIC_ROOT)
    if _is_collected(folder, stamp):
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _is_collected(folder, stamp):
            return
        shutil.rmtree(folder, ignore_errors=True)
        call_command("collectstatic", interactive=False, verbosity=0)
        (folder / ".stamp").write_text(stamp, encoding="ascii")


def _is_collected(folder: Path, stamp: str) -> bool:
    path = folder / ".stamp"
    return path.exists() and path.read_text(encoding="ascii") == stamp


def demo_prepare(*, say: Say) -> None:
    """Apply the demonstration manifests to the default org; they watch this very product."""
    org = org_get(DEFAULT_ORG)
    if org is None:
        return
    for path in sorted((resource_folder("fixtures") / "demo").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        documents = load_documents(_here_and_now(text))
        manifests_apply(org=org, actor=None, access=None, documents=documents)
    say("Demonstration data is in place.")


def _here_and_now(text: str) -> str:
    """Return the manifests with the port this product listens on (by loopback) and near ends."""
    port = str(settings.PORT)
    return (
        text.replace(f"127.0.0.1:{DEMO_PORT}", f"127.0.0.1:{port}")
        .replace(f"port: {DEMO_PORT}", f"port: {port}")
        .replace(DEMO_END, f"{utc_now().year + DEMO_YEARS}-01-01")
    )


def startup_run(*, applications: Sequence[str], say: Say, is_alone: bool = False) -> int:
    """Run the processes until Ctrl-C or SIGTERM; return the exit status.

    ``is_alone``: all in this one process, which ends when a module fails.
    """
    wanted = _declared() if tuple(applications) == ("all",) else applications
    roles = processes_of(wanted, is_embedded=settings.IS_EMBEDDED)
    service = service_notifier()
    path = Path(settings.DATA_DIR) / f"detectviz-{'+'.join(applications)}.pid"
    with pid_file(path, is_sole=settings.IS_EMBEDDED):
        if "web" in roles:
            say(f"Detectviz {__version__} at {settings.EXTERNAL_URL}/  (Ctrl-C stops)")
            sys.stdout.flush()
        return run_alone(roles, service) if is_alone else _supervise(roles, service)


def _declared() -> Sequence[str]:
    """Return what ``all`` means: the applications of the composition but for the command line."""
    names = composition_current().composition.applications
    return [name for name in names if name != "cli"]


def _supervise(roles: Sequence[str], service: Notifier) -> int:
    listeners = late_listeners(roles)
    late = {role: Late(listener, LATE_NICENESS[role]) for role, listener in listeners.items()}
    try:
        run = partial(run_role, listeners=listeners)
        return Supervisor(roles, run, late, service).run()
    finally:
        late_forget(listeners)


def _static_stamp() -> str:
    """Return a digest of version, names and contents of all static sources, alike everywhere."""
    digest = hashlib.sha256(__version__.encode())
    for folder in settings.STATICFILES_DIRS:
        for path in sorted(Path(folder).rglob("*")):
            if path.is_file():
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.relative_to(folder)}:{content}\n".encode())
    return digest.hexdigest()
