"""Puts providers of whole buffers and texts into the form that a session works with: streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agent_runtime.stt import StreamAdapter as STTAdapter
    from agent_runtime.tts import StreamAdapter as TTSAdapter


class Adapters:
    """A session's adapters, one for each provider: it listens to what the provider reports until the session ends."""

    def __init__(self) -> None:
        self._recognisers: list[tuple[Any, STTAdapter]] = []
        self._voices: list[TTSAdapter] = []

    def streaming_stt(self, stt: Any, vad: Any) -> Any:
        """`stt` if it streams, or None; else its adapter, which cuts speech out with `vad`; ValueError without one."""
        if stt is None or stt.capabilities.streaming:
            return stt
        if vad is None:
            raise ValueError(f"{stt.label} recognizes whole buffers only and needs a vad beside it")
        for known_vad, adapter in self._recognisers:
            if adapter.wrapped_stt is stt and known_vad is vad:
                return adapter
        from agent_runtime.stt import StreamAdapter

        self._recognisers.append((vad, StreamAdapter(stt=stt, vad=vad)))
        return self._recognisers[-1][1]

    def streaming_tts(self, tts: Any) -> Any:
        """`tts` if it streams, or None; else its adapter."""
        if tts is None or tts.capabilities.streaming:
            return tts
        for adapter in self._voices:
            if adapter.wrapped_tts is tts:
                return adapter
        from agent_runtime.tts import StreamAdapter

        self._voices.append(StreamAdapter(tts=tts))
        return self._voices[-1]

    async def aclose(self) -> None:
        """Listen no more; the providers stay open."""
        for _, recogniser in self._recognisers:
            await recogniser.aclose()
        for voice in self._voices:
            await voice.aclose()
        self._recognisers.clear()
        self._voices.clear()
