"""LiveKit's gateway to hosted models: where it is, and what it is told of who asks.

Facts of the protocol (addresses, headers, the grant in a token) are those that LiveKit's clients keep to:
https://docs.livekit.io/agents/models/inference
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from agent_runtime import stand_ins
from agent_runtime.access_token import access_token
from agent_runtime.errors import ConfigError
from agent_runtime.records import record
from agent_runtime.types import NotGivenOr, is_given
from agent_runtime.utils import shortuuid

if TYPE_CHECKING:
    from agent_runtime.worker.job import JobContext

InferenceClass: TypeAlias = Literal["priority", "standard", "low"]
"""How urgent a request is: `low` waits behind those of conversations."""

PROVIDER: Final = "livekit"
"""What metrics name as the provider of every hosted model; the vendor is part of the model's name."""
GATEWAY_URL: Final = "https://agent-gateway.livekit.cloud/v1"
STAGING_URL: Final = "https://agent-gateway.staging.livekit.cloud/v1"
TOKEN_LIFE: Final = 600
"""Seconds. Every connection and every request gets a token of its own."""

KEY_NAMES: Final = "LIVEKIT_API_KEY and LIVEKIT_API_SECRET"
URL_NAME: Final = "LIVEKIT_INFERENCE_URL"

SESSION_HEADER: Final = "X-LiveKit-Session-ID"
REQUEST_HEADER: Final = "X-LiveKit-Request-Id"
PROVIDER_HEADER: Final = "X-LiveKit-Inference-Provider"
PRIORITY_HEADER: Final = "X-LiveKit-Inference-Priority"

_QUOTAS: Final = {"RPM": "requests a minute", "TPM": "tokens a minute", "Credits": "credits"}
_LOCAL: Final = ("localhost", "127.0.0.1", "::1", "0.0.0.0")
_OR: Final = "or leave stt, llm and tts out for the bundled models"


@record(frozen=True, slots=True)
class Gateway:
    """The gateway and the key that it is asked with."""

    url: str
    """Without a slash at its end."""
    key: str
    secret: SecretStr

    def headers(self, inference_class: str | None = None) -> dict[str, str]:
        """What a connection or a request says of who asks, with a fresh token.

        In a job these are its room, its id, its agent and an id of this one request.
        """
        from agent_runtime.worker.job import get_job_context

        said = {"User-Agent": _user_agent(), "Authorization": f"Bearer {self.token()}"}
        if inference_class:
            said[PRIORITY_HEADER] = inference_class
        if (job := get_job_context(required=False)) is not None:
            said |= _of_job(job)
        return said

    def token(self) -> str:
        """A token that lasts for `TOKEN_LIFE`."""
        claims = {"sub": "agent", "inference": {"perform": True}}
        return access_token(self.key, self.secret.get_secret_value(), claims, life=TOKEN_LIFE)

    def socket_url(self, path: str, model: str | None) -> str:
        """Where to open a WebSocket, such as `wss://…/v1/stt?model=deepgram%2Fnova-3`."""
        root = "ws" + self.url.removeprefix("http") if self.url.startswith("http") else self.url
        return f"{root}/{path}" + (f"?{urlencode({'model': model})}" if model else "")


def find_gateway(
    base_url: NotGivenOr[str | None], api_key: NotGivenOr[str | None], api_secret: NotGivenOr[str | SecretStr | None]
) -> Gateway:
    """The gateway that arguments name, or else the environment.

    Variables: `LIVEKIT_INFERENCE_URL`; `LIVEKIT_INFERENCE_API_KEY` and `LIVEKIT_INFERENCE_API_SECRET`, else
    `LIVEKIT_API_KEY` and `LIVEKIT_API_SECRET`.

    Raises:
        ConfigError: there is no key or no secret, or the URL is none.
    """
    url = (base_url if is_given(base_url) else None) or default_url()
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise ConfigError(URL_NAME, "", f"{url!r} is no URL of a gateway: write it like {GATEWAY_URL}")
    key = (api_key if is_given(api_key) else None) or _variable("KEY")
    secret = (api_secret if is_given(api_secret) else None) or _variable("SECRET")
    if not key or not secret:
        raise ConfigError(
            "LiveKit Inference needs a key", "", f"set {KEY_NAMES} to those of a LiveKit Cloud project, {_OR}"
        )
    if stand_ins.are_allowed() and _is_key_of_another_server(given=is_given(api_key) and bool(api_key)):
        problem = "set LIVEKIT_INFERENCE_API_KEY and LIVEKIT_INFERENCE_API_SECRET to those of a LiveKit Cloud project"
        raise ConfigError("LiveKit Inference doesn't know the key of LIVEKIT_URL", "", f"{problem}, {_OR}")
    return Gateway(url.rstrip("/"), key, secret if isinstance(secret, SecretStr) else SecretStr(secret))


def default_url() -> str:
    """`LIVEKIT_INFERENCE_URL`, else LiveKit's own: that for staging where `LIVEKIT_URL` is there."""
    if url := os.environ.get(URL_NAME):
        return url
    return STAGING_URL if ".staging.livekit.cloud" in os.environ.get("LIVEKIT_URL", "") else GATEWAY_URL


def quota_used(headers: Mapping[str, str]) -> str:
    """How much of which limit is used, as a rejected request's answer says it; empty where it doesn't."""
    used: list[str] = []
    for short, what in _QUOTAS.items():
        name = f"X-LiveKit-Inference-{short}"
        if (limit := headers.get(f"{name}-Limit")) and (count := headers.get(f"{name}-Used")):
            used.append(f"{count} of {limit} {what}")
    return ", ".join(used)


def _variable(name: str) -> str:
    # As LiveKit's clients do it, the more special one counts even where it is empty.
    return os.environ.get(f"LIVEKIT_INFERENCE_API_{name}", os.environ.get(f"LIVEKIT_API_{name}", ""))


def _is_key_of_another_server(*, given: bool) -> bool:
    """Whether the only key is that of a LiveKit server on this machine, which a `.env` often has."""
    if given or URL_NAME in os.environ or "LIVEKIT_INFERENCE_API_KEY" in os.environ:
        return False
    return urlsplit(os.environ.get("LIVEKIT_URL", "")).hostname in _LOCAL


def _of_job(job: JobContext) -> dict[str, str]:
    said: dict[str, str] = {}
    if room_id := job.job.room.sid:
        said["X-LiveKit-Room-ID"] = room_id
    if job_id := job.job.id:
        said["X-LiveKit-Job-ID"] = job_id
    if token := os.environ.get("LIVEKIT_WORKER_TOKEN"):
        said["X-LiveKit-Worker-Token"] = token
    # Models may connect before the room does, and until then nobody has an id there.
    if job.room.isconnected() and (agent_id := job.room.local_participant.sid):
        said["X-LiveKit-Agent-ID"] = agent_id
    return {**said, **job.inference_headers, SESSION_HEADER: shortuuid("inference_")}


def _user_agent() -> str:
    return f"agent-console/{importlib.metadata.version('agent-console')} (python {platform.python_version()})"
