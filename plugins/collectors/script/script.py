"""What a script of the operator says."""

from dataclasses import replace

from detectviz.contracts.collector import CheckResult, CollectorContext, Metric
from detectviz.contracts.commands import Command, CommandResult
from detectviz.contracts.config import get_text, get_text_map, get_texts
from detectviz.contracts.errors import PluginError
from detectviz.contracts.masking import MASK
from detectviz.contracts.types import CheckState
from plugins.collectors.script.reading import Reading, read_output

_MARGIN_S = 0.2
_SHOWN = 4_000


class ScriptCollector:
    """Runs one of the operator's scripts; what it says is the result."""

    async def check(self, context: CollectorContext) -> CheckResult:
        """Run the script within the timeout; raise PluginError when it cannot be started."""
        if context.commands is None:
            raise PluginError("This location runs no scripts.", permanent=True)
        ended = _masked(await context.commands.run(_command(context)), context)
        reading = _read(get_text(context.config, "format"), ended)
        return CheckResult(
            state=reading.state,
            message=reading.message or "The script said nothing.",
            duration_s=ended.duration_s,
            metrics=(*reading.metrics, *_own_metrics(ended)),
            evidence=_evidence(ended),
        )


def _command(context: CollectorContext) -> Command:
    config = context.config
    stdin = context.secrets.get("secret_stdin") or get_text(config, "stdin")
    return Command(
        program=get_text(config, "script"),
        arguments=get_texts(config, "arguments"),
        stdin=stdin.encode(),
        environment=get_text_map(config, "environment"),
        timeout_s=max(_MARGIN_S, context.timeout_s - _MARGIN_S),
    )


def _masked(ended: CommandResult, context: CollectorContext) -> CommandResult:
    """Return the result without the secret, should the script repeat it."""
    secret = context.secrets.get("secret_stdin", "").strip().encode()
    if not secret:
        return ended
    return replace(
        ended,
        stdout=ended.stdout.replace(secret, MASK.encode()),
        stderr=ended.stderr.replace(secret, MASK.encode()),
    )


def _read(form: str, ended: CommandResult) -> Reading:
    if ended.ended_by:
        return Reading(state=CheckState.DOWN, message=f"The script was ended: {ended.ended_by}.")
    return read_output(form, ended)


def _own_metrics(ended: CommandResult) -> tuple[Metric, ...]:
    if ended.exit_code is None:
        return ()
    return (Metric(name="probe_script_exit_code", value=ended.exit_code),)


def _evidence(ended: CommandResult) -> dict[str, str | int | None]:
    return {
        "exit_code": ended.exit_code,
        "output": ended.stdout.decode("utf-8", "replace")[:_SHOWN],
        "errors": ended.stderr.decode("utf-8", "replace")[:_SHOWN],
    }
