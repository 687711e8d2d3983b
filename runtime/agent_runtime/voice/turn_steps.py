"""The vocabulary of the turn machine's tables: its states, what it remembers, its guards and its steps.

A guard answers a question about an input and changes nothing. A step notes something or asks for an action; none
changes the state, which is the tables' business (`turn_machine`).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

from agent_runtime.types import AgentState, UserState
from agent_runtime.voice import turn_inputs as i

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+(?:['’][^\W_]+)*")


def count_words(text: str) -> int:
    """Words in `text`; in Chinese, Japanese and Korean each character counts as one."""
    return len(_WORD.findall(text))


class UserTurn(Enum):
    """Where the user's turn stands."""

    LISTENING = "listening"
    """No turn is open."""
    SPEAKING = "speaking"
    """Voice is heard."""
    PAUSED = "paused"
    """Silence in an open turn, and nothing to decide on yet."""
    PREDICTING = "predicting"
    """The turn detector was asked."""
    ENDPOINTING = "endpointing"
    """The turn ends at a deadline unless the user goes on."""
    TALKING = "talking"
    """Push-to-talk is down: the turn ends by hand alone."""
    COMMITTING = "committing"
    """The turn was ended by hand and waits for its transcript."""
    CLOSED = "closed"


class Floor(Enum):
    """Where the agent's speech stands."""

    OPEN = "open"
    """Nobody of the agent's has the floor."""
    REPLYING = "replying"
    """A speech has the floor and isn't heard yet, or a tool of it runs."""
    SPEAKING = "speaking"
    """It is heard."""
    HELD = "held"
    """It is paused until it is known whether the user meant to interrupt."""
    YIELDING = "yielding"
    """It was interrupted and winds up."""
    CLOSED = "closed"


@dataclass(slots=True)
class TurnSettings:
    """What the machine has to know of options and devices. Seconds. May change at any time."""

    detection: Literal["vad", "stt", "manual", "realtime_llm"] = "vad"
    has_vad: bool = True
    has_stt: bool = True
    has_detector: bool = False
    min_delay: float = 0.5
    max_delay: float = 3.0
    min_duration: float = 0.5
    min_words: int = 0
    can_pause: bool = False
    """Whether the output can pause and a false interruption is to be resumed."""
    false_interruption_timeout: float | None = 2.0
    preemptive: bool = True
    preemptive_max_speech: float = 10.0
    preemptive_max_retries: int = 3
    away_timeout: float | None = 15.0
    aec_warmup: float = 0.0


@dataclass(slots=True)
class OpenTurn:
    """What is known of the user's turn so far."""

    open: bool = False
    text: str = ""
    interim: str = ""
    preflight: str = ""
    confidences: list[float] = field(default_factory=list)
    started_at: float | None = None
    ended_at: float | None = None
    final_at: float | None = None
    deadline: float | None = None
    delayed: bool = False
    """Whether the turn detector thought that the user isn't done."""
    preemptive_attempts: int = 0
    commit: i.CommitRequested | None = None

    @property
    def transcript(self) -> str:
        """Everything recognised, what may still change included."""
        return f"{self.text} {self.interim}".strip()


Guard: TypeAlias = Callable[["TurnSteps", Any], bool]
Step: TypeAlias = Callable[["TurnSteps", Any], None]


def timer(name: i.TimerName) -> Guard:
    """The guard that holds for that timer."""

    def fired(steps: TurnSteps, event: i.TimerFired) -> bool:
        return event.name == name

    fired.__name__ = f"timer {name}"
    return fired


class TurnSteps:
    """Memory, guards and steps. `TurnMachine` adds the tables."""

    def __init__(self, settings: TurnSettings) -> None:
        self.settings = settings
        self.user = UserTurn.LISTENING
        self.floor = Floor.OPEN
        self.turn = OpenTurn()
        self.user_state: UserState = "listening"
        self.agent_state: AgentState = "initializing"
        self.holder: str | None = None
        """The speech that has the floor."""
        self.interruptible = True
        self.warming = False
        """Whether echo cancellation still settles: the agent can't be interrupted by voice."""
        self._warmed = False
        self._resume_when_settled = False
        self._timers: set[i.TimerName] = set()
        self._now = 0.0
        self._out: list[i.Action] = []
        self._raised: deque[i.Input] = deque()

    @property
    def discards_audio(self) -> bool:
        """Whether what the microphone hears now must not be recognised: it may be the agent's own echo."""
        return self.warming and self.floor is Floor.SPEAKING

    @property
    def deciding(self) -> bool:
        """Whether the end of the user's turn is being decided."""
        return self.user in (UserTurn.PREDICTING, UserTurn.ENDPOINTING)

    # --- small helpers -----------------------------------------------------------------------------------------------

    def _set_timer(self, name: i.TimerName, at: float) -> None:
        self._timers.add(name)
        self._out.append(i.SetTimer(name, at))

    def _cancel_timer(self, name: i.TimerName) -> None:
        if name in self._timers:
            self._timers.discard(name)
            self._out.append(i.CancelTimer(name))

    def _set_user_state(self, new: UserState, at: float, cause: str) -> None:
        if new == self.user_state:
            return
        self._out.append(i.SetUserState(self.user_state, new, at, cause))
        self.user_state = new
        self._watch_presence()

    def _set_agent_state(self, new: AgentState, cause: str) -> None:
        if new == self.agent_state:
            return
        self._out.append(i.SetAgentState(self.agent_state, new, cause))
        self.agent_state = new
        self._watch_presence()

    def _watch_presence(self) -> None:
        timeout = self.settings.away_timeout
        if timeout is not None and self.user_state == "listening" and self.agent_state == "listening":
            self._set_timer("away", self._now + timeout)
        else:
            self._cancel_timer("away")

    def _may_interrupt(self) -> bool:
        s = self.settings
        if not self.interruptible or self.warming or s.detection in ("manual", "realtime_llm"):
            return False
        return not (s.has_stt and s.min_words > 0 and count_words(self.turn.transcript) < s.min_words)

    def _stop_waiting(self) -> None:
        if self.user is not UserTurn.LISTENING:
            self.turn.deadline = None
        if "endpointing" in self._timers:
            self._cancel_timer("endpointing")
            self._out.append(i.StopWaiting())

    # --- guards ------------------------------------------------------------------------------------------------------

    def has_text(self, event: i.Interim | i.Final) -> bool:
        return bool(event.text)

    def nothing_to_decide(self, event: object) -> bool:
        return self.settings.has_stt and not self.turn.text

    def detector_is_asked(self, event: object) -> bool:
        return self.settings.has_detector and bool(self.turn.text)

    def ends_by_silence(self, event: object) -> bool:
        return self.settings.detection == "vad"

    def ends_by_recognizer(self, event: object) -> bool:
        return self.settings.detection == "stt"

    def text_while_vad_ends_turns(self, event: i.Final) -> bool:
        return bool(event.text) and self.settings.detection == "vad"

    def too_few_words(self, event: object) -> bool:
        s = self.settings
        if not (s.has_stt and s.min_words > 0 and self.holder is not None and self.interruptible):
            return False
        return self.floor is not Floor.YIELDING and count_words(self.turn.text) < s.min_words

    def endpointing_too_few_words(self, event: i.TimerFired) -> bool:
        return event.name == "endpointing" and self.too_few_words(event)

    def transcript_is_complete(self, event: i.CommitRequested) -> bool:
        turn = self.turn
        recent = turn.final_at is not None and self._now - turn.final_at <= 0.5 and not turn.interim
        return bool(turn.transcript) and (recent or not event.expect_final)

    def recognizer_owes(self, event: i.CommitRequested) -> bool:
        return event.expect_final

    def transcript_is_late(self, event: i.TimerFired) -> bool:
        return event.name == "transcript" and bool(self.turn.transcript)

    def something_was_said(self, event: object) -> bool:
        return bool(self.turn.transcript)

    def is_holder(self, event: Any) -> bool:
        return event.speech_id == self.holder

    def long_voice_can_pause(self, event: i.VoiceWindow) -> bool:
        return self.settings.can_pause and self.long_voice(event)

    def long_voice(self, event: i.VoiceWindow) -> bool:
        s = self.settings
        # A window of silence is never what interrupts, whatever the minimum: the reference lets it at 0.0.
        return event.silence == 0.0 and event.voiced >= s.min_duration > -1 and self._may_interrupt()

    def interim_interrupts_can_pause(self, event: i.Interim) -> bool:
        return self.settings.can_pause and self.interim_interrupts(event)

    def interim_interrupts(self, event: i.Interim) -> bool:
        return bool(event.text) and not self.settings.has_vad and self._may_interrupt()

    def final_interrupts(self, event: i.Final) -> bool:
        return bool(event.text) and self._may_interrupt()

    def false_interruption_undecided(self, event: i.TimerFired) -> bool:
        return event.name == "false_interruption" and self.deciding

    def resume_was_waiting(self, event: object) -> bool:
        return self._resume_when_settled

    def turn_is_answered(self, event: i.TurnEnded) -> bool:
        return event.reply

    def no_longer_interruptible(self, event: i.InterruptibleChanged) -> bool:
        return event.speech_id == self.holder and not event.interruptible

    # --- steps of the user's half ------------------------------------------------------------------------------------

    def open_turn(self, event: object) -> None:
        if not self.turn.open:
            self.turn = OpenTurn(open=True)
            by_hand = isinstance(event, i.TalkPressed)
            self._out.append(i.OpenTurn("push_to_talk" if by_hand else "speech"))

    def hear_voice(self, event: i.VoiceStarted) -> None:
        if self.turn.started_at is None:
            self.turn.started_at = event.at
        self._set_user_state("speaking", event.at, "vad")
        self._stop_waiting()
        self.close_gate(event)

    def note_voice_start(self, event: i.VoiceStarted) -> None:
        if self.turn.started_at is None:
            self.turn.started_at = event.at

    def note_voice_end(self, event: i.VoiceEnded) -> None:
        self.turn.ended_at = event.at

    def follow_voice(self, event: i.VoiceWindow) -> None:
        self.turn.ended_at = self._now - event.silence
        # Silence for half of the shortest wait, and not a word recognised: a noise need not hold a reply up.
        if event.silence > self.settings.min_delay / 2 and not self.turn.transcript:
            self._out.append(i.OpenGate())

    def lose_voice(self, event: i.VoiceEnded) -> None:
        self.turn.ended_at = event.at
        self._set_user_state("listening", event.at, "vad")
        if not self.turn.transcript:
            self._out.append(i.OpenGate())

    def user_is_silent(self, event: i.VoiceEnded) -> None:
        self._set_user_state("listening", event.at, "vad")
        self._out.append(i.OpenGate())

    def close_gate(self, event: object) -> None:
        if self.settings.detection not in ("manual", "realtime_llm"):
            self._out.append(i.CloseGate())

    def recognizer_hears(self, event: i.RecognizerStarted) -> None:
        if self.turn.started_at is None:
            self.turn.started_at = event.at
        self._set_user_state("speaking", event.at, "stt")
        self._stop_waiting()
        self.close_gate(event)

    def recognizer_ends(self, event: i.RecognizerEnded) -> None:
        self.turn.ended_at = event.at
        self._set_user_state("listening", event.at, "stt")

    def press_talk(self, event: i.TalkPressed) -> None:
        self.turn.started_at = event.at if self.turn.started_at is None else self.turn.started_at
        self._stop_waiting()
        self._cancel_timer("transcript")
        self._set_user_state("speaking", event.at, "push_to_talk")

    def take_interim(self, event: i.Interim) -> None:
        self.turn.interim = event.text
        heard = self.turn.transcript
        if event.preflight and event.text:
            self.turn.preflight = heard
            self._start_preemptive(heard, event.confidence)
        elif self.turn.preflight and event.text and self.turn.preflight != heard:
            self.turn.preflight = ""
            self._out.append(i.CancelPreemptive())

    def take_final(self, event: i.Final) -> None:
        turn = self.turn
        turn.text = f"{turn.text} {event.text}".strip()
        turn.interim = ""
        turn.confidences.append(event.confidence)
        turn.final_at = self._now
        known = turn.preflight
        turn.preflight = ""
        if not self.settings.has_vad or turn.ended_at is None:
            turn.ended_at = min(event.ended_at, self._now) if event.ended_at is not None else self._now
        if turn.text != known and self.settings.detection == "vad":
            self._start_preemptive(turn.text, self._confidence())

    def _confidence(self) -> float:
        values = self.turn.confidences
        return sum(values) / len(values) if values else 0.0

    def _start_preemptive(self, text: str, confidence: float) -> None:
        s, turn = self.settings, self.turn
        if not s.preemptive or s.detection == "manual":
            return
        if self.holder is not None and self.floor is not Floor.YIELDING:
            return
        if turn.started_at is not None and self._now - turn.started_at > s.preemptive_max_speech:
            self._out.append(i.CancelPreemptive())
            return
        if turn.preemptive_attempts < s.preemptive_max_retries:
            turn.preemptive_attempts += 1
            self._out.append(i.StartPreemptive(text, confidence))

    def stop_waiting(self, event: object) -> None:
        self._stop_waiting()

    def settle(self, event: object) -> None:
        self._raised.append(i.Settle())

    def ask_detector(self, event: object) -> None:
        self._out.append(i.Predict(self.turn.text))

    def skip_detector(self, event: object) -> None:
        self._raised.append(i.Predicted(None, None))

    def set_deadline(self, event: i.Predicted) -> None:
        s, turn = self.settings, self.turn
        known = event.probability is not None and event.threshold is not None
        turn.delayed = known and event.probability < event.threshold  # type: ignore[operator]  # known: not None
        delay = s.max_delay if turn.delayed else s.min_delay
        turn.deadline = (turn.ended_at if turn.ended_at is not None else self._now) + delay
        cause: Literal["min_delay", "max_delay"] = "max_delay" if turn.delayed else "min_delay"
        self._out.append(i.WaitForEnd(delay, turn.deadline, cause, event.probability, event.threshold))
        if turn.deadline <= self._now:
            self._raised.append(i.TimerFired("endpointing"))
        else:
            self._set_timer("endpointing", turn.deadline)

    def commit(self, event: object) -> None:
        turn, asked = self.turn, self.turn.commit
        self._timers.discard("endpointing")
        self._cancel_timer("transcript")
        cause: i.CommitCause = "endpointing.max_delay" if turn.delayed else "endpointing.min_delay"
        if asked is not None:
            cause = asked.cause
        elif self.settings.detection == "stt":
            cause = "stt"
        text = turn.transcript if asked is not None else turn.text
        skip = asked is not None and asked.skip_reply
        self._out.append(
            i.CommitTurn(
                text, self._confidence(), turn.started_at, turn.ended_at, turn.final_at, turn.deadline, cause, skip
            )
        )
        self.turn = OpenTurn()
        self._out.append(i.OpenGate())
        self._raised.append(i.TurnEnded(reply=not skip))

    def drop_decision(self, event: object) -> None:
        self._timers.discard("endpointing")
        self._out.append(i.CancelPreemptive())
        if not self.turn.transcript:
            self._out.append(i.OpenGate())
        self._raised.append(i.TurnDropped())

    def begin_commit(self, event: i.CommitRequested) -> None:
        self._stop_waiting()
        self.turn.commit = event
        if event.cause == "push_to_talk":
            self._set_user_state("listening", self._now, "push_to_talk")

    def await_transcript(self, event: i.CommitRequested) -> None:
        deadline = self._now + event.transcript_timeout
        self._out.append(i.WaitForEnd(event.transcript_timeout, deadline, "manual", None, None))
        self._set_timer("transcript", deadline)
        self._out.append(i.FlushRecognizer())

    def forget_recognizer(self, event: object) -> None:
        # What it still owes belongs to the turn that is over.
        self._out.append(i.ResetRecognizer())

    def discard_empty(self, event: object) -> None:
        self._discard("empty")

    def clear_turn(self, event: i.ClearRequested) -> None:
        if event.cause == "push_to_talk":
            self._set_user_state("listening", self._now, "push_to_talk")
        self._discard(event.cause)
        self._out.append(i.ResetRecognizer())

    def _discard(self, cause: i.DiscardCause) -> None:
        self._stop_waiting()
        self._cancel_timer("transcript")
        if self.turn.open:
            self._out.append(i.DiscardTurn(self.turn.transcript, cause))
        self.turn = OpenTurn()
        self._out.append(i.CancelPreemptive())
        self._out.append(i.OpenGate())
        self._raised.append(i.TurnDropped())

    def user_left(self, event: object) -> None:
        self._timers.discard("away")
        self._set_user_state("away", self._now, "away_timer")

    def user_is_there(self, event: object) -> None:
        if self.user_state == "away":
            self._set_user_state("listening", self._now, "away_timer")
        else:
            self._watch_presence()

    # --- steps of the agent's half -----------------------------------------------------------------------------------

    def think(self, event: object) -> None:
        self._set_agent_state("thinking", "turn_committed")

    def take_floor(self, event: i.FloorTaken) -> None:
        self.holder, self.interruptible = event.speech_id, event.interruptible

    def note_interruptible(self, event: i.InterruptibleChanged) -> None:
        self.interruptible = event.interruptible

    def speak(self, event: i.PlayoutBegan) -> None:
        if self.settings.aec_warmup > 0 and not self._warmed and not self.warming:
            self.warming = True
            self._set_timer("aec_warmup", self._now + self.settings.aec_warmup)
        self._set_agent_state("speaking", "playout")

    def warmed_up(self, event: object) -> None:
        self._timers.discard("aec_warmup")
        self.warming, self._warmed = False, True

    def end_playout(self, event: i.PlayoutEnded) -> None:
        if event.busy:
            self._set_agent_state("thinking", "tool_reply")
        elif self.agent_state == "speaking":
            self._set_agent_state("listening", "playout_finished")

    def yield_floor(self, event: i.PlayoutEnded) -> None:
        if self.agent_state == "speaking":
            self._set_agent_state("listening", "interrupted")

    def release_floor(self, event: i.FloorReleased) -> None:
        self.holder, self.interruptible = None, True
        if self.agent_state in ("thinking", "speaking"):
            self._set_agent_state("thinking" if event.busy else "listening", "playout_finished")

    def hold(self, event: object) -> None:
        assert self.holder is not None
        self._out.append(i.PauseOutput(self.holder))
        self._set_agent_state("listening", "interrupted")

    def interrupt(self, event: object) -> None:
        assert self.holder is not None
        self._out.append(i.InterruptSpeech(self.holder, "voice"))

    def stop_output(self, event: i.SpeechInterrupted) -> None:
        self._out.append(i.StopOutput(event.speech_id))
        self.forget_hold(event)

    def forget_hold(self, event: object) -> None:
        self._cancel_timer("false_interruption")
        self._resume_when_settled = False

    def wait_for_silence_to_last(self, event: object) -> None:
        timeout = self.settings.false_interruption_timeout
        if timeout is not None:
            self._set_timer("false_interruption", self._now + timeout)

    def resume_later(self, event: object) -> None:
        self._timers.discard("false_interruption")
        self._resume_when_settled = True

    def resume(self, event: object) -> None:
        assert self.holder is not None
        self._timers.discard("false_interruption")
        self._resume_when_settled = False
        self._set_agent_state("speaking", "playout")
        false_alarm = not isinstance(event, i.InterruptibleChanged)
        self._out.append(i.ResumeOutput(self.holder, false_alarm))
        if false_alarm and self.turn.open and not self.turn.transcript and self.user is UserTurn.PAUSED:
            self._raised.append(i.NothingSaid())

    def let_output_go(self, event: Any) -> None:
        self.forget_hold(event)
        self._out.append(i.ResumeOutput(event.speech_id, False))

    # --- both --------------------------------------------------------------------------------------------------------

    def close_user(self, event: object) -> None:
        for name in tuple(self._timers):
            self._cancel_timer(name)
        self._out.append(i.CancelPreemptive())

    def start_listening(self, event: object) -> None:
        self._set_agent_state("listening", "start")

    def close_floor(self, event: object) -> None:
        self.holder = None
