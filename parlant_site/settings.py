"""Django settings. Only this module turns the environment into settings; docs/settings.md documents it."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from parlant_site.databases import databases
from parlant_site.environment import llm_api_keys, read_environment

ENVIRONMENT = read_environment()
BASE_DIR = Path(__file__).resolve().parent.parent
PARLANT_HOME = ENVIRONMENT.home
# Who may call: "development" (everybody may do all) or "production"; see common/permissions.py.
PARLANT_POLICY = ENVIRONMENT.env
PARLANT_LANES = ENVIRONMENT.lanes
PARLANT_AGENTS = ENVIRONMENT.agents
PARLANT_MAX_BODY_BYTES = ENVIRONMENT.max_body_bytes
PARLANT_MAX_UPLOAD_BYTES = ENVIRONMENT.max_upload_bytes
PARLANT_POLL_INTERVAL = ENVIRONMENT.poll_interval
PARLANT_HEARTBEAT_SECONDS = ENVIRONMENT.heartbeat_seconds
PARLANT_PII_KEYS = ENVIRONMENT.pii_keys
PARLANT_TOKEN_DAYS = ENVIRONMENT.token_days
PARLANT_OPERATOR_NAME = ENVIRONMENT.operator_name
PARLANT_OPERATOR_PASSWORD = ENVIRONMENT.operator_password
PARLANT_DROP_WAKEUPS = ENVIRONMENT.drop_wakeups
PARLANT_RESPONDER = ENVIRONMENT.responder
PARLANT_CANNED_THRESHOLD = ENVIRONMENT.canned_threshold
PARLANT_LLM_MODEL = ENVIRONMENT.llm_model
PARLANT_LLM_BASE_URL = ENVIRONMENT.llm_base_url
PARLANT_LLM_API_KEY = ENVIRONMENT.llm_api_key
PARLANT_LLM_API_KEYS = llm_api_keys()
PARLANT_LLM_TIMEOUT = ENVIRONMENT.llm_timeout
PARLANT_LLM_RETRIES = ENVIRONMENT.llm_retries
PARLANT_MODERATION = ENVIRONMENT.moderation
PARLANT_AGENTS_CONCURRENCY = ENVIRONMENT.agents_concurrency
PARLANT_AGENTS_POLL_INTERVAL = ENVIRONMENT.agents_poll_interval

DEBUG = not ENVIRONMENT.is_production
SECRET_KEY = ENVIRONMENT.secret()
ALLOWED_HOSTS = ENVIRONMENT.allowed_hosts or ["localhost", "127.0.0.1", "[::1]"]
DATABASES = databases(ENVIRONMENT)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    # Before daphne, whose runserver it replaces.
    "parlant_site.serving",
    "daphne",
    "channels",
    "parlant_site.apps.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "knox",
    "rest_framework",
    "tags",
    "customers",
    "sessions_app",
    "parlant_site",
]
MIDDLEWARE = [
    # Outermost, so that every answer bears the CORS headers, refusals and errors too.
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "parlant_site.common.content_policy.RestrictContent",
    "parlant_site.common.bodies.LimitBodies",
    "parlant_site.common.page_middleware.Sessions",
    "parlant_site.common.page_middleware.Locale",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "parlant_site.common.page_middleware.Authentication",
    "parlant_site.common.acting.NoteWhoActs",
    "parlant_site.common.page_middleware.Messages",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "parlant_site.urls"
ASGI_APPLICATION = "parlant_site.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# Security
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = ENVIRONMENT.serves_https
SECURE_HSTS_SECONDS = 31536000 if ENVIRONMENT.serves_https else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = ENVIRONMENT.serves_https
SECURE_REDIRECT_EXEMPT = [r"^healthz$"]
# Only a proxy that was declared may say over which scheme the request came.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if ENVIRONMENT.trusted_proxies else None
CSRF_FAILURE_VIEW = "parlant_site.site_views.stale_form"
PARLANT_TOO_LARGE_VIEW = "parlant_site.site_views.too_large"
CSRF_TRUSTED_ORIGINS = ENVIRONMENT.csrf_trusted_origins
X_FRAME_OPTIONS = "DENY"

# Web pages of other origins may call the API, never the admin.
CORS_URLS_REGEX = r"^/(?!admin/|static/)"
CORS_ALLOW_ALL_ORIGINS = "*" in ENVIRONMENT.cors_origins or (
    not ENVIRONMENT.cors_origins and not ENVIRONMENT.is_production
)
CORS_ALLOWED_ORIGINS = [origin for origin in ENVIRONMENT.cors_origins if origin != "*"]
CORS_ALLOW_METHODS = ["GET", "POST", "PATCH", "DELETE"]
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "content-type",
    "last-event-id",
    "x-fern-language",
    "x-fern-runtime",
    "x-fern-runtime-version",
    "x-fern-sdk-name",
    "x-fern-sdk-version",
]
CORS_EXPOSE_HEADERS = ["retry-after"]

# REST
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["parlant_site.common.permissions.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["parlant_site.common.permissions.MayCall"],
    "DEFAULT_THROTTLE_CLASSES": ["parlant_site.common.throttles.AnonymousRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "read": ENVIRONMENT.rate_read,
        "open_session": ENVIRONMENT.rate_open_session,
        "post_message": ENVIRONMENT.rate_post_message,
    },
    "NUM_PROXIES": ENVIRONMENT.trusted_proxies,
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["parlant_site.common.rendering.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "parlant_site.common.rendering.AlwaysJSON",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "parlant_site.common.schema.ContractSchema",
    "EXCEPTION_HANDLER": "parlant_site.common.error_answers.answer_error",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
    "DEFAULT_METADATA_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,
}
REST_KNOX = {
    "AUTH_HEADER_PREFIX": "Bearer",
    "TOKEN_TTL": timedelta(days=PARLANT_TOKEN_DAYS),
    "TOKEN_PREFIX": "pst_",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Parlant Site",
    "DESCRIPTION": "Customers, tags, agents, sessions and their ordered events: Parlant's REST API.",
    "VERSION": "3.3.1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    # Without a validator: it is a foreign host, which would be shown every visitor's address.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "",
    "ENUM_NAME_OVERRIDES": {
        "SessionModeEnum": "sessions_app.events.Mode",
        "EventKindEnum": "sessions_app.events.Kind",
        "EventSourceEnum": "sessions_app.events.Source",
        "EventStatusEnum": "sessions_app.events.Status",
        "SegmentKindEnum": "customers.segments.models.Kind",
        "SegmentRunStateEnum": "customers.segments.history.RunState",
    },
}

CHANNEL_LAYERS: dict[str, dict[str, Any]] = {}
if ENVIRONMENT.channel_layer_url:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [ENVIRONMENT.channel_layer_url], "prefix": "parlant"},
        }
    }
    # Rates are counted across processes where there is a place to count them.
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": ENVIRONMENT.channel_layer_url}
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

LANGUAGE_CODE = "en"
TIME_ZONE = ENVIRONMENT.time_zone
USE_I18N = USE_TZ = True

# Files of data jobs: private, no URL leads to them. Several hosts need a storage that they share.
MEDIA_ROOT = ENVIRONMENT.home / "files"
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

STATIC_URL = "/static/"
STATIC_ROOT = ENVIRONMENT.home / "static"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "filters": {"not_a_quiet_poll": {"()": "parlant_site.common.logs.NotAQuietPoll"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["not_a_quiet_poll"]}},
    "root": {"handlers": ["stderr"], "level": ENVIRONMENT.log_level},
    "loggers": {
        "django": {"handlers": [], "level": ENVIRONMENT.log_level, "propagate": True},
        "django.server": {"handlers": [], "level": ENVIRONMENT.log_level, "propagate": True},
        "django.channels.server": {"level": "WARNING"},
        "daphne": {"level": "WARNING"},
        "bm25s": {"level": "WARNING"},
        # They write whole requests and answers: what customers said, and what a server says about a key.
        "openai": {"level": "WARNING"},
        "httpx": {"level": "WARNING"},
        "httpcore": {"level": "WARNING"},
        "asyncio": {"level": "WARNING"},
    },
}
