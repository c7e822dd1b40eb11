"""Every kind of mistake in a composition is refused with its file, line, path and cure."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from apps.operations.services.compositions import composition_check
from detectviz.composition.building import deployment_of
from detectviz.composition.checking import composition_read
from detectviz.composition.problems import CompositionError

GOOD = """\
apiVersion: plugins/v1
kind: Composition
metadata:
  name: acme
spec:
  applications:
    web: {drivers: [database, redis, series], plugins: [collectors/*, notifiers/email]}
    worker:
      drivers: [database, redis, series]
      plugins: [collectors/*]
    beat: {drivers: [database, redis]}
  drivers:
    database: {type: postgresql, url: {env: DB}}
    redis: {type: redis, url: "redis://127.0.0.1:6379/0"}
    series: {type: victoriametrics, url: "victoriametrics+http://127.0.0.1:8428"}
  broker: {type: redis, driver: redis}
  cache: {type: redis, driver: redis}
  eventbus: {type: in-process}
  tsdb: {type: remote, driver: series}
  plugins:
    - name: collectors/*
    - name: collectors/http
      config: {method: GET}
      depends_on: [database]
    - name: notifiers/email
  health: {include: [database], interval: 5s, timeout: 2s}
  scaling:
    processes: split
    pools:
      - {name: checks, queues: [collect], shards: 8}
      - {name: rest, queues: [evaluate, notify, jobs]}
"""


CHOOSING = (
    GOOD.replace(
        "  eventbus:",
        """\
  auth:
    - name: jwt
      config: {algorithms: [HS256], issuer: a, audience: b, key: {env: KEY}}
    - name: proxy-header
  middleware:
    - {name: cors, config: {origins: ["https://a.example"]}}
    - {name: request-log}
  eventbus:""",
    )
    .replace(
        "beat: {drivers: [database, redis]}\n  drivers:",
        "beat: {drivers: [database, redis, mail]}\n  drivers:\n"
        '    mail: {type: smtp, url: "smtps://mail.example:4650"}',
    )
    .replace(
        "cache: {type: redis, driver: redis}",
        "cache: {type: database, driver: database, config: {table: shelf}}",
    )
)
WITH_MIDDLEWARE = GOOD.replace("  eventbus:", "  middleware: [{name: request-log}]\n  eventbus:")

WITH_DIRECTORY = GOOD.replace("depends_on: [database]", "depends_on: [directory]").replace(
    "beat: {drivers: [database, redis]}\n  drivers:",
    "beat: {drivers: [database, redis, directory]}\n  drivers:\n"
    "    directory: {type: redis, url: {env: X}}",
)
OTHERS = {"middleware-without-web": WITH_MIDDLEWARE, "unknown-driver-type": WITH_DIRECTORY}


@dataclass(frozen=True)
class Mistake:
    """``old`` becomes ``new``; the problem is at ``path`` on the line that holds ``line``."""

    name: str
    old: str
    new: str
    path: str
    line: str
    says: str


A, S = "/spec/applications", "/spec"
MISTAKES = [
    Mistake("no-yaml", "metadata:", "metadata: [", "", "spec:", "correct it"),
    Mistake("tab", "  name: acme", "\tname: acme", "", "name: acme", "correct it"),
    Mistake("two-documents", "spec:", "---\nspec:", "", "spec:", "exactly one document"),
    Mistake(
        "twice",
        "  tsdb:",
        "  broker: {type: memory}\n  tsdb:",
        f"{S}/broker",
        "broker: {type: memory}",
        "remove one",
    ),
    Mistake(
        "alias",
        "cache: {type: redis, driver: redis}",
        "cache: &c {type: redis, driver: redis}\n  other: *c",
        f"{S}/other",
        "cache: &c",
        "write it out",
    ),
    Mistake(
        "wrong-kind",
        "kind: Composition",
        "kind: Monitor",
        "/kind",
        "kind: Monitor",
        "Must be Composition",
    ),
    Mistake(
        "wrong-version",
        "plugins/v1",
        "plugins/v9",
        "/apiVersion",
        "plugins/v9",
        "Must be plugins/v1",
    ),
    Mistake("no-name", "  name: acme", "  title: Acme", "/metadata/name", "metadata:", "set it"),
    Mistake(
        "bad-name", "name: acme", "name: Acme Ltd", "/metadata/name", "name: Acme", "small letters"
    ),
    Mistake(
        "unknown-field",
        "  eventbus:",
        "  evntbus:",
        f"{S}/evntbus",
        "evntbus",
        "did you mean eventbus",
    ),
    Mistake(
        "no-section", "  tsdb: {type: remote, driver: series}\n", "", f"{S}/tsdb", "spec:", "set it"
    ),
    Mistake(
        "unknown-application", "    beat:", "    bat:", f"{A}/bat", "bat:", "did you mean beat"
    ),
    Mistake(
        "reserved-application",
        "    beat:",
        "    agent: {drivers: [database, redis]}\n    beat:",
        f"{A}/agent",
        "agent:",
        "reserved",
    ),
    Mistake(
        "unknown-driver-type",
        "directory: {type: redis",
        "directory: {type: oracle",
        f"{S}/drivers/directory/type",
        "oracle",
        "No plugin drivers/oracle is installed",
    ),
    Mistake(
        "no-database",
        "database: {type: postgresql, url: {env: DB}}",
        "database: {type: redis, url: {env: DB}}",
        f"{S}/drivers",
        "drivers:\n",
        "declare a driver of type",
    ),
    Mistake(
        "two-databases",
        "  broker:",
        "    more: {type: sqlite}\n  broker:",
        f"{S}/drivers/more",
        "more:",
        "remove one",
    ),
    Mistake(
        "undeclared-driver",
        "beat: {drivers: [database, redis]}",
        "beat: {drivers: [database, redis, reddis]}",
        f"{A}/beat/drivers/2",
        "reddis",
        "did you mean redis",
    ),
    Mistake(
        "unused-driver",
        "  broker:",
        "    other: {type: redis, url: {env: X}}\n  broker:",
        f"{S}/drivers/other",
        "other:",
        "add it to the drivers of one",
    ),
    Mistake(
        "idle-driver",
        "beat: {drivers: [database, redis]}\n  drivers:",
        "beat: {drivers: [database, redis, other]}\n  drivers:\n"
        "    other: {type: redis, url: {env: X}}",
        f"{S}/drivers/other",
        "other: {",
        "Nothing goes through",
    ),
    Mistake(
        "hidden-use",
        "beat: {drivers: [database, redis]}",
        "beat: {drivers: [database]}",
        f"{A}/beat",
        "beat:",
        "add redis to its drivers",
    ),
    Mistake(
        "no-address",
        'series: {type: victoriametrics, url: "victoriametrics+http://127.0.0.1:8428"}',
        "series: {type: victoriametrics}",
        f"{S}/drivers/series",
        "series: {type",
        "set url",
    ),
    Mistake(
        "wrong-address",
        '"redis://127.0.0.1:6379/0"',
        '"http://127.0.0.1"',
        f"{S}/drivers/redis/url",
        "http://127",
        "begin it with redis://",
    ),
    Mistake(
        "bad-reference",
        "{env: DB}",
        "{vault: DB}",
        f"{S}/drivers/database/url",
        "vault",
        "env: VARIABLE",
    ),
    Mistake(
        "password-in-address",
        "redis://127",
        "redis://:hush@127",
        f"{S}/drivers/redis/url",
        "hush",
        "A secret does not stand",
    ),
    Mistake(
        "secret-in-config",
        "config: {method: GET}",
        "config: {bearer_token: hush}",
        f"{S}/plugins/1/config/bearer_token",
        "hush",
        "put it there",
    ),
    Mistake(
        "no-driver-named",
        "broker: {type: redis, driver: redis}",
        "broker: {type: redis}",
        f"{S}/broker",
        "broker:",
        "name one in driver",
    ),
    Mistake(
        "driver-for-memory",
        "eventbus: {type: in-process}",
        "eventbus: {type: in-process, driver: redis}",
        f"{S}/eventbus/driver",
        "eventbus:",
        "remove driver",
    ),
    Mistake(
        "place-undeclared",
        "tsdb: {type: remote, driver: series}",
        "tsdb: {type: remote, driver: serie}",
        f"{S}/tsdb/driver",
        "tsdb:",
        "did you mean series",
    ),
    Mistake(
        "place-wrong-type",
        "tsdb: {type: remote, driver: series}",
        "tsdb: {type: remote, driver: redis}",
        f"{S}/tsdb/driver",
        "tsdb:",
        "name a driver of type",
    ),
    Mistake(
        "broker-without-cache",
        "cache: {type: redis, driver: redis}",
        "cache: {type: memory}",
        f"{S}/cache",
        "cache:",
        "share one cache",
    ),
    Mistake(
        "sqlite-shared",
        "database: {type: postgresql, url: {env: DB}}",
        "database: {type: sqlite}",
        f"{S}/drivers/database/type",
        "database: {",
        "choose postgresql",
    ),
    Mistake(
        "memory-apart",
        "broker: {type: redis, driver: redis}",
        "broker: {type: memory}",
        A,
        "applications:",
        "declare sys too",
    ),
    Mistake(
        "unknown-event-bus",
        "eventbus: {type: in-process}",
        "eventbus: {type: pigeon}",
        f"{S}/eventbus/type",
        "pigeon",
        "choose in-process",
    ),
    Mistake(
        "undeclared-plugin",
        "plugins: [collectors/*]",
        "plugins: [collectors/*, notifiers/emial]",
        f"{A}/worker/plugins/1",
        "emial",
        "did you mean notifiers/email",
    ),
    Mistake(
        "unused-plugin",
        "    - name: notifiers/email\n",
        "    - name: notifiers/email\n    - name: notifiers/webhook\n",
        f"{S}/plugins/3",
        "notifiers/webhook",
        "add it to the plugins of one",
    ),
    Mistake(
        "plugin-off",
        "    - name: notifiers/email\n",
        "    - {name: notifiers/email, enabled: false}\n",
        f"{A}/web/plugins/1",
        "    web:",
        "enable it",
    ),
    Mistake(
        "plugin-twice",
        "    - name: notifiers/email\n",
        "    - name: notifiers/email\n    - {name: notifiers/email}\n",
        f"{S}/plugins/3",
        "{name: notifiers/email}",
        "remove it",
    ),
    Mistake(
        "bad-plugin-name",
        "name: notifiers/email",
        "name: email",
        f"{S}/plugins/2/name",
        "name: email",
        "Write kind/name",
    ),
    Mistake(
        "plugin-not-installed",
        "plugins: [collectors/*, notifiers/email]",
        "plugins: [collectors/*, notifiers/telex]",
        f"{A}/web/plugins/1",
        "telex",
        "declare it",
    ),
    Mistake(
        "missing-dependency",
        "depends_on: [database]",
        "depends_on: [tools/dns]",
        f"{S}/plugins/1/depends_on/0",
        "tools/dns",
        "declare it",
    ),
    Mistake(
        "circle",
        "    - name: notifiers/email\n",
        "    - {name: notifiers/email, depends_on: [notifiers/email]}\n",
        f"{S}/plugins/2/depends_on",
        "depends_on: [notifiers",
        "notifiers/email → notifiers/email",
    ),
    Mistake(
        "wrong-config",
        "method: GET",
        "method: 7",
        f"{S}/plugins/1/config/method",
        "method: 7",
        "Choose one of",
    ),
    Mistake(
        "unknown-config",
        "method: GET",
        "metod: GET",
        f"{S}/plugins/1/config/metod",
        "metod",
        "did you mean method",
    ),
    Mistake(
        "config-of-pattern",
        "- name: collectors/*",
        "- {name: collectors/*, config: {a: 1}}",
        f"{S}/plugins/0/config",
        "config: {a: 1}",
        "name that instead",
    ),
    Mistake(
        "secret-as-default",
        "method: GET",
        "bearer_token: {env: T}",
        f"{S}/plugins/1/config/bearer_token",
        "bearer_token",
        "give it to each resource",
    ),
    Mistake(
        "unknown-component",
        "include: [database]",
        "include: [databse]",
        f"{S}/health/include",
        "databse",
        "Write all, or a list",
    ),
    Mistake("bad-duration", "interval: 5s", "interval: soon", f"{S}/health/interval", "soon", "."),
    Mistake(
        "queue-of-nobody",
        "queues: [evaluate, notify, jobs]",
        "queues: [evaluate, jobs]",
        f"{S}/scaling/pools",
        "pools:",
        "add it",
    ),
    Mistake(
        "unknown-queue",
        "queues: [evaluate, notify, jobs]",
        "queues: [evaluate, notify, jbs]",
        f"{S}/scaling/pools/1/queues/2",
        "jbs",
        "Choose one of",
    ),
    Mistake(
        "pool-twice", "name: rest", "name: checks", f"{S}/scaling/pools/1", "jobs", "rename one"
    ),
    Mistake(
        "shards-of-nothing",
        "jobs]}",
        "jobs], shards: 2}",
        f"{S}/scaling/pools/1/shards",
        "shards: 2",
        "remove shards",
    ),
    Mistake(
        "two-collect-with-shards",
        "queues: [evaluate,",
        "queues: [collect, evaluate,",
        f"{S}/scaling/pools/0/shards",
        "shards: 8",
        "leave collect to one",
    ),
    Mistake(
        "no-shards",
        "shards: 8",
        "shards: 0",
        f"{S}/scaling/pools/0/shards",
        "shards: 0",
        "at least 1",
    ),
    Mistake(
        "driver-off",
        "    - name: notifiers/email\n",
        "    - name: notifiers/email\n    - {name: drivers/redis, enabled: false}\n",
        f"{S}/drivers/redis/type",
        "    redis: {",
        "drivers/redis is switched off at plugins/3",
    ),
    Mistake(
        "driver-configured-elsewhere",
        "    - name: notifiers/email\n",
        '    - name: notifiers/email\n    - {name: drivers/redis, config: {url: "redis://x"}}\n',
        f"{S}/plugins/3/config",
        "{name: drivers/redis",
        "move this there",
    ),
    Mistake(
        "driver-unknown-config",
        '"redis://127.0.0.1:6379/0"',
        '"redis://127.0.0.1:6379/0", config: {ulr: x}',
        f"{S}/drivers/redis/config/ulr",
        "ulr",
        "did you mean url",
    ),
    Mistake(
        "own-driver-config",
        '"victoriametrics+http://127.0.0.1:8428"',
        '"victoriametrics+http://127.0.0.1:8428", config: {a: 1}',
        f"{S}/drivers/series/config",
        "a: 1",
        "remove config",
    ),
    Mistake(
        "two-mail-servers",
        "beat: {drivers: [database, redis]}\n  drivers:",
        "beat: {drivers: [database, redis, mail, post]}\n  drivers:\n"
        "    mail: {type: smtp, url: {env: X}}\n    post: {type: smtp, url: {env: Y}}",
        f"{S}/drivers/post",
        "post: {",
        "mail is the mail server already",
    ),
    Mistake(
        "wrong-mail-address",
        "beat: {drivers: [database, redis]}\n  drivers:",
        "beat: {drivers: [database, redis, mail]}\n  drivers:\n"
        '    mail: {type: smtp, url: "http://mail"}',
        f"{S}/drivers/mail/url",
        "http://mail",
        "begin it with smtp://",
    ),
    Mistake(
        "unknown-auth",
        "  eventbus:",
        "  auth:\n    - {name: jtw}\n  eventbus:",
        f"{S}/auth/0/name",
        "jtw",
        "did you mean auth/jwt",
    ),
    Mistake(
        "auth-config-missing",
        "  eventbus:",
        "  auth:\n    - {name: jwt, config: {algorithms: [RS256], issuer: a}}\n  eventbus:",
        f"{S}/auth/0/config/audience",
        "{name: jwt",
        "set it",
    ),
    Mistake(
        "auth-secret",
        "  eventbus:",
        "  auth:\n"
        "    - name: jwt\n"
        "      config: {algorithms: [HS256], issuer: a, audience: b, key: hush}\n"
        "  eventbus:",
        f"{S}/auth/0/config/key",
        "key: hush",
        "put it there",
    ),
    Mistake(
        "auth-without-form",
        "  eventbus:",
        "  auth: {jwt: {}}\n  eventbus:",
        f"{S}/auth",
        "auth: {",
        "list",
    ),
    Mistake(
        "middleware-twice",
        "  eventbus:",
        "  middleware:\n    - {name: request-log}\n    - {name: request-log, config: {}}\n"
        "  eventbus:",
        f"{S}/middleware/1/name",
        "request-log, config",
        "named already at middleware/0",
    ),
    Mistake(
        "middleware-wrong-config",
        "  eventbus:",
        "  middleware:\n    - {name: cors, config: {origins: []}}\n  eventbus:",
        f"{S}/middleware/0/config/origins",
        "origins",
        "Must not be empty",
    ),
    Mistake(
        "middleware-configured-elsewhere",
        "  plugins:\n",
        "  middleware:\n    - {name: cors, config: {origins: ['*']}}\n  plugins:\n"
        "    - {name: middleware/cors, config: {origins: ['*']}}\n",
        f"{S}/plugins/0/config",
        "{name: middleware/cors",
        "move this there",
    ),
    Mistake(
        "middleware-off",
        "  plugins:\n",
        "  middleware:\n    - {name: request-log}\n  plugins:\n"
        "    - {name: middleware/*, enabled: false}\n",
        f"{S}/middleware/0/name",
        "{name: request-log",
        "switched off at plugins/0",
    ),
    Mistake(
        "middleware-without-web",
        "    web: {drivers: [database, redis, series], plugins: [collectors/*, notifiers/email]}\n",
        "",
        f"{S}/middleware",
        "middleware:",
        "Only the application web",
    ),
    Mistake(
        "unknown-cache",
        "cache: {type: redis, driver: redis}",
        "cache: {type: memcached}",
        f"{S}/cache/type",
        "memcached",
        "No plugin cache/memcached is installed",
    ),
    Mistake(
        "cache-without-driver",
        "cache: {type: redis, driver: redis}",
        "cache: {type: database}",
        f"{S}/cache",
        "cache: {",
        "name one in driver",
    ),
    Mistake(
        "cache-wrong-driver",
        "cache: {type: redis, driver: redis}",
        "cache: {type: database, driver: redis}",
        f"{S}/cache/driver",
        "cache: {",
        "postgresql or sqlite",
    ),
    Mistake(
        "cache-wrong-config",
        "cache: {type: redis, driver: redis}",
        "cache: {type: database, driver: database, config: {table: Cache!}}",
        f"{S}/cache/config/table",
        "Cache!",
        "small letters",
    ),
]


def refused(text: str, tmp_path: Path) -> CompositionError:
    path = tmp_path / "composition.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CompositionError) as refusal:
        composition_check(reference=str(path))
    return refusal.value


@pytest.mark.parametrize("text", [GOOD, *OTHERS.values()])
def test_the_good_ones_are_good(text: str, tmp_path: Path) -> None:
    path = tmp_path / "composition.yaml"
    path.write_text(text, encoding="utf-8")
    assert composition_check(reference=str(path)).name == "acme"


def test_one_that_chooses_sign_in_middlewares_cache_and_mail_is_good(tmp_path: Path) -> None:
    path = tmp_path / "composition.yaml"
    path.write_text(CHOOSING, encoding="utf-8")
    assert [part.name for part in composition_check(reference=str(path)).auth] == [
        "jwt",
        "proxy-header",
    ]


def test_there_are_at_least_thirty_kinds_of_mistake() -> None:
    assert len({mistake.name for mistake in MISTAKES}) == len(MISTAKES) >= 30


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_each_mistake_is_refused_with_path_line_and_cure(mistake: Mistake, tmp_path: Path) -> None:
    good = OTHERS.get(mistake.name, GOOD)
    assert mistake.old in good
    text = good.replace(mistake.old, mistake.new, 1)
    found = refused(text, tmp_path).problems

    at = text[: text.index(mistake.line)].count("\n") + 1
    places = [(problem.pointer, problem.line) for problem in found]
    assert (mistake.path, at) in places, found
    (problem, *_) = [one for one in found if (one.pointer, one.line) == (mistake.path, at)]
    assert mistake.says in problem.message
    assert problem.sentence.startswith(f"{tmp_path}/composition.yaml:{at}")
    assert "hush" not in problem.sentence
    assert re.search(r"[.?]$", problem.message)


@pytest.mark.parametrize(
    ("variables", "path", "says"),
    [
        ({}, "/spec/drivers/database/url", "DB is not set; set it"),
        ({"DB": "mysql://x"}, "/spec/drivers/database/url", "begin it with postgresql://"),
        (
            {"DB": "postgresql://x/y", "DETECTVIZ_REDIS_URL": "redis://elsewhere"},
            "/spec/drivers/redis",
            "DETECTVIZ_REDIS_URL is set and says otherwise",
        ),
        (
            {"DB": "postgresql://x/y", "DETECTVIZ_CACHE_URL": "redis://elsewhere"},
            "/spec/cache",
            "DETECTVIZ_CACHE_URL is set and says otherwise",
        ),
    ],
)
def test_an_environment_that_does_not_fit_is_refused(
    variables: dict[str, str], path: str, says: str
) -> None:
    composition, document = composition_read(GOOD, "acme.yaml")
    with pytest.raises(CompositionError, match=says) as refusal:
        deployment_of(composition, document, variables.get)
    assert refusal.value.problems[0].pointer == path
    key = path.split("/")[3] if path.count("/") > 2 else "cache"
    line = GOOD[: GOOD.index(f"  {key}: {{")].count("\n") + 1
    assert refusal.value.problems[0].line == line


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("DETECTVIZ_AUTH", "proxy-header", "DETECTVIZ_AUTH is set and says otherwise"),
        ("DETECTVIZ_AUTH_CONFIG", "{}", "unset it and write their config here"),
        ("DETECTVIZ_MIDDLEWARE", "cors", "DETECTVIZ_MIDDLEWARE is set and says otherwise"),
        ("DETECTVIZ_SMTP_HOST", "elsewhere", "DETECTVIZ_SMTP_HOST is set and says otherwise"),
    ],
)
def test_a_variable_that_chooses_otherwise_is_named(name: str, value: str, says: str) -> None:
    composition, document = composition_read(CHOOSING, "acme.yaml")
    given = {"DB": "postgresql://x/y", "KEY": "k" * 32, name: value}
    with pytest.raises(CompositionError, match=says):
        deployment_of(composition, document, given.get)


def test_a_reference_of_a_chosen_plugin_that_is_not_there_is_refused() -> None:
    composition, document = composition_read(CHOOSING, "acme.yaml")
    with pytest.raises(CompositionError, match="KEY is not set") as refusal:
        deployment_of(composition, document, {"DB": "postgresql://x/y"}.get)
    assert refusal.value.problems[0].pointer == "/spec/auth/0/config/key"


def test_an_unknown_pool_is_refused() -> None:
    composition, document = composition_read(GOOD, "acme.yaml")
    with pytest.raises(CompositionError, match="use one of: checks, rest"):
        deployment_of(composition, document, {"DB": "postgresql://x/y"}.get, pool="other")


def test_a_reserved_name_is_refused_with_the_reason() -> None:
    with pytest.raises(CompositionError, match=r"alloy-devkit is reserved and .*dev-platform"):
        composition_check(reference="alloy-devkit")


def test_a_name_of_nothing_is_refused_with_what_there_is(tmp_path: Path) -> None:
    with pytest.raises(CompositionError, match="one of dev-platform, distributed, standard"):
        composition_check(reference=str(tmp_path / "nothing"))
