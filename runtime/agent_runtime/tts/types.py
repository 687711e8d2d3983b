"""What speech synthesis passes around."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from livekit.rtc import AudioFrame
from pydantic import BaseModel, ConfigDict, Field


@dataclass
class SynthesizedAudio:
    """A piece of synthesized speech.

    `frame.userdata` may hold what begins in it (`USERDATA_TIMED_TRANSCRIPT`: a list of `TimedString` whose times count
    from the start of the segment).
    """

    frame: AudioFrame
    request_id: str
    is_final: bool = False
    """Whether it is the last of its segment."""
    segment_id: str = ""
    delta_text: str = ""


@dataclass
class TTSCapabilities:
    """What a synthesizer can do."""

    streaming: bool
    """`TTS.stream` takes text piece by piece."""
    aligned_transcript: bool = False
    """The audio comes with the times of its words."""


@dataclass
class MarkupInfo:
    """What a voice can express beside words."""

    nonverbals: dict[str, list[str]] = field(default_factory=dict)
    """Kind of sound to the labels that make it."""


class TTSError(BaseModel):
    """The payload of a TTS's `error` event. `recoverable`: it is being tried again."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    type: Literal["tts_error"] = "tts_error"
    timestamp: float
    """Seconds since the epoch."""
    label: str
    error: Exception = Field(..., exclude=True)
    recoverable: bool
