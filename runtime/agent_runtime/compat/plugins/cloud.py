"""Names inside of LiveKit's inference package that vendors' packages import for parts which don't work here."""

from __future__ import annotations

from typing import NoReturn

__all__ = ["LLMStream"]


class LLMStream:
    """An answer of a model of a vendor's that is asked by the inside of LiveKit's package, which isn't here."""

    def __init__(self, *_: object, **__: object) -> None:
        _refuse()


def _refuse() -> NoReturn:
    raise NotImplementedError(
        "this model asks by the inside of livekit.agents.inference, which isn't available here: "
        "use openai.LLM with base_url"
    )
