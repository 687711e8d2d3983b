"""A session in a LiveKit room: `RoomIO`."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from livekit import rtc

from agent_runtime import events as ev
from agent_runtime.clock import LoopClock
from agent_runtime.events.room import ParticipantLinked
from agent_runtime.io import AudioInput, AudioOutput, TextOutput, VideoInput
from agent_runtime.room.audio_input import RoomAudioInput
from agent_runtime.room.audio_output import RoomAudioOutput
from agent_runtime.room.figures import RoomWatch
from agent_runtime.room.joining import delete_room
from agent_runtime.room.options import (
    DEFAULT_PARTICIPANT_KINDS,
    RoomInputOptions,
    RoomOptions,
    RoomOutputOptions,
    TextInputCallback,
    TextInputEvent,
    resolve_options,
)
from agent_runtime.room.pre_connect import PreConnectAudio
from agent_runtime.room.push_to_talk import RoomPushToTalk
from agent_runtime.room.reports import RoomReports
from agent_runtime.room.transcripts import AgentTranscript, UserTranscript
from agent_runtime.room.video_input import RoomVideoInput
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.utils.aio import TaskSet

if TYPE_CHECKING:
    from agent_runtime.events import AnyEvent, EventData
    from agent_runtime.voice.session import AgentSession

logger = logging.getLogger(__name__)

TOPIC_CHAT: Final = "lk.chat"
ATTRIBUTE_AGENT_STATE: Final = "lk.agent.state"
ATTRIBUTE_PUBLISH_ON_BEHALF: Final = "lk.publish_on_behalf"
CLOSING_REASONS: Final = frozenset(
    {
        rtc.DisconnectReason.CLIENT_INITIATED,
        rtc.DisconnectReason.ROOM_DELETED,
        rtc.DisconnectReason.USER_REJECTED,
    }
)
"""Why a participant has to leave for the session to end: they meant it. Others may come back."""


class RoomIO:
    """Gives a session a room's participant to hear and a track to speak on, and tells the room of what is said.

    `start` returns at once; the room may be connected later. Leaving the room is the business of who joined it.

    Args:
        agent_session: the session.
        room: the room.
        participant: whom to listen to, or their identity; unset, as `options` say.
        options: everything else.
        input_options, output_options: the older way to say it.
    """

    def __init__(
        self,
        agent_session: AgentSession[Any],
        room: rtc.Room,
        *,
        participant: rtc.RemoteParticipant | str | None = None,
        options: NotGivenOr[RoomOptions] = NOT_GIVEN,
        input_options: NotGivenOr[RoomInputOptions] = NOT_GIVEN,
        output_options: NotGivenOr[RoomOutputOptions] = NOT_GIVEN,
    ) -> None:
        self._session = agent_session
        self._room = room
        self._options = resolve_options(options, input_options, output_options)
        self._wanted = participant.identity if isinstance(participant, rtc.RemoteParticipant) else participant
        if self._wanted is None and is_given(self._options.participant_identity):
            self._wanted = self._options.participant_identity
        self._linked: rtc.RemoteParticipant | None = None
        self._pre_connect: PreConnectAudio | None = None
        self._audio_input: RoomAudioInput | None = None
        self._video_input: RoomVideoInput | None = None
        self._audio_output: RoomAudioOutput | None = None
        self._agent_transcript: AgentTranscript | None = None
        self._user_transcript: UserTranscript | None = None
        self._push_to_talk: RoomPushToTalk | None = None
        self._text_input_cb: TextInputCallback | None = None
        self._reports = RoomReports(room, self._emit, clock=LoopClock())
        self._watch = RoomWatch(room, self._emit, clock=LoopClock())
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks = TaskSet()
        self._publishing = False
        text = self._options.get_text_output_options()
        self._as_generated = text is not None and text.sync_transcription is False
        self._state = ""
        self._unsubscribe: Callable[[], None] = lambda: None
        self._started = self._closed = False

    # --- its life ------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Attach to session and room. Raises RuntimeError if it was started before."""
        if self._started:
            raise RuntimeError("this RoomIO was started already")
        self._started = True
        self._make_parts()
        room = self._room
        self._reports.start()  # what happens is told before it is acted on
        self._watch.start()
        room.on("connection_state_changed", self._on_connection)
        room.on("participant_connected", self._on_participant)
        room.on("participant_disconnected", self._on_participant_left)
        room.on("sip_dtmf_received", self._on_dtmf)
        self._attach()
        self._on_connection()

    async def aclose(self) -> None:
        """Let go of session and room. The room stays connected."""
        if self._closed or not self._started:
            return
        self._closed = True
        room = self._room
        room.off("connection_state_changed", self._on_connection)
        room.off("participant_connected", self._on_participant)
        room.off("participant_disconnected", self._on_participant_left)
        room.off("sip_dtmf_received", self._on_dtmf)
        if self._text_input_cb is not None:
            room.unregister_text_stream_handler(TOPIC_CHAT)
        if self._push_to_talk is not None:
            self._push_to_talk.close()
        self._unsubscribe()
        self._detach()
        self._reports.stop()
        await self._watch.aclose()
        await self._tasks.aclose()
        inputs = (self._audio_input, self._video_input, self._pre_connect)
        for part in (*inputs, self._agent_transcript, self._user_transcript, self._audio_output):
            if part is not None:
                await part.aclose()
        self._ready.cancel()
        if self._options.delete_room_on_close and room.name:
            await delete_room(room.name)

    async def wait_for_ready(self) -> None:
        """Wait until there is a participant to talk to and the agent can be heard."""
        await asyncio.shield(self._ready)

    def _make_parts(self) -> None:
        options, clock = self._options, LoopClock()
        if (audio := options.get_audio_input_options()) is not None:
            self._pre_connect = PreConnectAudio(self._room) if audio.pre_connect_audio else None
            self._audio_input = RoomAudioInput(self._room, audio, pre_connect=self._pre_connect)
        if options.get_video_input_options() is not None:
            self._video_input = RoomVideoInput(self._room)
        if (speech := options.get_audio_output_options()) is not None:
            self._audio_output = RoomAudioOutput(self._room, speech, clock=clock)
        if (text := options.get_text_output_options()) is not None:
            self._user_transcript = UserTranscript(self._room)
            self._agent_transcript = AgentTranscript(
                self._room, json_format=text.json_format, next_in_chain=text.next_in_chain
            )
        if (chat := options.get_text_input_options()) is not None:
            self.register_text_input(chat.text_input_cb)

    def _attach(self) -> None:
        session = self._session
        if self._audio_input is not None:
            session.input.audio = self._audio_input
        if self._video_input is not None:
            session.input.video = self._video_input
        if self._audio_output is not None:
            session.output.audio = self._audio_output
        if self._agent_transcript is not None and not self._as_generated:
            session.output.transcription = self._agent_transcript
        types = {ev.AgentStateChanged, ev.UserTranscribed}
        if self._as_generated:
            types |= {ev.AgentText, ev.LLMFinished, ev.SpeechFinished}
        self._unsubscribe = session.events.subscribe(self._on_session_event, types=types)
        self._tell_state(session.agent_state)

    def _detach(self) -> None:
        session = self._session
        if session.input.audio is self._audio_input:
            session.input.audio = None
        if self._video_input is not None and session.input.video is self._video_input:
            session.input.video = None
        if session.output.audio is self._audio_output:
            session.output.audio = None
        if session.output.transcription is self._agent_transcript:
            session.output.transcription = None

    # --- what there is -------------------------------------------------------------------------------------------

    @property
    def room(self) -> rtc.Room:
        """The room."""
        return self._room

    @property
    def audio_input(self) -> AudioInput | None:
        """The participant's microphone."""
        return self._audio_input

    @property
    def video_input(self) -> VideoInput | None:
        """The participant's camera or screen."""
        return self._video_input

    @property
    def audio_output(self) -> AudioOutput | None:
        """The agent's track."""
        return self._audio_output

    @property
    def transcription_output(self) -> TextOutput | None:
        """The agent's words."""
        return self._agent_transcript

    @property
    def linked_participant(self) -> rtc.RemoteParticipant | None:
        """Who is listened to; None while nobody is there."""
        return self._linked

    @property
    def subscribed_fut(self) -> asyncio.Future[None] | None:
        """Done once somebody hears the agent; None if it doesn't speak."""
        return None if self._audio_output is None else self._audio_output.subscribed

    # --- whom it listens to --------------------------------------------------------------------------------------

    def set_participant(self, participant_identity: str | None) -> None:
        """Listen to this participant from now on, or as soon as they are there. None: see `unset_participant`."""
        if participant_identity is None:
            self.unset_participant()
            return
        self._wanted = participant_identity
        self._link(self._room.remote_participants.get(participant_identity))

    def unset_participant(self) -> None:
        """Listen to nobody, until somebody new joins or is named."""
        self._wanted = None
        self._link(None)

    def _link(self, participant: rtc.RemoteParticipant | None) -> None:
        identity = None if participant is None else participant.identity
        known = None if self._linked is None else self._linked.identity
        self._linked = participant
        for part in (self._audio_input, self._video_input):
            if part is not None:
                part.set_participant(identity)
        if identity != known:
            self._emit(ParticipantLinked(identity))
        if participant is not None and not self._publishing:
            self._publishing = True
            self._tasks.create_task(self._speak(), name="publish the agent's voice")

    async def _speak(self) -> None:
        if self._audio_output is not None:
            try:
                await self._audio_output.publish()
            except Exception as exc:  # the SDK's own errors have no common base
                self._publishing = False
                problem = f"the agent's voice can't be published: {exc}; check its token's grants (canPublish)"
                self._emit(ev.ErrorOccurred("room", problem, recoverable=True))
                return
        if not self._ready.done():
            self._ready.set_result(None)

    def _accepts(self, participant: rtc.RemoteParticipant) -> bool:
        if self._wanted is not None:
            if participant.identity != self._wanted:
                return False
        elif participant.attributes.get(ATTRIBUTE_PUBLISH_ON_BEHALF) == self._room.local_participant.identity:
            return False
        kinds = self._options.participant_kinds
        return participant.kind in (kinds if is_given(kinds) and kinds else DEFAULT_PARTICIPANT_KINDS)

    # --- what happens in the room ----------------------------------------------------------------------------------

    def _on_connection(self, _: object = None) -> None:
        if self._room.isconnected():
            for participant in tuple(self._room.remote_participants.values()):
                self._on_participant(participant)
            self._tell_state(self._session.agent_state)

    def _on_participant(self, participant: rtc.RemoteParticipant) -> None:
        if self._linked is None and self._accepts(participant):
            self._link(participant)

    def _on_participant_left(self, participant: rtc.RemoteParticipant) -> None:
        if self._linked is None or participant.identity != self._linked.identity:
            return
        self._link(None)
        if self._options.close_on_disconnect and participant.disconnect_reason in CLOSING_REASONS:
            logger.info("%s left: the session ends (close_on_disconnect=False keeps it)", participant.identity)
            self._session._close_soon("participant_disconnected")
            return
        self._on_connection()  # somebody else may be waiting

    def _on_dtmf(self, tone: rtc.SipDTMF) -> None:
        linked = self._linked
        if linked is not None and tone.participant is not None and tone.participant.identity == linked.identity:
            self._session.reset_away_timer()

    # --- text and buttons ------------------------------------------------------------------------------------------

    def register_text_input(self, text_input_cb: TextInputCallback) -> None:
        """Have text that the participant writes handed to `text_input_cb`, instead of what got it before."""
        registered, self._text_input_cb = self._text_input_cb is not None, text_input_cb
        if registered:
            return
        try:
            self._room.register_text_stream_handler(TOPIC_CHAT, self._on_chat)
        except ValueError:
            self._text_input_cb = None
            logger.warning("the room's %s is read by something else already, which keeps it", TOPIC_CHAT)

    def register_push_to_talk(self, *, take_over: bool = False) -> None:
        """Let participants take their turns by hand; see `agent_runtime.room.push_to_talk`. The room is connected.

        With `take_over` anybody may, and the agent listens to who pressed last.
        """
        if self._push_to_talk is None:
            self._push_to_talk = RoomPushToTalk(
                self._room,
                self._session,
                linked=lambda: None if take_over or self._linked is None else self._linked.identity,
                on_pressed=self.set_participant if take_over else lambda identity: None,
            )

    def _on_chat(self, reader: rtc.TextStreamReader, identity: str) -> None:
        expected = self._linked.identity if self._linked is not None else self._wanted
        participant = self._room.remote_participants.get(identity)
        if participant is not None and expected in (None, identity):
            self._tasks.create_task(self._answer(reader, participant), name="text input")

    async def _answer(self, reader: rtc.TextStreamReader, participant: rtc.RemoteParticipant) -> None:
        callback = self._text_input_cb
        try:
            text = await reader.read_all()
            if callback is not None and text.strip() and self._session.started:
                result = callback(self._session, TextInputEvent(text, reader.info, participant))
                if inspect.isawaitable(result):
                    await result
        except Exception as exc:  # the callback is the user's code
            logger.exception("text from %s wasn't answered", participant.identity)
            self._emit(ev.ErrorOccurred("room", f"text_input_cb: {type(exc).__name__}: {exc}", recoverable=True))

    # --- what the session tells --------------------------------------------------------------------------------------

    def _on_session_event(self, event: AnyEvent) -> None:
        data = event.data
        if isinstance(data, ev.AgentStateChanged):
            self._tell_state(data.new)
        elif isinstance(data, ev.UserTranscribed):
            if self._user_transcript is not None and self._linked is not None:
                self._user_transcript.transcribed(self._linked.identity, data.text, final=data.is_final)
        elif self._agent_transcript is not None and isinstance(data, ev.AgentText):
            self._tasks.create_task(self._agent_transcript.capture_text(data.delta))
        elif self._agent_transcript is not None:
            self._tasks.create_task(self._end_segment(self._agent_transcript))

    @staticmethod
    async def _end_segment(transcript: AgentTranscript) -> None:
        transcript.flush()  # in a task, as the words before it are

    def _tell_state(self, state: str) -> None:
        if state != self._state and self._room.isconnected() and not self._closed:
            self._state = state
            self._tasks.create_task(self._set_state(state), name="agent state")

    async def _set_state(self, state: str) -> None:
        try:
            await self._room.local_participant.set_attributes({ATTRIBUTE_AGENT_STATE: state})
        except Exception as exc:  # the SDK's own error, or the connection is gone; the conversation goes on
            logger.debug("the room wasn't told that the agent is %s: %s", state, exc)

    def _emit(self, data: EventData, cause: str | None = None) -> None:
        self._session.events.emit(data, cause=cause)
