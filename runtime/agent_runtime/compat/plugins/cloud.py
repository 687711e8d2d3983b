"""Names of LiveKit's cloud that vendors' packages import for parts of theirs which don't work here."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["LLMStream"]


class LLMStream:
    """An answer of a model that LiveKit's inference package asks. There is none here."""

    def __init__(self, *_: object, **__: object) -> None:
        _refuse()


def _refuse() -> NoReturn:
    raise NotImplementedError(
        "this model asks by livekit.agents.inference, which isn't available here: use openai.LLM with base_url"
    )
