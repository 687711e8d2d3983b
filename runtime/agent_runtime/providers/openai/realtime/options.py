"""What a realtime session is asked for, and how the API writes it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

from pydantic import SecretStr

from agent_runtime.errors import ConfigError
from agent_runtime.llm.tool_context import ToolChoice
from agent_runtime.types import DEFAULT_API_CONNECT_OPTIONS, APIConnectOptions

OPENAI_URL: Final = "https://api.openai.com/v1"
SAMPLE_RATE: Final = 24000
"""Hz of the sound in both directions, mono."""
DEFAULT_VOICE: Final = "marin"

_FORMAT: Final = {"type": "audio/pcm", "rate": SAMPLE_RATE}
_SHORT_PATHS: Final = ("", "/v1", "/openai", "/openai/v1")
"""Paths of an API's root; any other is taken to be the endpoint itself."""

DEFAULT_TURN_DETECTION: Final = {
    "type": "semantic_vad",
    "create_response": True,
    "eagerness": "medium",
    "interrupt_response": True,
}
DEFAULT_TRANSCRIPTION: Final = {"model": "gpt-4o-mini-transcribe"}


@dataclass
class RealtimeOptions:
    """One model's options, or those of one of its sessions. Dicts are as the API takes them."""

    model: str
    base_url: str
    api_key: SecretStr
    voice: str = DEFAULT_VOICE
    modalities: list[Literal["text", "audio"]] = field(default_factory=lambda: ["text", "audio"])
    tool_choice: ToolChoice | None = None
    transcription: dict[str, Any] | None = None
    noise_reduction: dict[str, Any] | None = None
    turn_detection: dict[str, Any] | None = None
    max_output_tokens: int | Literal["inf"] | None = "inf"
    speed: float = 1.0
    tracing: Any = None
    truncation: Any = None
    reasoning: dict[str, Any] | None = None
    azure_deployment: str | None = None
    entra_token: SecretStr | None = None
    max_session_duration: float | None = 20 * 60.0
    """Seconds, after which the connection is made anew, between two answers."""
    conn_options: APIConnectOptions = DEFAULT_API_CONNECT_OPTIONS

    @property
    def is_azure(self) -> bool:
        """Whether the server is Azure's, which wants the key elsewhere."""
        return self.azure_deployment is not None or self.entra_token is not None

    @property
    def server_answers(self) -> bool:
        """Whether the server both finds the user's turns and answers them."""
        return self.turn_detection is not None and self.turn_detection.get("create_response") is not False

    def session(self) -> dict[str, Any]:
        """The settings as `session.update` takes them; what wasn't asked for is left to the server."""
        session = {
            "type": "realtime",
            "model": self.azure_deployment or self.model,
            # A model that speaks tells its words besides: both aren't asked for.
            "output_modalities": ["audio" if "audio" in self.modalities else "text"],
            "audio": {
                "input": {
                    "format": _FORMAT,
                    "noise_reduction": self.noise_reduction,
                    "transcription": self.transcription,
                    "turn_detection": self.turn_detection,
                },
                "output": {"format": _FORMAT, "speed": self.speed, "voice": self.voice},
            },
            "max_output_tokens": self.max_output_tokens,
            "tool_choice": tool_choice_json(self.tool_choice),
            "tracing": self.tracing,
        }
        optional = {"truncation": self.truncation, "reasoning": self.reasoning}
        return session | {name: value for name, value in optional.items() if value is not None}

    def endpoint(self) -> str:
        """The URL of the WebSocket."""
        parts = urlsplit(self.base_url)
        path = parts.path.rstrip("/")
        if path in _SHORT_PATHS:
            path += "/v1/realtime" if self.is_azure and not path.endswith("/v1") else "/realtime"
        query = {name: value for name, value in parse_qsl(parts.query) if not (self.is_azure and name == "api-version")}
        query.setdefault("model", self.azure_deployment or self.model)
        scheme = {"http": "ws", "https": "wss"}.get(parts.scheme, parts.scheme)
        return parts._replace(scheme=scheme, path=path, query=urlencode(query)).geturl()

    def headers(self) -> dict[str, str]:
        """What the connection is opened with; it holds the key."""
        key = self.api_key.get_secret_value()
        if not self.is_azure:
            return {"Authorization": f"Bearer {key}"}
        token = {"Authorization": f"Bearer {self.entra_token.get_secret_value()}"} if self.entra_token else {}
        return token | ({"api-key": key} if key else {})


def as_json(value: Any) -> Any:
    """An option as JSON: a model of the `openai` package without what it leaves open, anything else as it is."""
    return value.model_dump(by_alias=True, exclude_none=True) if hasattr(value, "model_dump") else value


def noise_reduction_json(value: Any) -> dict[str, Any] | None:
    """`near_field`, `far_field`, or an object that says so."""
    given: dict[str, Any] | None = {"type": value} if isinstance(value, str) else as_json(value)
    return given


def tool_choice_json(choice: ToolChoice | None) -> Any:
    """`auto` where it is left open; the name of a function stands directly in the object here."""
    if not isinstance(choice, dict):
        return choice or "auto"
    return {"type": "function", "name": choice.get("function", {}).get("name", "")}


def changes(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """What of the settings is new: whole values, but of `audio`, its input and output only what changed."""
    changed = {}
    for name, value in new.items():
        if name not in old or old[name] != value:
            nested = name in ("audio", "input", "output") and isinstance(old.get(name), dict)
            changed[name] = changes(old[name], value) if nested else value
    return changed | dict.fromkeys(old.keys() - new.keys())


def openai_key(given: SecretStr | str | None) -> SecretStr:
    """The key that is given, or `OPENAI_API_KEY`. Raises ConfigError where there is none."""
    key = given.get_secret_value() if isinstance(given, SecretStr) else given
    if not (key := key or os.environ.get("OPENAI_API_KEY", "")):
        raise ConfigError("OPENAI_API_KEY", "", "a realtime model needs an API key: set it, or give api_key")
    return SecretStr(key)
