"""Events of the conversation itself: who said what, what was heard of it, and which tools ran."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from agent_console.state.heard import heard_length
from agent_console.state.model import AgentSaid, ConsoleState, Entry, Latency, Note, ToolCall, UserSaid
from agent_console.state.percentiles import add_turn
from agent_console.state.sentences import sentence
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent

# --- the user ----------------------------------------------------------------------------------------------------


def turn_started(state: ConsoleState, event: AnyEvent, data: ev.TurnStarted) -> ConsoleState:
    """Number the turn; one that the user began by speaking shows at once, before any word is recognised."""
    state = replace(state, turn_id=event.turn_id, turn_number=data.number)
    if event.cause not in ("speech", "push_to_talk"):
        return state
    return _append(state, UserSaid(event.turn_id, data.number, event.time))


def user_transcribed(state: ConsoleState, event: AnyEvent, data: ev.UserTranscribed) -> ConsoleState:
    """An interim replaces the interim before it; a final is appended for good."""
    state, index, said = _user_entry(state, event)
    if data.is_final:
        said = replace(said, text=_join(said.text, data.text), interim="")
    else:
        said = replace(said, interim=data.text)
    return _put(state, index, said)


def turn_committed(state: ConsoleState, event: AnyEvent, data: ev.TurnCommitted) -> ConsoleState:
    """The user's words stand as the model gets them."""
    state = replace(state, endpointing=None)
    if not data.text.strip() and _user_index(state, event.turn_id) is None:
        return state
    state, index, said = _user_entry(state, event)
    by = "text" if data.speech_ended_at is None and event.cause == "text" else said.by
    text = data.text or said.text
    return _put(state, index, replace(said, text=text, interim="", by=by, state="done", why=event.cause))


def turn_discarded(state: ConsoleState, event: AnyEvent, data: ev.TurnDiscarded) -> ConsoleState:
    """Words that were dropped stay to be seen; a turn without any leaves nothing."""
    state = replace(state, endpointing=None)
    index = _user_index(state, event.turn_id)
    if index is None:
        return state
    said = state.entries[index]
    assert isinstance(said, UserSaid)
    text = data.text or _join(said.text, said.interim)
    if not text.strip():
        return replace(state, entries=state.entries.without(index))
    return _put(state, index, replace(said, text=text, interim="", state="discarded", why=event.cause))


# --- the agent ---------------------------------------------------------------------------------------------------


def agent_text(state: ConsoleState, event: AnyEvent, data: ev.AgentText) -> ConsoleState:
    """Words as they are generated; dim until they are heard."""
    index = _message_index(state, data.item_id)
    if index is None:
        said = AgentSaid(data.speech_id, data.item_id, event.turn_id, event.time, state.agent, data.delta)
        return _append(state, said)
    said = _message(state, index)
    return _put(state, index, replace(said, text=said.text + data.delta))


def agent_heard(state: ConsoleState, event: AnyEvent, data: ev.AgentHeard) -> ConsoleState:
    """Words as they reach the listener."""
    index = _message_index(state, data.item_id)
    if index is None:
        said = AgentSaid(data.speech_id, data.item_id, event.turn_id, event.time, state.agent, data.text)
        return _append(state, replace(said, heard=len(data.text), state="speaking"))
    said = _message(state, index)
    heard = max(said.heard, heard_length(said.text, data.text))
    new = "speaking" if said.state == "waiting" else said.state
    return _put(state, index, replace(said, heard=heard, state=new))


def playout_started(state: ConsoleState, event: AnyEvent, data: ev.PlayoutStarted) -> ConsoleState:
    """The agent is audible; an old error is over."""
    state = replace(state, banners=tuple(b for b in state.banners if b.key != "error"))
    return _mark(state, data.speech_id, ("waiting",), "speaking")


def playout_paused(state: ConsoleState, event: AnyEvent, data: ev.PlayoutPaused) -> ConsoleState:
    """The agent holds still."""
    return _mark(state, data.speech_id, ("speaking",), "paused")


def playout_resumed(state: ConsoleState, event: AnyEvent, data: ev.PlayoutResumed) -> ConsoleState:
    """The agent goes on."""
    return _mark(state, data.speech_id, ("paused",), "speaking")


def playout_finished(state: ConsoleState, event: AnyEvent, data: ev.PlayoutFinished) -> ConsoleState:
    """What was heard by now is all that will be."""
    if data.interrupted:
        return _mark(state, data.speech_id, ("waiting", "speaking", "paused"), "interrupted")
    return _finish(state, data.speech_id, ("speaking", "paused"))


def speech_finished(state: ConsoleState, event: AnyEvent, data: ev.SpeechFinished) -> ConsoleState:
    """All steps of a speech are over."""
    if data.interrupted:
        return _mark(state, data.speech_id, ("waiting", "speaking", "paused"), "interrupted")
    return _finish(state, data.speech_id, ("waiting", "speaking", "paused"))


def agent_interrupted(state: ConsoleState, event: AnyEvent, data: ev.AgentInterrupted) -> ConsoleState:
    """Remember by what."""
    state = replace(state, usage=replace(state.usage, interruptions=state.usage.interruptions + 1))
    index = state.entries.rindex(lambda e: isinstance(e, AgentSaid) and e.speech_id == data.speech_id, within=_RECENT)
    if index is None:
        return state
    said = _message(state, index)
    if said.state == "done":
        return state
    return _put(state, index, replace(said, state="interrupted", cut_by=event.cause))


# --- tools and latency -------------------------------------------------------------------------------------------


def tool_started(state: ConsoleState, event: AnyEvent, data: ev.ToolStarted) -> ConsoleState:
    """A call shows as soon as it runs."""
    call = ToolCall(data.call_id, data.name, data.arguments, event.turn_id, event.time, state.agent)
    return _append(state, call)


def tool_finished(state: ConsoleState, event: AnyEvent, data: ev.ToolFinished) -> ConsoleState:
    """Its result stands where the call stands, however much was said since."""
    calls, errors = state.usage.tool_calls + 1, state.usage.tool_errors + data.is_error
    state = replace(state, usage=replace(state.usage, tool_calls=calls, tool_errors=errors))
    index = _call_index(state, data.call_id)
    if index is None:
        return state
    call = _call(state, index)
    done = replace(
        call,
        output=data.output,
        is_error=data.is_error,
        details=data.details,
        duration=data.duration,
        stand_in=data.stand_in,
    )
    return _put(state, index, done)


def tool_updated(state: ConsoleState, event: AnyEvent, data: ev.ToolUpdated) -> ConsoleState:
    """How far a call is stands where the call stands."""
    index = _call_index(state, data.call_id)
    if index is None:
        return state
    call = _call(state, index)
    return _put(state, index, replace(call, updates=(*call.updates, data.message)))


def tool_reply_updated(state: ConsoleState, event: AnyEvent, data: ev.ToolReplyUpdated) -> ConsoleState:
    """The calls that a reply tells of know what became of it."""
    for update_id in data.update_ids:
        index = state.entries.rindex(partial(_told, update_id))
        if index is not None:
            state = _put(state, index, replace(_call(state, index), reply=data.status))
    return state


def transcription_timed_out(state: ConsoleState, event: AnyEvent, data: ev.TranscriptionTimedOut) -> ConsoleState:
    """People wonder why nothing answers."""
    return _append(state, Note("warning", event.time, sentence(event), turn_id=event.turn_id))


def user_turn_exceeded(state: ConsoleState, event: AnyEvent, data: ev.UserTurnExceeded) -> ConsoleState:
    """Why the agent cuts in."""
    return _append(state, Note("info", event.time, sentence(event), turn_id=event.turn_id))


def turn_measured(state: ConsoleState, event: AnyEvent, data: ev.TurnMeasured) -> ConsoleState:
    """Keep where the time of the turn went."""
    latency = Latency(event.turn_id, state.turn_number, data.start, data.end, data.parts)
    return replace(state, latencies=state.latencies.append(latency), waits=add_turn(state.waits, data))


# --- how entries are found and changed ---------------------------------------------------------------------------


_RECENT = 200
"""Entries back from the end in which a message that is still growing is looked for."""


def _append(state: ConsoleState, entry: Entry) -> ConsoleState:
    return replace(state, entries=state.entries.append(entry))


def _put(state: ConsoleState, index: int, entry: Entry) -> ConsoleState:
    return replace(state, entries=state.entries.replace(index, entry))


def _join(before: str, after: str) -> str:
    return f"{before} {after.strip()}".strip()


def _user_index(state: ConsoleState, turn_id: str | None) -> int | None:
    """The user's entry in this turn; without a turn id, the one that is still open."""
    if turn_id is None:
        return state.entries.rindex(lambda e: isinstance(e, UserSaid) and e.state == "open", within=_RECENT)
    return state.entries.rindex(lambda e: isinstance(e, UserSaid) and e.turn_id == turn_id, within=_RECENT)


def _user_entry(state: ConsoleState, event: AnyEvent) -> tuple[ConsoleState, int, UserSaid]:
    index = _user_index(state, event.turn_id)
    if index is None:
        state = _append(state, UserSaid(event.turn_id, state.turn_number, event.time))
        index = len(state.entries) - 1
    said = state.entries[index]
    assert isinstance(said, UserSaid)
    return state, index, said


def _call_index(state: ConsoleState, call_id: str) -> int | None:
    return state.entries.rindex(lambda e: isinstance(e, ToolCall) and e.call_id == call_id)


def _told(update_id: str, entry: Entry) -> bool:
    """Whether an update's id is of that call: its own, or with what it tells behind."""
    return isinstance(entry, ToolCall) and (update_id == entry.call_id or update_id.startswith(f"{entry.call_id}_"))


def _call(state: ConsoleState, index: int) -> ToolCall:
    call = state.entries[index]
    assert isinstance(call, ToolCall)
    return call


def _message_index(state: ConsoleState, item_id: str) -> int | None:
    return state.entries.rindex(lambda e: isinstance(e, AgentSaid) and e.item_id == item_id, within=_RECENT)


def _message(state: ConsoleState, index: int) -> AgentSaid:
    said = state.entries[index]
    assert isinstance(said, AgentSaid)
    return said


def _mark(state: ConsoleState, speech_id: str, old: tuple[str, ...], new: str) -> ConsoleState:
    """Move the newest message of a speech from one of the `old` states to `new`."""
    index = state.entries.rindex(lambda e: isinstance(e, AgentSaid) and e.speech_id == speech_id, within=_RECENT)
    if index is None or _message(state, index).state not in old:
        return state
    return _put(state, index, replace(_message(state, index), state=new))  # type: ignore[arg-type]  # a Literal


def _finish(state: ConsoleState, speech_id: str, old: tuple[str, ...]) -> ConsoleState:
    """A message that played to its end was heard in full, whatever the last report of progress said."""
    index = state.entries.rindex(lambda e: isinstance(e, AgentSaid) and e.speech_id == speech_id, within=_RECENT)
    if index is None or _message(state, index).state not in old:
        return state
    said = _message(state, index)
    return _put(state, index, replace(said, state="done", heard=len(said.text)))
