"""Which options OpenAI's and xAI's models refuse, as LiveKit's packages of both ask before a request too."""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

__all__ = ["PromptCacheOptions", "drop_unsupported_params", "min_reasoning_effort", "supports_prompt_cache_breakpoints"]

PromptCacheOptions: TypeAlias = dict[str, Any]
"""`prompt_cache_options` of OpenAI's requests, such as how long what was written lives."""

_SAMPLING: Final = frozenset({"temperature", "top_p"})
_STEERING: Final = frozenset({"presence_penalty", "frequency_penalty", "logit_bias", "logprobs", "top_logprobs"})
_REASONING: Final = _SAMPLING | _STEERING | {"n"}
_GPT_6: Final = _SAMPLING | _STEERING | {"stop"}
_GROK: Final = frozenset({"presence_penalty", "frequency_penalty", "stop"})

_REFUSED: Final[tuple[tuple[str, frozenset[str], frozenset[str]], ...]] = (
    ("o1", _REASONING, frozenset()),
    ("o3", _REASONING, frozenset()),
    ("o4", _REASONING, frozenset()),
    ("gpt-5", _REASONING, _SAMPLING),
    ("gpt-6", _GPT_6, _GPT_6),
    ("grok-4-1-fast-reasoning", _GROK, frozenset()),
    ("grok-4.20-0309-reasoning", _GROK, frozenset()),
    ("grok-4.20-multi-agent", _GROK, frozenset()),
)
"""How a model's name begins, what it refuses, and what of that it takes when told not to reason."""

_LEAST_EFFORT: Final = {
    **dict.fromkeys(("gpt-5.1", "gpt-5.2", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.5"), "none"),
    **dict.fromkeys(("gpt-5.6-luna", "gpt-5.6-sol", "gpt-5.6-terra", "gpt-6-luna", "gpt-6-sol"), "none"),
    **dict.fromkeys(("gpt-5", "gpt-5-mini", "gpt-5-nano"), "minimal"),
    "gpt-6.1-sol": "low",
}

_NO_EFFORT_WITH_TOOLS: Final = ("gpt-5.2", "gpt-5.4")
_WITH_BREAKPOINTS: Final = (5, 6)
_VERSION: Final = re.compile(r"gpt-(\d+)(?:\.(\d+))?")


def min_reasoning_effort(model: str) -> str | None:
    """The least that a model can be told to reason; None if that can't be told. A provider before `/` is ignored."""
    return _LEAST_EFFORT.get(model.rpartition("/")[2])


def drop_unsupported_params(model: str, params: dict[str, Any], tools: list[Any] | None = None) -> dict[str, Any]:
    """The options of a request without those that the model would refuse it for.

    Args:
        model: its name; a provider before `/` is ignored.
        params: the options, which stay as they are.
        tools: of the request; with some, two families of models take no effort.
    """
    name = model.rpartition("/")[2]
    refused: frozenset[str] = frozenset()
    for prefix, options, taken_unreasoned in _REFUSED:
        if name.startswith(prefix):
            unreasoned = _effort(params) == "none" == min_reasoning_effort(name)
            refused = options - taken_unreasoned if unreasoned else options
            break
    if tools and name.startswith(_NO_EFFORT_WITH_TOOLS):
        refused |= {"reasoning_effort"}
    return {option: value for option, value in params.items() if option not in refused}


def supports_prompt_cache_breakpoints(model: str) -> bool:
    """Whether a prompt can say where its cached part ends: OpenAI's models from GPT-5.6 on."""
    provider, _, name = model.lower().rpartition("/")
    version = _VERSION.match(name)
    return provider in ("", "openai") and version is not None and _numbers(version) >= _WITH_BREAKPOINTS


def _numbers(version: re.Match[str]) -> tuple[int, int]:
    return int(version[1]), int(version[2] or 0)


def _effort(params: dict[str, Any]) -> str | None:
    """The Chat Completions API has it by itself, the Responses API in an object."""
    effort: str | None = params.get("reasoning_effort") or getattr(params.get("reasoning"), "effort", None)
    return effort
