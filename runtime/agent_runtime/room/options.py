"""How a session uses a room. Times in seconds unless they say ms."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from livekit import rtc

from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given

if TYPE_CHECKING:
    from agent_runtime.io import TextOutput
    from agent_runtime.voice.session import AgentSession

DEFAULT_PARTICIPANT_KINDS = [
    rtc.ParticipantKind.PARTICIPANT_KIND_CONNECTOR,
    rtc.ParticipantKind.PARTICIPANT_KIND_SIP,
    rtc.ParticipantKind.PARTICIPANT_KIND_STANDARD,
]
"""Participants whom an agent listens to unless it is told otherwise: people, on whatever way they came."""


@dataclass
class TextInputEvent:
    """Text that a participant sent."""

    text: str
    info: rtc.TextStreamInfo | None = None
    participant: rtc.RemoteParticipant | None = None


TextInputCallback: TypeAlias = Callable[["AgentSession[Any]", TextInputEvent], Awaitable[None] | None]


def answer_text(session: AgentSession[Any], event: TextInputEvent) -> None:
    """Stop the agent and have it answer."""
    session.send_text(event.text)


def _microphone() -> rtc.TrackPublishOptions:
    return rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)


@dataclass
class NoiseCancellationParams:
    """What a `noise_cancellation` that is a function is asked about."""

    participant: rtc.Participant
    track: rtc.Track


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
    """Length of a frame at most; the session gets them sooner, 20 ms at a time."""
    noise_cancellation: Any = None
    """What LiveKit's SDK takes for it, or a function that gives that for a `NoiseCancellationParams`."""
    auto_gain_control: NotGivenOr[bool] = NOT_GIVEN
    """Unset, off: those who join level their microphones themselves."""
    pre_connect_audio: bool = True
    """Hear what a participant said while they were still connecting."""
    pre_connect_audio_timeout: float = 3.0
    """How long to wait for that."""


@dataclass
class VideoInputOptions:
    """How to see a participant."""


@dataclass
class AudioOutputOptions:
    """How to be heard."""

    sample_rate: int = 24000
    num_channels: int = 1
    track_publish_options: rtc.TrackPublishOptions = field(default_factory=_microphone)
    track_name: NotGivenOr[str] = NOT_GIVEN
    """Unset, `roomio_audio`."""


@dataclass
class TextOutputOptions:
    """How to send the transcript."""

    sync_transcription: NotGivenOr[bool] = NOT_GIVEN
    """False: the agent's words are sent as they are generated, not as they are heard."""
    transcription_speed_factor: float = 1.0
    """Has no effect: words are sent as they are heard, by the voice's own pace."""
    next_in_chain: TextOutput | None = None
    """Gets the agent's words too."""
    json_format: bool = False
    """Each piece is a line of JSON, `{"text": …}`."""


@dataclass
class RoomOptions:
    """Everything about a room. True and unset take the defaults, False does without."""

    text_input: NotGivenOr[TextInputOptions | bool] = NOT_GIVEN
    audio_input: NotGivenOr[AudioInputOptions | bool] = NOT_GIVEN
    video_input: NotGivenOr[VideoInputOptions | bool] = NOT_GIVEN
    """Unset, off."""
    audio_output: NotGivenOr[AudioOutputOptions | bool] = NOT_GIVEN
    text_output: NotGivenOr[TextOutputOptions | bool] = NOT_GIVEN
    participant_kinds: NotGivenOr[list[rtc.ParticipantKind.ValueType]] = NOT_GIVEN
    """Whom to listen to; unset, `DEFAULT_PARTICIPANT_KINDS`."""
    participant_identity: NotGivenOr[str] = NOT_GIVEN
    """Listen to nobody else; unset, to the first who is there."""
    close_on_disconnect: bool = True
    """The session ends when that participant leaves, rejects the call or the room is deleted."""
    delete_room_on_close: bool = False
    """The room is deleted when the session ends."""

    def get_text_input_options(self) -> TextInputOptions | None:
        """Complete, or None if it is off; so are the others."""
        if isinstance(self.text_input, TextInputOptions):
            return self.text_input
        return None if self.text_input is False else TextInputOptions()

    def get_audio_input_options(self) -> AudioInputOptions | None:
        """See `get_text_input_options`."""
        if isinstance(self.audio_input, AudioInputOptions):
            return self.audio_input
        return None if self.audio_input is False else AudioInputOptions()

    def get_video_input_options(self) -> VideoInputOptions | None:
        """See `get_text_input_options`."""
        if isinstance(self.video_input, VideoInputOptions):
            return self.video_input
        return VideoInputOptions() if self.video_input is True else None

    def get_audio_output_options(self) -> AudioOutputOptions | None:
        """See `get_text_input_options`."""
        if isinstance(self.audio_output, AudioOutputOptions):
            return self.audio_output
        return None if self.audio_output is False else AudioOutputOptions()

    def get_text_output_options(self) -> TextOutputOptions | None:
        """See `get_text_input_options`."""
        if isinstance(self.text_output, TextOutputOptions):
            return self.text_output
        return None if self.text_output is False else TextOutputOptions()


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
    participant_kinds: NotGivenOr[list[rtc.ParticipantKind.ValueType]] = NOT_GIVEN
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
    audio_publish_options: rtc.TrackPublishOptions = field(default_factory=_microphone)
    audio_track_name: NotGivenOr[str] = NOT_GIVEN
    sync_transcription: NotGivenOr[bool] = NOT_GIVEN
    transcription_speed_factor: float = 1.0


def resolve_options(
    options: NotGivenOr[RoomOptions],
    input_options: NotGivenOr[RoomInputOptions] = NOT_GIVEN,
    output_options: NotGivenOr[RoomOutputOptions] = NOT_GIVEN,
) -> RoomOptions:
    """`options` if they are given, else what the older two say. Raises TypeError if they are something else."""
    if is_given(options):
        if not isinstance(options, RoomOptions):
            raise TypeError(f"room_options is a RoomOptions, not {type(options).__name__}")
        return options
    resolved = RoomOptions()
    if is_given(input_options):
        _take_input(resolved, input_options)
    if is_given(output_options):
        _take_output(resolved, output_options)
    return resolved


def _take_input(resolved: RoomOptions, old: RoomInputOptions) -> None:
    resolved.text_input = old.text_enabled is not False and TextInputOptions(old.text_input_cb)
    resolved.audio_input = old.audio_enabled is not False and AudioInputOptions(
        sample_rate=old.audio_sample_rate,
        num_channels=old.audio_num_channels,
        frame_size_ms=old.audio_frame_size_ms,
        noise_cancellation=old.noise_cancellation,
        pre_connect_audio=old.pre_connect_audio,
        pre_connect_audio_timeout=old.pre_connect_audio_timeout,
    )
    resolved.video_input = old.video_enabled
    resolved.participant_kinds = old.participant_kinds
    resolved.participant_identity = old.participant_identity
    resolved.close_on_disconnect = old.close_on_disconnect
    resolved.delete_room_on_close = old.delete_room_on_close


def _take_output(resolved: RoomOptions, old: RoomOutputOptions) -> None:
    resolved.audio_output = old.audio_enabled is not False and AudioOutputOptions(
        sample_rate=old.audio_sample_rate,
        num_channels=old.audio_num_channels,
        track_publish_options=old.audio_publish_options,
        track_name=old.audio_track_name,
    )
    resolved.text_output = old.transcription_enabled is not False and TextOutputOptions(
        sync_transcription=old.sync_transcription, transcription_speed_factor=old.transcription_speed_factor
    )
