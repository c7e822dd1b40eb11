"""What fills each place of a deployment, as the variables that the settings read.

A variable of the environment that says otherwise than the composition is a problem.
"""

from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit

import orjson

from detectviz.composition.model import Composition, Driver, Part
from detectviz.composition.reading import Reading

EVENTBUS, EVENTBUS_CONFIG = "DETECTVIZ_EVENTBUS_URL", "DETECTVIZ_EVENTBUS_CONFIG"
DATABASE, REDIS, SERIES = "DETECTVIZ_DATABASE_URL", "DETECTVIZ_REDIS_URL", "DETECTVIZ_TSDB_URL"
CACHE, CACHE_CONFIG = "DETECTVIZ_CACHE_URL", "DETECTVIZ_CACHE_CONFIG"
AUTH, MIDDLEWARE = "DETECTVIZ_AUTH", "DETECTVIZ_MIDDLEWARE"
_PLACE = {DATABASE: "/spec/drivers", REDIS: "/spec/broker", SERIES: "/spec/tsdb"}
_MAIL_PORTS = {"smtp": 25, "smtps": 465}
_YES = frozenset({"yes", "true", "1"})

Variables = dict[str, str]


def place_variables(reading: Reading) -> Variables:
    """Return the variables of every place that the composition fills."""
    composition = reading.composition
    return {
        **_drivers(reading),
        **_eventbus(reading),
        **_mail(reading),
        **_ordered(reading, "auth", AUTH, composition.auth),
        **_ordered(reading, "middleware", MIDDLEWARE, composition.middleware),
        **_cache(reading),
    }


def _drivers(reading: Reading) -> Variables:
    """Return database, broker and series store; empty places are to stay empty."""
    variables: Variables = {}
    for variable, driver in _placed(reading.composition).items():
        given = reading.variable(variable)
        declared = reading.address(driver) if driver else ""
        if given and given != declared and (driver is None or driver.url != {"env": variable}):
            where = f"/spec/drivers/{driver.name}" if driver else _PLACE[variable]
            cure = f"change this to a driver with url: {{env: {variable}}}"
            reading.disagree(where, variable, cure)
        elif declared:
            variables[variable] = declared
    return variables


def _placed(composition: Composition) -> Mapping[str, Driver | None]:
    drivers = composition.drivers
    return {
        DATABASE: composition.database,
        REDIS: drivers.get(composition.broker.driver),
        SERIES: drivers.get(composition.tsdb.driver),
    }


def _eventbus(reading: Reading) -> Variables:
    """Return the variables of a bus between processes; none for the one in process."""
    bus = reading.composition.eventbus
    if bus.type == "in-process":
        return {}
    config = dict(reading.resolved(bus.config, "/spec/eventbus/config"))
    driver = reading.composition.drivers.get(bus.driver)
    own_url = str(config.pop("url", ""))
    url = reading.address(driver) if driver else own_url
    given = reading.variable(EVENTBUS)
    if given and given != url:
        reading.disagree("/spec/eventbus", EVENTBUS)
    return {EVENTBUS: url, EVENTBUS_CONFIG: orjson.dumps(config).decode() if config else ""}


def _mail(reading: Reading) -> Variables:
    """Return the variables of the mail server, if one is declared."""
    driver = reading.composition.mail
    address = reading.address(driver) if driver else ""
    if driver is None or not address:
        return {}
    variables = mail_variables(address)
    for name, value in variables.items():
        given = reading.variable(name)
        if given and given != value:
            reading.disagree(f"/spec/drivers/{driver.name}", name)
    return variables


def mail_variables(address: str) -> Variables:
    """Return the variables of ``smtp://user:password@host:587?starttls=yes`` or ``smtps://…``."""
    parts = urlsplit(address)
    has_starttls = parse_qs(parts.query).get("starttls", ["no"])[0] in _YES
    return {
        "DETECTVIZ_SMTP_HOST": parts.hostname or "localhost",
        "DETECTVIZ_SMTP_PORT": str(parts.port or _MAIL_PORTS[parts.scheme]),
        "DETECTVIZ_SMTP_USERNAME": unquote(parts.username or ""),
        "DETECTVIZ_SMTP_PASSWORD": unquote(parts.password or ""),
        "DETECTVIZ_SMTP_STARTTLS": "true" if has_starttls else "false",
        "DETECTVIZ_SMTP_TLS": "true" if parts.scheme == "smtps" else "false",
    }


def _ordered(reading: Reading, kind: str, variable: str, parts: tuple[Part, ...]) -> Variables:
    """Return the variable that names plugins in their order; none where there are none here."""
    if not parts:
        return {}
    names = ",".join(part.name for part in parts)
    given = [word.strip() for word in reading.variable(variable).split(",") if word.strip()]
    if given and ",".join(given) != names:
        reading.disagree(f"/spec/{kind}", variable)
    if reading.variable(f"{variable}_CONFIG"):
        message = (
            f"{variable}_CONFIG is set, and the composition chooses the plugins; unset it and "
            "write their config here."
        )
        reading.complain(f"/spec/{kind}", message)
    return {variable: names}


def _cache(reading: Reading) -> Variables:
    """Return the variables of the cache where it is not the broker's, which is the default."""
    cache, broker = reading.composition.cache, reading.composition.broker
    config = dict(reading.resolved(cache.config, "/spec/cache/config"))
    driver = reading.composition.drivers.get(cache.driver)
    own_url = str(config.pop("url", f"{cache.type}://"))
    url = reading.address(driver) if driver else own_url
    given = reading.variable(CACHE)
    if given and given != url and (driver is None or driver.url != {"env": CACHE}):
        reading.disagree("/spec/cache", CACHE)
    if config and reading.variable(CACHE_CONFIG):
        reading.disagree("/spec/cache/config", CACHE_CONFIG)
    told = {CACHE_CONFIG: orjson.dumps(config).decode()} if config else {}
    is_default = (cache.type, cache.driver) == (broker.type, broker.driver)
    return told if is_default else {CACHE: url, **told}
