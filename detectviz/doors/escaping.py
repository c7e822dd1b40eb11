"""Names that are no classic Prometheus names, where classic ones are demanded.

Source: "Name escaping" of Prometheus' UTF-8 specification.
"""

from detectviz.promql.labels import is_plain_metric_name

_PREFIX = "U__"
_LONGEST_HEX = 6


def label_name_unescape(name: str) -> str:
    """Return the name behind ``U__…``: ``_2e_`` is a dot, ``__`` an underscore.

    What is not well escaped stands for itself.
    """
    if not name.startswith(_PREFIX):
        return name
    plain: list[str] = []
    rest = name[len(_PREFIX) :]
    while rest:
        before, underscore, rest = rest.partition("_")
        plain.append(before)
        if not underscore:
            break
        code, closing, after = rest.partition("_")
        character = _character(code) if closing else None
        if character is None:
            return name
        plain.append(character)
        rest = after
    return "".join(plain)


def name_underscored(name: str) -> str:
    """Return a classic name: every other character becomes an underscore."""
    if is_plain_metric_name(name):
        return name
    text = "".join(
        character if character == ":" or (character.isascii() and character.isalnum()) else "_"
        for character in name
    )
    return f"_{text}" if text[:1].isdigit() else text


def _character(code: str) -> str | None:
    if not code:
        return "_"
    if len(code) > _LONGEST_HEX:
        return None
    try:
        return chr(int(code, 16)) if code.isalnum() else None
    except ValueError:
        return None
