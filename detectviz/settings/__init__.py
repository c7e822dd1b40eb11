"""Django settings: everything comes from the environment (CONTRACT) with safe defaults."""

from pathlib import Path

from csp.constants import NONE, SELF
from whitenoise.compress import Compressor

from detectviz.composition.building import PluginsOff
from detectviz.observability.logs import logging_settings
from detectviz.paths import resource_folder
from detectviz.settings import env

BASE_DIR = Path(__file__).resolve().parents[2]
DATA_DIR = Path(env.text("DETECTVIZ_DATA_DIR", "var")).resolve()
(DATA_DIR / "secrets").mkdir(mode=0o700, parents=True, exist_ok=True)

# --- what this deployment is made of, where a composition was chosen ---------------------------
COMPOSITION = env.text("DETECTVIZ_COMPOSITION")
DEPLOYMENT = env.deployment()
env.declare(DEPLOYMENT.variables)

# --- what the operator chose ------------------------------------------------------------------
HOST = env.text("DETECTVIZ_HOST", "127.0.0.1")
PORT = env.integer("DETECTVIZ_PORT", 8080, minimum=1, maximum=65535)
SYS_PORT = env.integer("DETECTVIZ_SYS_PORT", 8081, minimum=1, maximum=65535)
DATABASE_URL = env.text("DETECTVIZ_DATABASE_URL")
REDIS_URL = env.text("DETECTVIZ_REDIS_URL")
TSDB_URL = env.text("DETECTVIZ_TSDB_URL")
IS_EMBEDDED = not REDIS_URL
EXTERNAL_URL = env.text("DETECTVIZ_EXTERNAL_URL", f"http://{HOST}:{PORT}").rstrip("/")
EGRESS_ALLOW = env.networks("DETECTVIZ_EGRESS_ALLOW")
# The embedded product runs on its operator's own machine, which is what it is asked to watch.
EGRESS_ALLOW_PRIVATE = env.boolean("DETECTVIZ_EGRESS_ALLOW_PRIVATE", default=IS_EMBEDDED)
LOGGING = logging_settings(env.choice("DETECTVIZ_LOG_FORMAT", "console", ("console", "json")))
PLUGIN_DIRS = tuple(Path(word) for word in env.words("DETECTVIZ_PLUGIN_DIRS"))
MACHINE_PLUGINS = ("collectors/script", "collectors/system", "notifiers/script")
# Where machines are shared by organisations, none of them may look into one.
_SHARED_OFF = tuple(
    plugin for plugin in MACHINE_PLUGINS if not IS_EMBEDDED and plugin not in DEPLOYMENT.plugins_on
)
PLUGINS_OFF = PluginsOff(env.words("DETECTVIZ_PLUGINS_OFF", _SHARED_OFF), DEPLOYMENT)
PLUGINS_UNSIGNED = env.words("DETECTVIZ_PLUGINS_UNSIGNED")
PLUGIN_TRUST_DIR = Path(env.text("DETECTVIZ_PLUGIN_TRUST_DIR", str(DATA_DIR / "trust")))
PLUGIN_REGISTRIES = env.words("DETECTVIZ_PLUGIN_REGISTRIES")
PLUGIN_REGISTRY_TOKENS = env.words("DETECTVIZ_PLUGIN_REGISTRY_TOKENS")
PLUGIN_SANDBOX = env.choice("DETECTVIZ_PLUGIN_SANDBOX", "require", ("require", "degrade"))
SCRIPTS_DIR = Path(env.text("DETECTVIZ_SCRIPTS_DIR", str(DATA_DIR / "scripts")))
SCRIPTS_NETWORK = env.boolean("DETECTVIZ_SCRIPTS_NETWORK", default=False)
EVENTBUS_URL = env.text("DETECTVIZ_EVENTBUS_URL", REDIS_URL or "memory://")
EVENTBUS_CONFIG = env.text("DETECTVIZ_EVENTBUS_CONFIG")
EVENTBUS_GROUP = env.text("DETECTVIZ_EVENTBUS_GROUP", "detectviz")
EVENTBUS_TOPIC_PREFIX = env.text("DETECTVIZ_EVENTBUS_TOPIC_PREFIX")
EVENTBUS_TOPICS = env.pairs("DETECTVIZ_EVENTBUS_TOPICS")
CACHE_URL = env.text("DETECTVIZ_CACHE_URL", REDIS_URL or "memory://")
CACHE_CONFIG = env.text("DETECTVIZ_CACHE_CONFIG")
AUTH_PLUGINS = env.words("DETECTVIZ_AUTH")
AUTH_CONFIG = env.text("DETECTVIZ_AUTH_CONFIG")
AUTH_PROVISION = env.boolean("DETECTVIZ_AUTH_PROVISION", default=False)
AUTH_ADMINS = env.boolean("DETECTVIZ_AUTH_ADMINS", default=False)
MIDDLEWARE_PLUGINS = env.words("DETECTVIZ_MIDDLEWARE")
MIDDLEWARE_CONFIG = env.text("DETECTVIZ_MIDDLEWARE_CONFIG")
MIDDLEWARE_TIMEOUT_MS = env.integer("DETECTVIZ_MIDDLEWARE_TIMEOUT_MS", 500, minimum=1)
CONNECTIVITY_TARGETS = env.words("DETECTVIZ_CONNECTIVITY_TARGETS")
TRUSTED_PROXIES = env.networks("DETECTVIZ_TRUSTED_PROXIES")
METRICS_TOKEN = env.text("DETECTVIZ_METRICS_TOKEN")
LOCATION = env.text("DETECTVIZ_LOCATION", "default")
INGEST_BODY_BYTES = env.integer(
    "DETECTVIZ_INGEST_BODY_BYTES", 32 << 20, minimum=1 << 10, maximum=1 << 30
)

# What systemd asks to be told, by its own variables.
NOTIFY_SOCKET = env.text("NOTIFY_SOCKET")
WATCHDOG_USEC = env.integer("WATCHDOG_USEC", 0, maximum=2**53)
WATCHDOG_PID = env.integer("WATCHDOG_PID", 0)
# What workers of this process's pool do; no queues: everything. The composition says.
POOL_QUEUES = DEPLOYMENT.pool.queues
POOL_CONCURRENCY = DEPLOYMENT.pool.concurrency
POOL_SHARDS = DEPLOYMENT.pool.shards

SECRET_KEY = env.generated_secret("DETECTVIZ_SECRET_KEY", DATA_DIR / "secrets" / "secret-key")
SECRET_KEY_FALLBACKS = list(env.words("DETECTVIZ_SECRET_KEY_FALLBACKS"))
MASTER_KEYS = env.generated_secret("DETECTVIZ_MASTER_KEYS", DATA_DIR / "secrets" / "master-keys")

# --- Django -----------------------------------------------------------------------------------
DEBUG = False
ALLOWED_HOSTS = list(
    env.words(
        "DETECTVIZ_ALLOWED_HOSTS", env.embedded_hosts(HOST, EXTERNAL_URL) if IS_EMBEDDED else ()
    )
)
CSRF_TRUSTED_ORIGINS = [EXTERNAL_URL, *env.words("DETECTVIZ_TRUSTED_ORIGINS")]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "axes",
    "csp",
    "django_htmx",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "guardian",
    "rest_framework",
    "detectviz.crypto",
    "detectviz.events",
    "detectviz.permissions",
    "detectviz.runtime",
    "detectviz.tenancy",
    "detectviz.web",
    "apps.orgs",
    "apps.accounts",
    "apps.audit",
    "apps.extensions",
    "apps.datasources",
    "apps.series",
    "apps.monitors",
    "apps.alerting",
    "apps.notifications",
    "apps.oncall",
    "apps.operations",
    "detectviz.resources",  # last: it gathers what the apps register
]
MIDDLEWARE = [
    "detectviz.observability.middleware.RequestContextMiddleware",
    "detectviz.tenancy.middleware.OrgScopeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "apps.accounts.web.views.proxied.ProxiedSessionMiddleware",
    "detectviz.runtime.plugin_middleware.PluginMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
KEYED_MIDDLEWARE = [  # for requests with a key, whom browsers' needs only slow down
    "detectviz.observability.middleware.RequestContextMiddleware",
    "detectviz.tenancy.middleware.OrgScopeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "detectviz.runtime.plugin_middleware.PluginMiddleware",
]
ROOT_URLCONF = "detectviz.urls"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [resource_folder("templates")],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "detectviz.web.shell.shell",
            ],
        },
    },
]
DATABASES = {"default": env.database(DATABASE_URL, DATA_DIR / "detectviz.sqlite")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {"BACKEND": "detectviz.runtime.caching.PluginCache"},
}
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

# --- ports of the framework, filled by apps ----------------------------------------------------
DETECTVIZ_PLUGIN_HOST = "apps.extensions.selectors.plugin_host"
DETECTVIZ_SERIES_STORE = "apps.series.services.series_store"
DETECTVIZ_SERIES_QUERIER = "apps.series.selectors.querier.series_querier"
DETECTVIZ_AUTHENTICATORS = "apps.accounts.services.identities.authenticators"
DETECTVIZ_PLUGINS_MODULE = "apps.extensions.services.following.PluginsModule"
DETECTVIZ_COLLECTION_MODULE = "apps.monitors.services.collection.CollectionModule"

# --- people -----------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
DETECTVIZ_ORG_MODEL = "orgs.Org"
DETECTVIZ_FOLDER_MODEL = "orgs.Folder"
DETECTVIZ_MEMBERSHIP_MODEL = "accounts.Membership"
DETECTVIZ_TEAM_MODEL = "accounts.Team"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "apps.accounts.services.signin.PersonBackend",
    "apps.accounts.services.identities.PluginBackend",
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.BCryptSHA256PasswordHasher"]  # cost 12
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {"NAME": "apps.accounts.services.passwords.CharacterClassValidator"},
    {"NAME": "apps.accounts.services.passwords.NotTheCurrentValidator"},
]
LOGIN_URL = "accounts:login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "accounts:login"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.5  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "accounts/locked.html"
AXES_VERBOSE = False
AXES_USERNAME_CALLABLE = "apps.accounts.services.signin.axes_username"
AXES_CLIENT_IP_CALLABLE = "detectviz.observability.middleware.axes_address"
GUARDIAN_MONKEY_PATCH_USER = False
ANONYMOUS_USER_NAME = None
SILENCED_SYSTEM_CHECKS = [
    "guardian.W001",  # permissions are asked of detectviz.permissions only
    "security.W008",  # TLS ends at the proxy, which redirects
    "security.W021",  # preloading HSTS binds a whole domain: its owner's choice
]

# --- HTTP -------------------------------------------------------------------------------------
IS_HTTPS = EXTERNAL_URL.startswith("https://")
SESSION_COOKIE_NAME = "detectviz_session"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14
if TRUSTED_PROXIES:
    # Only a proxy we were told about may say that its client spoke TLS.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = IS_HTTPS
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
# What an organisation without a quota may store; 0 means unlimited, of rollups none.
SERIES_MAX = env.integer("DETECTVIZ_SERIES_MAX", 1_000_000)
SERIES_SAMPLES_PER_S = env.integer("DETECTVIZ_SERIES_SAMPLES_PER_S", 0)
SERIES_OUT_OF_ORDER_S = env.integer("DETECTVIZ_SERIES_OUT_OF_ORDER_S", 3600)
SERIES_RETENTION_DAYS = env.integer("DETECTVIZ_SERIES_RETENTION_DAYS", 15, maximum=36_500)
SERIES_ROLLUP_5M_DAYS = env.integer("DETECTVIZ_SERIES_ROLLUP_5M_DAYS", 90, maximum=36_500)
SERIES_ROLLUP_1H_DAYS = env.integer("DETECTVIZ_SERIES_ROLLUP_1H_DAYS", 730, maximum=36_500)
QUERY_TIMEOUT_S = env.integer("DETECTVIZ_QUERY_TIMEOUT_S", 120, minimum=1, maximum=3600)
QUERY_MAX_SAMPLES = env.integer("DETECTVIZ_QUERY_MAX_SAMPLES", 50_000_000, minimum=1000)
QUERY_MAX_SERIES = env.integer("DETECTVIZ_QUERY_MAX_SERIES", 500_000)
QUERY_MAX_BYTES = env.integer("DETECTVIZ_QUERY_MAX_BYTES", 1 << 30)
MAX_REQUEST_BYTES = env.integer("DETECTVIZ_MAX_REQUEST_BYTES", 64 << 20, minimum=1 << 16)
# --- datasources ------------------------------------------------------------------------------
PROVISIONING_DIR = (
    Path(env.text("DETECTVIZ_PROVISIONING_DIR")) if env.text("DETECTVIZ_PROVISIONING_DIR") else None
)
DATASOURCE_FILES_DIR = Path(
    env.text("DETECTVIZ_DATASOURCE_FILES_DIR", str(DATA_DIR / "datasource-files"))
)
DATASOURCE_MAX_ROWS = env.integer("DETECTVIZ_DATASOURCE_MAX_ROWS", 1_000_000, minimum=1)
DATASOURCE_MAX_BYTES = env.integer("DETECTVIZ_DATASOURCE_MAX_BYTES", 64 << 20, minimum=1 << 10)
DATASOURCE_QUERY_TIMEOUT_S = env.integer("DETECTVIZ_DATASOURCE_QUERY_TIMEOUT_S", 30, minimum=1)
DATASOURCE_QUERIES = env.integer("DETECTVIZ_DATASOURCE_QUERIES", 32, minimum=1, maximum=512)
DATASOURCE_QUERIES_PER_ORG = env.integer("DETECTVIZ_DATASOURCE_QUERIES_PER_ORG", 16, minimum=1)
ALERTS_PER_ORG = env.integer("DETECTVIZ_ALERTS_PER_ORG", 0, minimum=0, maximum=10_000_000)
RULE_DATASOURCE_GROUPS = env.integer(
    "DETECTVIZ_RULE_DATASOURCE_GROUPS", 4, minimum=1, maximum=64
)  # threads
DATASOURCE_QUERIES_PER_SOURCE = env.integer("DETECTVIZ_DATASOURCE_QUERIES_PER_SOURCE", 8, minimum=1)
DATASOURCE_BREAKER_FAILURES = env.integer("DETECTVIZ_DATASOURCE_BREAKER_FAILURES", 5, minimum=1)
DATASOURCE_BREAKER_REST_S = env.integer("DETECTVIZ_DATASOURCE_BREAKER_REST_S", 30, minimum=1)
# --- pipelines --------------------------------------------------------------------------------
EXPORTS_DIR = DATA_DIR / "exports"
EXPORTS_MAX_BYTES = env.integer("DETECTVIZ_EXPORTS_MAX_BYTES", 1 << 30, minimum=1 << 10)
PIPELINE_RUNS_KEPT = env.integer("DETECTVIZ_PIPELINE_RUNS_KEPT", 50, minimum=1, maximum=10_000)
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "object-src": [NONE],
    }
}
STATIC_URL = "/static/"
STATICFILES_DIRS = [resource_folder("static")]
STATIC_ROOT = Path(env.text("DETECTVIZ_STATIC_DIR", str(DATA_DIR / "static")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Pages name files by their hashes, and nobody loads source maps: a first start is sooner without.
WHITENOISE_KEEP_ONLY_HASHED_FILES = True
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "apps.accounts.api.authentication.ApiKeyAuthentication",
        "apps.accounts.api.authentication.PluginAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "EXCEPTION_HANDLER": "detectviz.resources.api.problems.handle_exception",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Detectviz",
    "VERSION": "v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "detectviz.resources.api.schema.describe_refusals",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "AssigneeKind": "apps.alerting.enums.AssigneeKind",
        "BurnWindow": "apps.alerting.api.generated.resources.BURN_WINDOWS",
        "NoticeSeverity": "apps.oncall.services.preferences.SEVERITIES",
        "Weekday": "apps.oncall.services.schedules.WEEKDAYS",
    },
}

# --- mail -------------------------------------------------------------------------------------
EMAIL_HOST = env.text("DETECTVIZ_SMTP_HOST", "localhost")
EMAIL_PORT = env.integer("DETECTVIZ_SMTP_PORT", 25, minimum=1, maximum=65535)
EMAIL_HOST_USER = env.text("DETECTVIZ_SMTP_USERNAME")
EMAIL_HOST_PASSWORD = env.text("DETECTVIZ_SMTP_PASSWORD")
EMAIL_USE_TLS = env.boolean("DETECTVIZ_SMTP_STARTTLS", default=False)
EMAIL_USE_SSL = env.boolean("DETECTVIZ_SMTP_TLS", default=False)
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env.text("DETECTVIZ_MAIL_FROM", "detectviz@localhost")

# --- tasks: the broker only wakes workers, truth lives in SQL -----------------------------------
CELERY_BROKER_URL = REDIS_URL or "memory://localhost/"
CELERY_BROKER_TRANSPORT_OPTIONS = (
    {
        "visibility_timeout": 60,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
    }
    if REDIS_URL
    else {"polling_interval": 0.02}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_DEFAULT_QUEUE = "jobs"
CELERY_TASK_ROUTES = ("detectviz.celery.route_task",)
CELERY_WORKER_PREFETCH_MULTIPLIER = 1 if REDIS_URL else 0
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
