"""`livekit.plugins.openai.realtime`, and what packages that extend it import from its files."""

from __future__ import annotations

from agent_runtime.providers.openai.realtime import RealtimeModel
from agent_runtime.providers.openai.realtime import RealtimeSession as _RealtimeSession

__all__ = ["RealtimeModel", "RealtimeSession", "_DiscardedGeneration"]


class RealtimeSession(_RealtimeSession):
    """A session of `RealtimeModel`, under the name by which packages extend it.

    Raises:
        NotImplementedError: a package's class wants the methods of livekit-agents' own session, which aren't here.
    """

    def __init__(self, realtime_model: RealtimeModel, *, turn_detection_disabled: bool = False) -> None:
        if any(name.startswith("_handle_") for name in dir(self)):
            raise NotImplementedError(
                f"{type(self).__module__}.{type(self).__name__} extends the inside of livekit-agents' session, which "
                "isn't available here: use openai.realtime.RealtimeModel with base_url, or stt, llm and tts"
            )
        super().__init__(realtime_model, turn_detection_disabled=turn_detection_disabled)


class _DiscardedGeneration:
    """An answer that nobody waits for; packages that extend the session look for it."""
