"""What speech recognition passes around."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Any, Literal, TypeAlias

from livekit.rtc import AudioFrame
from pydantic import BaseModel, ConfigDict, Field

from agent_runtime.types import TimedString

AudioBuffer: TypeAlias = AudioFrame | list[AudioFrame]
"""Audio as one frame or several of the same rate and channels."""


@unique
class SpeechEventType(StrEnum):
    """What a recogniser tells."""

    START_OF_SPEECH = "start_of_speech"
    """Somebody began to speak. A recogniser that can't tell sends it with its first interim."""
    INTERIM_TRANSCRIPT = "interim_transcript"
    """The present segment as heard so far; the next one replaces it."""
    PREFLIGHT_TRANSCRIPT = "preflight_transcript"
    """Likely to stay as it is: good enough to begin a reply with, though a final may still differ."""
    FINAL_TRANSCRIPT = "final_transcript"
    """A segment's text; it won't change."""
    RECOGNITION_USAGE = "recognition_usage"
    """What was used since the last one (`recognition_usage`)."""
    END_OF_SPEECH = "end_of_speech"
    """Nobody speaks any more."""


@dataclass
class SpeechData:
    """One reading of a segment. Times in seconds from the start of the stream's audio."""

    language: str
    text: str
    start_time: float = 0.0
    end_time: float = 0.0
    confidence: float = 0.0
    """0 to 1; 0.0 where the recogniser doesn't tell."""
    speaker_id: str | None = None
    is_primary_speaker: bool | None = None
    words: list[TimedString] | None = None
    """Each word with its times, where `STTCapabilities.aligned_transcript` says so."""
    source_languages: list[str] | None = None
    """What was spoken, where the recogniser translates or finds out the language; most spoken first."""
    source_texts: list[str] | None = None
    """The text in each of `source_languages`, where the recogniser translates."""
    target_languages: list[str] | None = None
    target_texts: list[str] | None = None
    """The text in each of `target_languages`, where the recogniser translates."""
    metadata: dict[str, Any] | None = None
    """Whatever else the provider tells."""


@dataclass
class RecognitionUsage:
    """What a stretch of recognition used, counted from the event before."""

    audio_duration: float
    """Seconds."""
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass
class SpeechEvent:
    """Something that a recogniser has to tell; `alternatives` are best first."""

    type: SpeechEventType
    request_id: str = ""
    alternatives: list[SpeechData] = field(default_factory=list)
    recognition_usage: RecognitionUsage | None = None
    speech_start_time: float | None = None
    """When the speech began, in seconds since the epoch, where the recogniser tells."""
    created_at: float = field(default_factory=time.time)
    """Seconds since the epoch."""
    speech_end_time: float | None = None
    """When the speech ended, in seconds since the epoch, where the recogniser tells."""


@dataclass
class STTCapabilities:
    """What a recogniser can do."""

    streaming: bool
    interim_results: bool
    diarization: bool = False
    aligned_transcript: Literal["word", "chunk", False] = False
    offline_recognize: bool = True
    """`recognize` works on a whole buffer."""
    keyterms: bool = False
    """It can be told terms to listen for."""
    chat_context: bool = False
    """It can be told the conversation so far."""
    manual_flush: bool = False
    """`RecognizeStream.flush` makes it finish the present segment at once."""


class STTError(BaseModel):
    """The payload of an STT's `error` event. `recoverable`: it is being tried again."""

    model_config = ConfigDict(arbitrary_types_allowed=True)
    type: Literal["stt_error"] = "stt_error"
    timestamp: float
    """Seconds since the epoch."""
    label: str
    error: Exception = Field(..., exclude=True)
    recoverable: bool
