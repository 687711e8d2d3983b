"""The hosted model that a session's or an agent's argument names."""

from __future__ import annotations

from typing import Any

from agent_runtime.errors import ConfigError


def hosted_part(kind: str, name: str) -> Any:
    """The recogniser, model or voice of that name.

    Args:
        kind: the argument: `stt`, `llm` or `tts`.
        name: `provider/model`, with a language or a voice after a colon.

    Raises:
        ConfigError: there is no key, or no such part is hosted.
    """
    if kind == "stt":
        from agent_runtime.inference.stt import STT

        return STT.from_model_string(name)
    if kind == "tts":
        from agent_runtime.inference.tts import TTS

        return TTS.from_model_string(name)
    if kind == "llm":
        from agent_runtime.inference.llm import llm_from_model_string

        return llm_from_model_string(name)
    raise ConfigError(f"{kind}={name!r}", "", "give an object: only stt, llm and tts can be named")
