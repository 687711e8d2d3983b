"""`state = reduce(state, event)`: the console's whole state is a pure function of the events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from agent_console.state import conversation, instruments, room_banners, workshop
from agent_console.state.bench import lay_out
from agent_console.state.health import check
from agent_console.state.history import remember
from agent_console.state.model import ConsoleState
from agent_console.state.room import enter
from agent_console.state.spending import spend
from agent_console.state.turns import advance
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent

Reducer = Callable[[ConsoleState, AnyEvent, Any], ConsoleState]

REDUCERS: Mapping[type, Reducer] = {
    ev.SessionStarted: workshop.session_started,
    ev.SessionClosed: workshop.session_closed,
    ev.AgentChanged: workshop.agent_changed,
    ev.UserStateChanged: workshop.user_state_changed,
    ev.AgentStateChanged: workshop.agent_state_changed,
    ev.AudioMeter: instruments.audio_meter,
    ev.UserTranscribed: conversation.user_transcribed,
    ev.EndpointingStarted: instruments.endpointing_started,
    ev.EndpointingCancelled: instruments.endpointing_cancelled,
    ev.TurnStarted: conversation.turn_started,
    ev.TurnCommitted: conversation.turn_committed,
    ev.TurnDiscarded: conversation.turn_discarded,
    ev.LLMStarted: instruments.llm_started,
    ev.LLMFinished: instruments.llm_finished,
    ev.AgentText: conversation.agent_text,
    ev.TTSStarted: instruments.tts_started,
    ev.TTSFinished: instruments.tts_finished,
    ev.PlayoutStarted: conversation.playout_started,
    ev.AgentHeard: conversation.agent_heard,
    ev.PlayoutPaused: conversation.playout_paused,
    ev.PlayoutResumed: conversation.playout_resumed,
    ev.PlayoutFinished: conversation.playout_finished,
    ev.SpeechFinished: conversation.speech_finished,
    ev.AgentInterrupted: conversation.agent_interrupted,
    ev.ToolStarted: conversation.tool_started,
    ev.ToolFinished: conversation.tool_finished,
    ev.ToolUpdated: conversation.tool_updated,
    ev.ToolReplyUpdated: conversation.tool_reply_updated,
    ev.TranscriptionTimedOut: conversation.transcription_timed_out,
    ev.UserTurnExceeded: conversation.user_turn_exceeded,
    ev.TurnMeasured: conversation.turn_measured,
    ev.ModelLoading: instruments.model_loading,
    ev.DeviceChanged: instruments.device_changed,
    ev.InputMuted: instruments.input_muted,
    ev.PushToTalkChanged: instruments.push_to_talk_changed,
    ev.AudioDropped: instruments.audio_dropped,
    ev.ReloadStarted: workshop.reload_started,
    ev.ReloadPending: workshop.reload_pending,
    ev.ReloadFinished: workshop.reload_finished,
    ev.ReloadFailed: workshop.reload_failed,
    ev.LogWritten: workshop.log_written,
    ev.ErrorOccurred: workshop.error_occurred,
    ev.LoopStalled: workshop.loop_stalled,
    ev.LoopBlocked: workshop.loop_blocked,
    ev.RecordingChanged: workshop.recording_changed,
    ev.TurnMarked: workshop.turn_marked,
    ev.BranchesChanged: workshop.branches_changed,
    ev.RequestRefused: workshop.request_refused,
    ev.CircuitsChanged: instruments.circuits_changed,
    ev.ModeChanged: room_banners.mode_changed,
    ev.RoomConnected: room_banners.room_connected,
    ev.RoomReconnecting: room_banners.room_reconnecting,
    ev.RoomReconnected: room_banners.room_reconnected,
    ev.RoomDisconnected: room_banners.room_disconnected,
    ev.RoomServerMissing: room_banners.server_missing,
    ev.EncryptionChanged: room_banners.encryption_changed,
    ev.ParticipantLeft: room_banners.participant_left,
}
"""What each kind of event does. The kinds left out move nothing that is shown yet."""


def reduce(state: ConsoleState, event: AnyEvent) -> ConsoleState:
    """The state after `event`. An event of a kind that isn't known moves nothing but the time.

    Another session's events count from 0.0 again: what was said stays, the time is theirs.
    """
    reducer = REDUCERS.get(type(event.data))
    if reducer is not None:
        state = reducer(state, event, event.data)
    is_figure = isinstance(event.data, ev.FIGURES)
    same = event.session_id == state.session_id
    return replace(
        state,
        session_id=event.session_id,
        seq=max(state.seq, event.seq) if same else event.seq,
        now=max(state.now, event.time) if same else event.time,
        turns=advance(state.turns, event),
        events=state.events if is_figure else remember(state.events, event),
        event_count=state.event_count + (not is_figure),
        spending=spend(state.spending, event, state.model, state.voice),
        health=check(state.health, event),
        bench=lay_out(state.bench, event),
        room=enter(state.room, event),
    )


def reduce_all(state: ConsoleState, events: Iterable[AnyEvent]) -> ConsoleState:
    """The state after all of them."""
    for event in events:
        state = reduce(state, event)
    return state
