"""Keys of language models' servers: kept in the environment alone; an agent names the variable that holds its own."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from django.conf import settings

from sessions_app.models import Agent

VARIABLE = re.compile(r"PARLANT_LLM_API_KEY_[A-Z0-9_]{1,100}")
VARIABLE_HELP = (
    "Name of the environment variable PARLANT_LLM_API_KEY_… that holds the key. Keys themselves are not kept here."
)
ADDRESS_HELP = "An OpenAI-compatible server, such as http://127.0.0.1:11434/v1"


def key_of(agent: Agent) -> str:
    """Answer the key, or ""; the common one goes to the common server alone, to none that is written into an agent."""
    if agent.llm_key_variable:
        return str(settings.PARLANT_LLM_API_KEYS.get(agent.llm_key_variable, ""))
    return "" if agent.llm_base_url else str(settings.PARLANT_LLM_API_KEY)


def without_keys(text: str) -> str:
    """Answer a text, such as a server's complaint, without any key that this process knows."""
    for key in {settings.PARLANT_LLM_API_KEY, *settings.PARLANT_LLM_API_KEYS.values()}:
        if key:
            text = text.replace(key, "[key]")
    return text


def problem_of_variable(name: str) -> str:
    """Answer what is wrong with the name of a variable, without repeating it: it may be a key; "" for nothing."""
    if not name or VARIABLE.fullmatch(name):
        return ""
    return "Not the name of a variable PARLANT_LLM_API_KEY_… (capital letters, digits, _); keys are not kept here"


def problem_of_address(url: str) -> str:
    """Answer what is wrong with a server's address, without repeating it; "" for nothing."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        whole = False
    if not whole or re.search(r"[\s\\]", url):
        return "Not an address such as http://127.0.0.1:11434/v1"
    if "@" in parts.netloc:
        return "An address has no name and password in it: name the variable that holds the key"
    return "An address ends with its path: no ? and no #" if parts.query or parts.fragment else ""
