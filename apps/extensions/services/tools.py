"""Tools: run one now, in the name of whoever asked."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from django.core.cache import cache
from django.db import models

from apps.extensions.selectors import plugin_client
from apps.extensions.services.configuration import configuration_check, manifest_require
from detectviz.clock import utc_now
from detectviz.contracts.drawings import drawing_problems
from detectviz.contracts.errors import PluginError
from detectviz.contracts.tool import Tool, ToolAnswer, ToolContext
from detectviz.contracts.types import PluginKind
from detectviz.events.bus import publish
from detectviz.events.types import SecurityEventOccurred
from detectviz.net.network import EngineNetwork
from detectviz.pluginhost.errors import PluginHostError
from detectviz.resources.errors import LimitExceededError
from detectviz.runtime.egress import egress_policy

TIMEOUT_S: Final = 15.0
RUNS_PER_MINUTE: Final = 30  # of one person or program
ORG_RUNS_PER_MINUTE: Final = 120
_MINUTE_S: Final = 60
PERMISSION: Final = "tools:execute"


def tool_run(*, org: models.Model, actor: Any, name: str, config: Mapping[str, Any]) -> ToolAnswer:
    """Run the tool ``name`` within TIMEOUT_S; audited whatever comes of it.

    Raise InvalidFieldsError for a configuration the plugin's schema refuses, LimitExceededError
    for more runs than RUNS_PER_MINUTE; what kept the tool from answering is an answer that is not
    all right.
    """
    manifest = manifest_require(kind=PluginKind.TOOL, name=name, path="name", org=org)
    checked = configuration_check(
        manifest=manifest, config=config, secrets={}, stored=None, path="spec"
    )
    _run_count(org, actor)
    try:
        plugin_client().running(PluginKind.TOOL, name, org=str(getattr(org, "name", "")))
        answer = asyncio.run(_run(name, checked.config, str(getattr(org, "name", ""))))
        problems = [text for each in answer.drawings for text in drawing_problems(each)]
        if problems:
            answer = ToolAnswer(is_ok=False, summary=problems[0])
    except PluginHostError as error:
        answer = ToolAnswer(is_ok=False, summary=str(error))
    publish(
        SecurityEventOccurred(
            action="tool.run",
            org_id=org.pk,
            actor_id=None if actor is None else actor.pk,
            kind="Tool",
            name=name,
            details={"config": checked.config, "answer": answer.summary[:300]},
            is_success=answer.is_ok,
        )
    )
    return answer


def _run_count(org: models.Model, actor: Any) -> None:
    """Count a run; the operator at the command line (``actor`` None) is not limited."""
    if actor is None:
        return
    minute = int(time.time() // _MINUTE_S)
    limits = {
        f"tool-runs:{org.pk}:{actor.pk}:{minute}": RUNS_PER_MINUTE,
        f"tool-runs:{org.pk}:{minute}": ORG_RUNS_PER_MINUTE,
    }
    for key, most in limits.items():
        cache.add(key, 0, 2 * _MINUTE_S)
        if cache.incr(key) > most:
            raise LimitExceededError(f"{most} runs a minute is the most; wait a minute.")


async def _run(name: str, config: dict[str, Any], org: str) -> ToolAnswer:
    network = EngineNetwork(egress_policy())
    context = ToolContext(
        config=config,
        timeout_s=TIMEOUT_S,
        network=network,
        now=utc_now,
        logger=logging.getLogger(f"detectviz.tools.{name}"),
    )

    async def run(tool: Tool) -> ToolAnswer:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await tool.run(context)
        except TimeoutError as error:
            raise PluginError(f"It did not answer within {TIMEOUT_S:g} s.") from error

    try:
        return await plugin_client().call_async(PluginKind.TOOL, name, "run", run, org=org)
    finally:
        await network.aclose()
