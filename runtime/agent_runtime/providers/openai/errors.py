"""What went wrong between us and the server, as our errors, in sentences that say what to do.

Keys never get into a message: servers repeat them in theirs.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import openai

from agent_runtime.errors import APIConnectionError, APIError, APIStatusError, APITimeoutError
from agent_runtime.records import record

_MAX_DETAIL: Final = 300
"""Characters of a server's own words."""
_WEB_PAGE: Final = re.compile(r"^\s*<(!doctype|html|head|body)\b", re.IGNORECASE)
_TITLE: Final = re.compile(r"<title>([^<]+)</title>", re.IGNORECASE)


@record(frozen=True, slots=True)
class Target:
    """Who was asked for what."""

    url: str
    model: str
    key: str
    """Empty if there is none."""
    timeout: float
    """Seconds."""
    key_name: str = "OPENAI_API_KEY"
    """What to set to a valid one where the key is refused."""
    url_name: str = "OPENAI_BASE_URL"

    def scrub(self, text: str) -> str:
        """The text without the key."""
        return text.replace(self.key, "[key]") if self.key else text


def translate(error: Exception, target: Target) -> Exception:
    """Say what the `openai` package raises, or reading garbage does, as one of our errors; give back anything else."""
    if isinstance(error, openai.APITimeoutError) or _is_named(error, "TimeoutException"):
        return APITimeoutError(f"{target.url} didn't answer within {target.timeout:g} s")
    if isinstance(error, openai.APIStatusError):
        return _status_error(error, target)
    if isinstance(error, openai.APIConnectionError) or _is_named(error, "TransportError"):
        cause = error.__cause__ or error
        detail = _detail(str(cause) or type(cause).__name__, target)
        return APIConnectionError(
            f"{target.url} can't be reached ({detail}): check that the server runs and that {target.url_name} is right"
        )
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | openai.APIResponseValidationError):
        return APIError(
            f"{target.url} sent something that is no chat completion ({_detail(str(error), target)}): check that "
            f"{target.url_name} is that of an OpenAI-compatible API, often ending in /v1"
        )
    if isinstance(error, openai.APIError):
        # The server reports a failure inside of the stream.
        return APIError(f"{target.url} failed: {_detail(error.message, target)}", body=_scrubbed(error.body, target))
    return error


def _status_error(error: openai.APIStatusError, target: Target) -> APIStatusError:
    status = error.status_code
    code = error.code or ""
    retryable = None
    if status == 401:
        # The server's own words are left out: they quote the key.
        if target.key:
            message = f"{target.url} refuses the API key: set {target.key_name} to a valid one"
        else:
            message = f"{target.url} needs an API key: set {target.key_name}"
    else:
        detail = _detail(_server_words(error), target)
        if status == 403:
            message = f"{target.url} doesn't let this key use {target.model!r}: {detail}"
        elif status == 404 and ("model" in code or "model" in detail.lower()):
            message = f"{target.url} has no model {target.model!r}: choose another model ({detail})"
        elif status == 404:
            message = (
                f"{target.url} has no chat completions: check {target.url_name}, which often ends in /v1 ({detail})"
            )
        elif status == 429 and code == "insufficient_quota":
            message, retryable = f"the account at {target.url} has no credit left: {detail}", False
        elif status == 429:
            message = f"{target.url} limits the rate of requests: {detail}"
        elif status < 500:
            message = f"{target.url} refused the request: {detail}"
        else:
            message = f"{target.url} failed: {detail}"
    return APIStatusError(
        message,
        status_code=status,
        request_id=error.request_id or error.response.headers.get("x-livekit-request-id"),
        body=_scrubbed(error.body, target),
        retryable=retryable,
        retry_after=_retry_after(error),
    )


def _server_words(error: openai.APIStatusError) -> str:
    """What the server said, where the package's message puts the status before it and the whole body after it."""
    message = error.body.get("message") if isinstance(error.body, dict) else error.body
    return message if isinstance(message, str) and message else error.message


def _retry_after(error: openai.APIStatusError) -> float | None:
    """Seconds; a date instead of them is ignored, as no API of this kind sends one."""
    headers = error.response.headers
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None


def _detail(text: str, target: Target) -> str:
    if _WEB_PAGE.match(text):
        title = _TITLE.search(text)
        text = f"a web page, {title[1].strip()!r}" if title else "a web page"
    text = " ".join(target.scrub(text).split())
    return text if len(text) <= _MAX_DETAIL else text[:_MAX_DETAIL] + "…"


def _scrubbed(body: object, target: Target) -> Any:
    if body is None or not target.key:
        return body
    try:
        return json.loads(target.scrub(json.dumps(body)))
    except (TypeError, ValueError):
        return None


def _is_named(error: Exception, name: str) -> bool:
    # Reading a body can let the HTTP client's own exceptions through; which client it is, is up to `openai`.
    return any(kind.__name__ == name for kind in type(error).__mro__)
