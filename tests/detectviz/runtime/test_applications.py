"""Which processes and modules an application, a set of them, or a pool of workers has."""

import pytest
from pytest_django import Settings

from detectviz.runtime.applications import applications_parse, modules_of, processes_of
from detectviz.runtime.modules import ModuleError
from detectviz.runtime.servers import WorkerModule


def names(role: str) -> list[str]:
    return [module.name for module in modules_of(role)]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "no application"),
        ("wb", "no application 'wb'; choose from all, web"),
        ("web,cli", "cli runs one command"),
        ("cli", "cli runs one command"),
        ("agent", "reserved"),
        ("all,web", "give it alone"),
    ],
)
def test_what_cannot_run_together_is_refused(words: str, says: str) -> None:
    with pytest.raises(ModuleError, match=says):
        applications_parse(words)


def test_any_set_runs_together() -> None:
    applications = applications_parse("beat, web,beat")
    assert applications == ("beat", "web")
    assert processes_of(applications, is_embedded=False) == ("web", "beat", "sys")


@pytest.mark.parametrize("is_embedded", [True, False])
def test_everything_fits_into_one_process_with_one_worker(
    settings: Settings, *, is_embedded: bool
) -> None:
    settings.IS_EMBEDDED = is_embedded
    role = "+".join(processes_of(("all",), is_embedded=is_embedded))

    assert {"web", "collection", "worker", "beat", "sys"} <= set(names(role))
    (worker,) = [module for module in modules_of(role) if isinstance(module, WorkerModule)]
    assert set(worker.queues) == {"collect", "evaluate", "notify", "jobs"}


@pytest.mark.parametrize(
    ("queues", "roles"),
    [
        (("collect",), ("collector", "sys")),
        (("evaluate", "jobs"), ("worker", "sys")),
        (("collect", "notify"), ("collector", "worker", "sys")),
        ((), ("collector", "worker", "sys")),
    ],
)
def test_workers_of_a_pool_run_what_its_queues_need(
    settings: Settings, queues: tuple[str, ...], roles: tuple[str, ...]
) -> None:
    settings.IS_EMBEDDED = False
    settings.POOL_QUEUES = queues
    assert processes_of(("worker",), is_embedded=False) == roles
    for role in {"collector", "worker"} & set(roles):
        (worker,) = [module for module in modules_of(role) if isinstance(module, WorkerModule)]
        expected = {"collect"} if role == "collector" else set(queues) - {"collect"}
        assert set(worker.queues) == (expected or {"evaluate", "notify", "jobs"})
