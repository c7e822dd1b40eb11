"""The command line: `detectviz …`, which is `python manage.py …`."""

import getpass
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from detectviz.observability.context import SYSTEM, Actor, RequestContext, context
from detectviz.runtime.memory import arenas_limit

GLOBAL_OPTIONS = {
    "--data-dir": "DETECTVIZ_DATA_DIR",
    "--url": "DETECTVIZ_URL",
    "--api-key": "DETECTVIZ_API_KEY",
}
UP_OPTIONS = {
    "--host": "DETECTVIZ_HOST",
    "--port": "DETECTVIZ_PORT",
    "--composition": "DETECTVIZ_COMPOSITION",
    "--pool": "DETECTVIZ_POOL",
}


def main() -> None:
    """Run the command line; exit status 0 done, 1 refused or not found, 2 wrong usage."""
    arguments = take_global_options(sys.argv[1:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "detectviz.settings")  # noqa: TID251 - Django reads it there
    if arguments[:1] == ["up"]:
        arenas_limit()
        share_metrics_between_processes()
    # One thread per process is enough for our vectors, and forks share no thread pools.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # noqa: TID251 - read by numpy when imported
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415 - after the environment
    from django.core.management import execute_from_command_line  # noqa: PLC0415 - after the environment

    # The processes that `up` starts act for themselves, every other command for who typed it.
    actor = SYSTEM if arguments[:1] == ["up"] else Actor(name=_operator(), via="cli")
    try:
        with context(RequestContext(actor_source=lambda: actor)):
            execute_from_command_line([sys.argv[0], *arguments])
    except ImproperlyConfigured as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command line speaks here
        sys.exit(1)
    except Exception as error:
        message = getattr(error, "message", None)  # DomainError and PluginError carry a sentence
        if message is None:
            raise
        print(message, file=sys.stderr)  # noqa: T201 - the command line speaks here
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _operator() -> str:
    """Return the name the operating system knows the caller by."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return f"uid {os.getuid()}"


def take_global_options(arguments: Sequence[str]) -> list[str]:
    """Move global options into the environment, wherever they stand, and return the rest."""
    rest: list[str] = []
    words = iter(arguments)
    known = GLOBAL_OPTIONS | (UP_OPTIONS if "up" in arguments else {})
    for word in words:
        option, _, value = word.partition("=")
        if option in known:
            value = value or next(words, "")
            if not value:
                print(f"{option} needs a value.", file=sys.stderr)  # noqa: T201 - the command line speaks here
                sys.exit(2)
            os.environ[known[option]] = value  # noqa: TID251 - settings read it next
        else:
            rest.append(word)
    return rest


def share_metrics_between_processes() -> None:
    """Give prometheus_client a directory of this supervisor's own: it is read at import.

    Directories of supervisors that are gone go, too.
    """
    data_dir = Path(os.environ.get("DETECTVIZ_DATA_DIR", "var"))  # noqa: TID251 - before settings exist
    parent = data_dir.resolve() / "run" / "metrics"
    for left in parent.glob("*"):
        if not left.name.isdigit() or not psutil.pid_exists(int(left.name)):
            shutil.rmtree(left, ignore_errors=True)
    directory = parent / str(os.getpid())
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True, mode=0o700)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)  # noqa: TID251 - the library's own variable
