"""What "Save & test" says about a database."""

from collections.abc import Sequence

from detectviz.contracts.datasource import Health


def healthy(
    server: str, *, role: str, ways_to_write: Sequence[str], is_encrypted: bool | None = None
) -> Health:
    """Return an ok that warns of a role that can write: statements are only as safe as it is.

    ``ways_to_write`` are phrases such as ``may change orders``; ``is_encrypted`` None is unknown.
    """
    message = f"Connected to {server} as {role}."
    warnings: list[str] = []
    if ways_to_write:
        warnings.append(
            f"the role {role} can write ({', '.join(ways_to_write)}); "
            "give the datasource a role that may only read"
        )
    if is_encrypted is False:
        warnings.append("the connection is not encrypted")
    if warnings:
        message += f" WARNING: {'; '.join(warnings)}."
    return Health(
        status="ok",
        message=message,
        details={"server": server, "can_write": bool(ways_to_write), "warnings": warnings},
    )
