"""What is known of each turn's time: its stretches as they end, its countdowns, its tools."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import PurePath
from typing import TypeAlias

from agent_console.state.sentences import sentence, why
from agent_console.state.sequence import Seq
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent, PartName, TurnPart
from agent_runtime.records import record

COUNTDOWNS_KEPT = 16
"""Countdowns of one turn that are kept, the newest."""
BLOCKS_KEPT = 4
REMARKS_KEPT = 4
_RECENT = 16
"""Turns back from the end that may still change."""


@record(frozen=True, slots=True)
class Countdown:
    """A wait for the end of the user's turn, which ended it or was called off."""

    deadline: float
    delay: float
    """Seconds, counted from the end of speech."""
    probability: float | None
    threshold: float | None
    why: str | None
    """`min_delay`, `max_delay` or `manual`."""
    cancelled_at: float | None = None

    @property
    def speech_ended(self) -> float:
        """When the user fell silent."""
        return self.deadline - self.delay


@record(frozen=True, slots=True)
class ToolTime:
    """A tool call of a turn; `end` is None while it runs."""

    call_id: str
    name: str
    start: float
    end: float | None = None


@record(frozen=True, slots=True)
class Turn:
    """One turn on the clock. The parts follow each other without a gap, from `start` on."""

    turn_id: str
    number: int
    started: float
    by: str | None = None
    speech_started: float | None = None
    start: float | None = None
    """When the wait began: the user's last voiced frame, or their message."""
    parts: tuple[TurnPart, ...] = ()
    final_at: float | None = None
    """The last final transcript."""
    countdowns: tuple[Countdown, ...] = ()
    committed_at: float | None = None
    committed_by: str | None = None
    first_token_at: float | None = None
    """The reply's first token, which a reply that was begun early has before the turn is over."""
    model: str = ""
    voice: str = ""
    tools: tuple[ToolTime, ...] = ()
    blocks: tuple[tuple[str, float], ...] = ()
    """Calls that held up the runtime meanwhile: `file.py:12` and seconds, the newest `BLOCKS_KEPT`."""
    stalled_by: str = ""
    """The call that holds the runtime up now: `file.py:12`."""
    waiting_for_voice: bool = False
    """Text went to the synthesizer, which hasn't given anything yet."""
    audible_at: float | None = None
    given_up_at: float | None = None
    """When the last speech that was to answer ended without a sound, or the turn was dropped."""
    dropped_by: str = ""
    """Why the turn was dropped, in plain words; empty if it wasn't."""
    quiet_at: float | None = None
    """When the agent's speech was over."""
    interrupted: bool = False
    is_measured: bool = False
    """The parts are the runtime's own."""
    remarks: tuple[str, ...] = ()
    """What was learnt and judged in this turn, in plain words, the newest `REMARKS_KEPT`."""

    @property
    def end(self) -> float | None:
        """When the last part that is over ended."""
        return self.parts[-1].end if self.parts else self.start

    @property
    def total(self) -> float:
        """Seconds from the user's last word to the agent's first sound, or so far."""
        return self.end - self.start if self.start is not None and self.end is not None else 0.0

    def mark(self, name: PartName, at: float, setting: str | None = None) -> Turn:
        """A part ended at `at`; nothing if that is before the last one did, or the wait is over or hasn't begun."""
        if self.is_measured or self.audible_at is not None or self.end is None or at <= self.end:
            return self
        last = self.parts[-1] if self.parts else None
        if last is not None and (last.name, last.setting) == (name, setting):
            return replace(self, parts=(*self.parts[:-1], replace(last, end=at)))
        return replace(self, parts=(*self.parts, TurnPart(name, self.end, at, setting)))


Change: TypeAlias = Callable[[Turn, AnyEvent, "ev.EventData"], Turn]


def advance(turns: Seq[Turn], event: AnyEvent) -> Seq[Turn]:
    """The turns after an event; the same object if it tells nothing of their time."""
    change = CHANGES.get(type(event.data))
    if change is None or event.turn_id is None:
        return turns
    index = turns.rindex(lambda turn: turn.turn_id == event.turn_id, within=_RECENT)
    if index is None:
        if not isinstance(event.data, ev.TurnStarted):
            return turns
        return turns.append(_begin(event, event.data))
    turn = turns[index]
    changed = change(turn, event, event.data)
    return turns if changed is turn else turns.replace(index, changed)


def turn_of(turns: Seq[Turn], turn_id: str | None) -> Turn | None:
    """A turn by its id; the newest without one."""
    if turn_id is None:
        return turns.last
    index = turns.rindex(lambda turn: turn.turn_id == turn_id)
    return None if index is None else turns[index]


# --- what each event changes -----------------------------------------------------------------------------------------


def _begin(event: AnyEvent, data: ev.TurnStarted) -> Turn:
    assert event.turn_id is not None
    spoken = event.cause in ("speech", "push_to_talk")
    # Without speech of the user the wait begins with the turn.
    return Turn(
        event.turn_id,
        data.number,
        event.time,
        event.cause,
        speech_started=event.time if spoken else None,
        start=None if spoken else event.time,
    )


def _transcribed(turn: Turn, event: AnyEvent, data: ev.UserTranscribed) -> Turn:
    return replace(turn, final_at=event.time) if data.is_final else turn


def _countdown(turn: Turn, event: AnyEvent, data: ev.EndpointingStarted) -> Turn:
    new = Countdown(data.deadline, data.delay, data.end_of_turn_probability, data.threshold, event.cause)
    # One that was neither called off nor kept to its end was only set anew.
    kept = turn.countdowns if not turn.countdowns or turn.countdowns[-1].cancelled_at else turn.countdowns[:-1]
    return replace(turn, countdowns=(*kept[-COUNTDOWNS_KEPT + 1 :], new))


def _cancelled(turn: Turn, event: AnyEvent, data: ev.EndpointingCancelled) -> Turn:
    if not turn.countdowns or turn.countdowns[-1].cancelled_at is not None:
        return turn
    last = replace(turn.countdowns[-1], cancelled_at=event.time)
    return replace(turn, countdowns=(*turn.countdowns[:-1], last))


def _committed(turn: Turn, event: AnyEvent, data: ev.TurnCommitted) -> Turn:
    if turn.is_measured or turn.audible_at is not None:
        return turn
    ended = data.speech_ended_at
    start = event.time if ended is None else min(ended, event.time)
    turn = replace(turn, start=start, parts=(), committed_at=event.time, committed_by=event.cause)
    late = turn.countdowns and turn.final_at is not None and turn.final_at > turn.countdowns[-1].deadline
    if late and turn.final_at is not None:
        turn = turn.mark("transcription", min(turn.final_at, event.time))
    return turn.mark("endpointing", event.time, event.cause)


def _hook(turn: Turn, event: AnyEvent, data: ev.HookFinished) -> Turn:
    if data.name != "on_user_turn_completed" or turn.committed_at is None:
        return turn
    return turn.mark("hook", event.time, data.name)


def _llm_started(turn: Turn, event: AnyEvent, data: ev.LLMStarted) -> Turn:
    return replace(turn, model=data.model) if data.model != turn.model else turn


def _first_token(turn: Turn, event: AnyEvent, data: ev.LLMFirstToken) -> Turn:
    if turn.first_token_at is None:
        turn = replace(turn, first_token_at=event.time)
    return turn.mark("llm", event.time, turn.model or None) if _waits_for_reply(turn) else turn


def _tool_started(turn: Turn, event: AnyEvent, data: ev.ToolStarted) -> Turn:
    return replace(turn, tools=(*turn.tools, ToolTime(data.call_id, data.name, event.time)))


def _tool_finished(turn: Turn, event: AnyEvent, data: ev.ToolFinished) -> Turn:
    tools = tuple(replace(t, end=event.time) if t.call_id == data.call_id else t for t in turn.tools)
    turn = replace(turn, tools=tools)
    return turn.mark("tools", event.time, data.name) if _waits_for_reply(turn) else turn


def _tts_started(turn: Turn, event: AnyEvent, data: ev.TTSStarted) -> Turn:
    turn = turn.mark("llm_sentence", event.time, turn.model or None) if _waits_for_reply(turn) else turn
    return replace(turn, voice=data.model, waiting_for_voice=True)


def _first_byte(turn: Turn, event: AnyEvent, data: ev.TTSFirstByte) -> Turn:
    if _waits_for_reply(turn):
        # The synthesizer may have waited for the end of a sentence that began before.
        turn = turn.mark("llm_sentence", event.time - data.ttfb, turn.model or None)
        turn = turn.mark("tts", event.time, turn.voice or None)
    return replace(turn, waiting_for_voice=False)


def _stalled(turn: Turn, event: AnyEvent, data: ev.LoopStalled) -> Turn:
    return replace(turn, stalled_by=f"{PurePath(data.file).name}:{data.line}")


def _blocked(turn: Turn, event: AnyEvent, data: ev.LoopBlocked) -> Turn:
    block = (f"{PurePath(data.file).name}:{data.line}", data.duration)
    return replace(turn, blocks=(*turn.blocks[-BLOCKS_KEPT + 1 :], block), stalled_by="")


def _audible(turn: Turn, event: AnyEvent, data: ev.PlayoutStarted) -> Turn:
    if turn.audible_at is not None:
        return replace(turn, quiet_at=None)
    return replace(turn.mark("playout", event.time), audible_at=event.time)


def _quiet(turn: Turn, event: AnyEvent, data: ev.PlayoutFinished) -> Turn:
    return replace(turn, quiet_at=event.time, interrupted=data.interrupted)


def _measured(turn: Turn, event: AnyEvent, data: ev.TurnMeasured) -> Turn:
    names = ", ".join(dict.fromkeys(tool.name for tool in turn.tools if tool.end is not None))
    parts = tuple(replace(p, setting=names) if p.name == "tools" and names and not p.setting else p for p in data.parts)
    audible = turn.audible_at if turn.audible_at is not None else data.end
    return replace(turn, start=data.start, parts=parts, audible_at=audible, is_measured=True)


def _speech_created(turn: Turn, event: AnyEvent, data: ev.SpeechCreated) -> Turn:
    return replace(turn, given_up_at=None) if turn.given_up_at is not None else turn


def _speech_finished(turn: Turn, event: AnyEvent, data: ev.SpeechFinished) -> Turn:
    silent = turn.audible_at is None and _waits_for_reply(turn)
    return replace(turn, given_up_at=event.time) if silent else turn


def _discarded(turn: Turn, event: AnyEvent, data: ev.TurnDiscarded) -> Turn:
    if turn.audible_at is not None:
        return turn
    return replace(turn, given_up_at=event.time, dropped_by=why(event.cause) or "nothing is answered")


def _remark(turn: Turn, event: AnyEvent, data: ev.EventData) -> Turn:
    return replace(turn, remarks=(*turn.remarks[-REMARKS_KEPT + 1 :], sentence(event)))


def _waits_for_reply(turn: Turn) -> bool:
    """Whether what the reply does now is what the user waits for; a reply that was begun early isn't yet."""
    return turn.committed_at is not None or turn.by not in ("speech", "push_to_talk")


CHANGES: dict[type, Callable[..., Turn]] = {
    ev.TurnStarted: lambda turn, event, data: turn,
    ev.UserTranscribed: _transcribed,
    ev.EndpointingStarted: _countdown,
    ev.EndpointingCancelled: _cancelled,
    ev.TurnCommitted: _committed,
    ev.TurnDiscarded: _discarded,
    ev.SpeechCreated: _speech_created,
    ev.SpeechFinished: _speech_finished,
    ev.HookFinished: _hook,
    ev.LLMStarted: _llm_started,
    ev.LLMFirstToken: _first_token,
    ev.ToolStarted: _tool_started,
    ev.ToolFinished: _tool_finished,
    ev.TTSStarted: _tts_started,
    ev.TTSFirstByte: _first_byte,
    ev.PlayoutStarted: _audible,
    ev.PlayoutFinished: _quiet,
    ev.LoopStalled: _stalled,
    ev.LoopBlocked: _blocked,
    ev.TurnMeasured: _measured,
    ev.EndpointingLearned: _remark,
    ev.OverlappingSpeech: _remark,
    ev.TranscriptionTimedOut: _remark,
    ev.UserTurnExceeded: _remark,
}
"""The kinds of event that tell something of a turn's time."""
