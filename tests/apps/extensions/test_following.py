"""A running process follows what another one writes to SQL."""

import json
import select
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from apps.extensions.models import PluginStamp, PluginSwitch
from apps.extensions.selectors import plugin_client
from apps.extensions.services.following import PluginsModule
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import UnavailableError
from detectviz.pluginhost.host import PluginHost

COLLECTOR = PluginKind.COLLECTOR
FOLLOWER = """
import json, sys
import django
django.setup()
from apps.extensions.selectors import plugin_client, plugin_host
from apps.extensions.services.following import PluginsModule
from detectviz.contracts.types import PluginKind
from detectviz.pluginhost.errors import PluginHostError

module = PluginsModule(look_every_s=0.05)
module.start()
for line in sys.stdin:
    try:
        instance = plugin_client().instance(PluginKind.COLLECTOR, "probe", org=line.strip() or None)
        answer = instance.version
    except PluginHostError as error:
        answer = type(error).__name__
    print(json.dumps(answer), flush=True)
module.stop(5)
"""


Environment = dict[str, str]


WRITER = """
import sys
import django
django.setup()
from django.core.management import call_command

call_command("migrate", verbosity=0)
print("null", flush=True)
for line in sys.stdin:
    call_command("plugins", *line.split(), stdout=sys.stderr)
    print("null", flush=True)
"""


class Other:
    """Another process: it answers every line with a line."""

    def __init__(self, child: "subprocess.Popen[str]") -> None:
        assert child.stdin
        assert child.stdout
        self._questions, self._answers = child.stdin, child.stdout

    def ask(self, question: str = "") -> Any:
        self._questions.write(f"{question}\n")
        self._questions.flush()
        return self.read()

    def read(self) -> Any:
        ready, _, _ = select.select([self._answers], [], [], 60)
        assert ready, "the other process does not answer"
        return json.loads(self._answers.readline())

    def becomes(self, wanted: str) -> bool:
        pause = threading.Event()
        return any(self.ask() == wanted or pause.wait(0.05) for _ in range(200))


@contextmanager
def _other(code: str, environment: Environment) -> Iterator[Other]:
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        cwd=settings.BASE_DIR,
    ) as child:
        yield Other(child)
    assert child.returncode == 0


@pytest.mark.django_db(transaction=True)
def test_a_module_takes_over_what_changes_in_sql(host: PluginHost) -> None:
    module = PluginsModule(look_every_s=0.02)
    module.start()
    try:
        assert plugin_client().instance(COLLECTOR, "probe")
        PluginSwitch.objects.create(kind="collectors", name="probe", is_enabled=False)
        PluginStamp.objects.update_or_create(pk=1, defaults={"policy": 7})
        pause = threading.Event()
        assert any(
            host.registry.find((COLLECTOR, "probe")) is None or pause.wait(0.02) for _ in range(250)
        )
        with pytest.raises(UnavailableError):
            plugin_client().instance(COLLECTOR, "probe")
    finally:
        module.stop(5)
    assert not host.registry.all()


def test_another_process_follows_switches_and_new_versions_without_a_restart(
    write_plugin: Any, trust_folder: Path, tmp_path: Path
) -> None:
    write_plugin()
    environment = {
        "PATH": "/usr/bin:/bin",
        "DJANGO_SETTINGS_MODULE": "detectviz.settings",
        "DETECTVIZ_DATA_DIR": str(tmp_path / "data"),
        "DETECTVIZ_PLUGIN_DIRS": str(tmp_path / "plugins"),
        "DETECTVIZ_PLUGIN_TRUST_DIR": str(trust_folder),
        "DETECTVIZ_DATABASE_URL": f"sqlite:///{tmp_path}/data/test.sqlite3",
    }
    (tmp_path / "data").mkdir()
    with _other(WRITER, environment) as writer:
        writer.read()
        with _other(FOLLOWER, environment) as process:
            assert process.ask() == "1.0.0"
            writer.ask("disable collectors/probe")
            assert process.becomes("UnavailableError")
            writer.ask("enable collectors/probe")
            assert process.becomes("1.0.0")
            write_plugin(version="2.0.0")
            assert process.ask() == "1.0.0"
            writer.ask("reload")
            assert process.becomes("2.0.0")
