"""The environment variables that Parlant Site reads: names, defaults, meanings, and what to write when one is wrong."""

import os
import secrets
from pathlib import Path
from typing import Annotated, Literal, Self

from django.core.exceptions import ImproperlyConfigured
from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PREFIX = "PARLANT_"
# What may hold a password is never printed.
SECRET = ("password", "secret", "url", "key")
Words = Annotated[list[str], NoDecode]


class Environment(BaseSettings):
    """What the process was told by its environment, checked.

    Each field's description stands in docs/settings.md, and a start that fails prints it: it tells what to write.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="ignore")

    env: Literal["development", "production"] = Field(
        "development",
        description="`development` (open to everybody, listens on 127.0.0.1 only) or `production` (closed, secure).",
    )
    home: Path = Field(
        Path("parlant-data"),
        description="Directory for the database file and the generated secret key; created when absent.",
    )
    secret_key: str = Field(
        "",
        description="At least 32 random characters. Required in production; development generates one into the home.",
    )
    allowed_hosts: Words = Field(
        [],
        description="Host names that the site answers to, separated by commas, `*` for any. Required in production.",
    )
    database_url: str = Field(
        "",
        description="`sqlite:////absolute/path.sqlite3`, `postgres://user:password@host:5432/name`, or `transient` "
        "(forgotten at exit). Default: a SQLite file in the home.",
    )
    database_pool_size: int = Field(
        16, ge=2, le=1000, description="Most PostgreSQL connections of one process, 2 to 1000."
    )
    sqlite_synchronous: Literal["normal", "full"] = Field(
        "normal",
        description="`normal` (a power cut may lose the last commits, a crash of the process never does) or `full`.",
    )
    lanes: int = Field(
        4, ge=1, le=64, description="Threads that run requests, each with a kept database connection, 1 to 64."
    )
    agents: bool = Field(
        True, description="`true` or `false`: whether a server process also runs the agents that reply to customers."
    )
    cors_origins: Words = Field(
        [],
        description="Origins of web pages that may call the API, separated by commas (`https://shop.example`), `*` for "
        "any. Default: any in development, none in production.",
    )
    csrf_trusted_origins: Words = Field(
        [],
        description="Origins, with scheme, from which operators reach the admin behind a proxy, separated by commas.",
    )
    https: bool | None = Field(
        None,
        description="`true` or `false`: whether people reach the site over HTTPS. Default: true in production. When "
        "true, cookies are secure, HTTP is redirected and HSTS is sent.",
    )
    trusted_proxies: int = Field(
        0,
        ge=0,
        le=10,
        description="How many proxies of yours stand in front, 0 to 10; the client's address is that many entries "
        "from the right of X-Forwarded-For. With 0 the header is ignored.",
    )
    rate_read: str = Field(
        "600/min",
        description="Reads that one anonymous client may make in production, as `number/sec|min|hour|day`.",
    )
    rate_open_session: str = Field(
        "20/min", description="Sessions that one anonymous client may open in production, `number/sec|min|hour|day`."
    )
    rate_post_message: str = Field(
        "60/min", description="Messages that one anonymous client may post in production, `number/sec|min|hour|day`."
    )
    max_body_bytes: int = Field(
        1024 * 1024, ge=1024, le=1 << 30, description="Largest body of an API request, in bytes, 1024 to 1073741824."
    )
    max_upload_bytes: int = Field(
        100 * 1024 * 1024,
        ge=1024,
        le=1 << 40,
        description="Largest body of a request to the admin, where operators upload files to import, in bytes, 1024 to "
        "1099511627776.",
    )
    pii_keys: Words = Field(
        [],
        description="Metadata keys whose values are personal, separated by commas (`email,phone`): masked for users "
        "without the permission to see personal data.",
    )
    token_days: int = Field(365, ge=1, le=36500, description="Days after which a new API token expires, 1 to 36500.")
    channel_layer_url: str = Field(
        "",
        description="`redis://host:6379/0` (or rediss://, unix://): how several server processes wake each other. "
        "Default: none, for one process.",
    )
    poll_interval: float = Field(
        1.0,
        ge=0.05,
        le=30,
        description="Seconds between looks at the database for events of other processes whose wake-up was lost, "
        "0.05 to 30.",
    )
    heartbeat_seconds: float = Field(
        45.0,
        ge=0.1,
        le=3600,
        description="After how many quiet seconds a stream or WebSocket gets a sign of life, 0.1 to 3600; less than "
        "the idle time after which a proxy closes it, mostly 60.",
    )
    drop_wakeups: float = Field(
        0.0,
        ge=0,
        le=1,
        description="For tests of losslessness: the share of wake-ups to lose, 0 to 1. What was lost comes with the "
        "next look at the database.",
    )
    responder: Literal["canned", "llm"] = Field(
        "canned",
        description="How agents that do not say otherwise find their answers: `canned` (responses written by people, "
        "without any network) or `llm` (a language model).",
    )
    canned_threshold: float = Field(
        0.5,
        ge=0,
        le=1,
        description="How sure an agent has to be that a canned response was meant, 0 to 1; below, a human takes over.",
    )
    llm_model: str = Field("", description="Name of the language model, as its server calls it, such as `llama3.2`.")
    llm_base_url: str = Field(
        "",
        description="Where the OpenAI-compatible server of the language model is, such as "
        "`http://127.0.0.1:11434/v1`. Default: OpenAI's own.",
    )
    llm_api_key: str = Field(
        "",
        description="Key for the language model's server, where it wants one. "
        "Agents with a server of their own name a variable `PARLANT_LLM_API_KEY_...` that holds its key.",
    )
    llm_timeout: float = Field(
        60, ge=1, le=600, description="Seconds that the language model may take for one answer, 1 to 600."
    )
    llm_retries: int = Field(
        2, ge=0, le=10, description="How often the language model is asked again when its server fails, 0 to 10."
    )
    moderation: str = Field(
        "",
        description="Who looks at messages posted with `moderation=auto` or `paranoid`: `openai` (the language model's "
        "server has to offer it) or the dotted path of a function. Default: nobody; messages are accepted unflagged.",
    )
    agents_concurrency: int = Field(
        100, ge=1, le=10000, description="Replies that one process writes at once, 1 to 10000."
    )
    agents_poll_interval: float = Field(
        0.25,
        ge=0.01,
        le=5,
        description="Seconds between looks for sessions that wait for a reply without a word of it, 0.01 to 5.",
    )
    operator_name: str = Field("operator", min_length=1, max_length=150, description="Name of the first operator.")
    operator_password: str = Field(
        "", description="Password of the first operator. Default: generated and printed once."
    )
    time_zone: str = Field("UTC", description="Time zone of the admin, an IANA name such as `Europe/Berlin`.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="`DEBUG`, `INFO`, `WARNING` or `ERROR`."
    )

    @field_validator("allowed_hosts", "cors_origins", "csrf_trusted_origins", "pii_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else value

    @field_validator("cors_origins", "csrf_trusted_origins")
    @classmethod
    def _origins(cls, value: list[str]) -> list[str]:
        for origin in value:
            scheme, _, rest = origin.partition("://")
            if origin != "*" and (scheme not in ("http", "https") or not rest or "/" in rest):
                raise ValueError(f"{origin!r} is not an origin such as https://shop.example")
        return value

    @field_validator("rate_read", "rate_open_session", "rate_post_message")
    @classmethod
    def _rate(cls, value: str) -> str:
        number, _, period = value.partition("/")
        if not (number.isdecimal() and int(number) > 0 and period in ("sec", "min", "hour", "day")):
            raise ValueError(f"{value!r} is not a rate such as 60/min")
        return value

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        from zoneinfo import ZoneInfo

        try:
            ZoneInfo(value)
        except Exception as error:
            raise ValueError(f"{value!r} is not a time zone") from error
        return value

    @field_validator("channel_layer_url")
    @classmethod
    def _layer(cls, value: str) -> str:
        if value and not value.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("a channel layer's address begins with redis://, rediss:// or unix://")
        return value

    @model_validator(mode="after")
    def _production(self) -> Self:
        if self.env == "production":
            if len(self.secret_key) < 32:
                raise ValueError(f"{PREFIX}SECRET_KEY: production needs a secret key of 32 random characters or more")
            if not self.allowed_hosts:
                raise ValueError(f"{PREFIX}ALLOWED_HOSTS: production needs the host names that the site answers to")
        return self

    @property
    def is_production(self) -> bool:
        """Whether the closed, secure mode was asked for."""
        return self.env == "production"

    @property
    def serves_https(self) -> bool:
        """Whether people reach the site over HTTPS."""
        return self.is_production if self.https is None else self.https

    def secret(self) -> str:
        """Answer the secret key; in development make one on the first start and keep it in the home."""
        if self.secret_key:
            return self.secret_key
        path = self.home / "secret-key"
        if not path.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            partial = self.home / f"secret-key.{secrets.token_hex(4)}"
            partial.touch(mode=0o600)
            partial.write_text(secrets.token_urlsafe(50))
            try:
                # A link never replaces: of two processes that start at once, both use the first one's key.
                path.hardlink_to(partial)
            except FileExistsError:
                pass
            finally:
                partial.unlink()
        return path.read_text()


def read_environment() -> Environment:
    """Read and check the environment.

    Raises ImproperlyConfigured with a line for each wrong value that says what to write.
    """
    try:
        return Environment()
    except ValidationError as error:
        raise ImproperlyConfigured(explain(error)) from None


def llm_api_keys() -> dict[str, str]:
    """Answer the keys of language models' servers that agents may name: all variables PARLANT_LLM_API_KEY_..."""
    return {name: value for name, value in os.environ.items() if name.startswith(f"{PREFIX}LLM_API_KEY_")}


def explain(error: ValidationError) -> str:
    """Answer a sentence for each wrong variable: its name, what is wrong, what to write."""
    lines = []
    for problem in error.errors():
        reason = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:
            lines.append(reason)
            continue
        name = str(problem["loc"][0])
        wanted = Environment.model_fields[name].description
        given = "" if any(word in name for word in SECRET) else f" (it is {problem['input']!r})"
        lines.append(f"{PREFIX}{name.upper()}: {reason}{given}. Write: {wanted}")
    return "\n".join(lines)


def documentation() -> str:
    """Answer the table of docs/settings.md."""
    lines = ["| variable | default | what to write |", "| --- | --- | --- |"]
    for name, field in Environment.model_fields.items():
        default = str(field.default).lower() if isinstance(field.default, bool) else field.default
        shown = "" if default in (None, "", []) else f"`{default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(lines)
