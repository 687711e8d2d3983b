"""How a session is to use a room. A local conversation takes no notice of it. Times in seconds unless they say ms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from livekit.rtc import TrackPublishOptions, TrackSource

from agent_runtime.types import NOT_GIVEN, NotGivenOr

if TYPE_CHECKING:
    from agent_runtime.voice.session import AgentSession


@dataclass
class TextInputEvent:
    """Text that a participant sent."""

    text: str
    info: Any = None
    participant: Any = None


TextInputCallback: TypeAlias = Callable[["AgentSession[Any]", TextInputEvent], Awaitable[None] | None]


def answer_text(session: AgentSession[Any], event: TextInputEvent) -> None:
    """Stop the agent and have it answer."""
    session.send_text(event.text)


def _microphone() -> TrackPublishOptions:
    return TrackPublishOptions(source=TrackSource.SOURCE_MICROPHONE)


@dataclass
class TextInputOptions:
    """What to do with text."""

    text_input_cb: TextInputCallback = answer_text


@dataclass
class AudioInputOptions:
    """How to hear a participant."""

    sample_rate: int = 24000
    num_channels: int = 1
    frame_size_ms: int = 50
    noise_cancellation: Any = None
    auto_gain_control: NotGivenOr[bool] = NOT_GIVEN
    pre_connect_audio: bool = True
    pre_connect_audio_timeout: float = 3.0


@dataclass
class VideoInputOptions:
    """How to see a participant."""


@dataclass
class AudioOutputOptions:
    """How to be heard."""

    sample_rate: int = 24000
    num_channels: int = 1
    track_publish_options: TrackPublishOptions = field(default_factory=_microphone)
    track_name: NotGivenOr[str] = NOT_GIVEN


@dataclass
class TextOutputOptions:
    """How to send the transcript."""

    sync_transcription: NotGivenOr[bool] = NOT_GIVEN
    transcription_speed_factor: float = 1.0
    next_in_chain: Any = None
    json_format: bool = False


@dataclass
class RoomOptions:
    """Everything about a room. True and unset take the defaults, False does without."""

    text_input: NotGivenOr[TextInputOptions | bool] = NOT_GIVEN
    audio_input: NotGivenOr[AudioInputOptions | bool] = NOT_GIVEN
    video_input: NotGivenOr[VideoInputOptions | bool] = NOT_GIVEN
    audio_output: NotGivenOr[AudioOutputOptions | bool] = NOT_GIVEN
    text_output: NotGivenOr[TextOutputOptions | bool] = NOT_GIVEN
    participant_kinds: NotGivenOr[list[Any]] = NOT_GIVEN
    participant_identity: NotGivenOr[str] = NOT_GIVEN
    close_on_disconnect: bool = True
    delete_room_on_close: bool = False


@dataclass
class RoomInputOptions:
    """The older name of one half of `RoomOptions`."""

    text_enabled: NotGivenOr[bool] = NOT_GIVEN
    audio_enabled: NotGivenOr[bool] = NOT_GIVEN
    video_enabled: NotGivenOr[bool] = NOT_GIVEN
    audio_sample_rate: int = 24000
    audio_num_channels: int = 1
    audio_frame_size_ms: int = 50
    noise_cancellation: Any = None
    text_input_cb: TextInputCallback = answer_text
    participant_kinds: NotGivenOr[list[Any]] = NOT_GIVEN
    participant_identity: NotGivenOr[str] = NOT_GIVEN
    pre_connect_audio: bool = True
    pre_connect_audio_timeout: float = 3.0
    close_on_disconnect: bool = True
    delete_room_on_close: bool = False


@dataclass
class RoomOutputOptions:
    """The older name of the other half of `RoomOptions`."""

    transcription_enabled: NotGivenOr[bool] = NOT_GIVEN
    audio_enabled: NotGivenOr[bool] = NOT_GIVEN
    audio_sample_rate: int = 24000
    audio_num_channels: int = 1
    audio_publish_options: TrackPublishOptions = field(default_factory=_microphone)
    audio_track_name: NotGivenOr[str] = NOT_GIVEN
    sync_transcription: NotGivenOr[bool] = NOT_GIVEN
    transcription_speed_factor: float = 1.0
