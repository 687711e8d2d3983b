"""Who speaks: one state machine for the user's turn and the agent's, without input, output or waiting of its own.

`TurnMachine.feed(input, now)` returns what is to be done, in order. Two tables say everything: `USER` is the user's
turn, `FLOOR` is the agent's speech. Each input goes to `USER` first, then to `FLOOR`; inputs that the tables raise
themselves follow after it. The first row whose guard (`when`) holds is taken: its steps run and its state (`to`) is
entered. An input without a row changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from agent_runtime.records import record
from agent_runtime.voice import turn_inputs as i
from agent_runtime.voice.floor_half import FloorHalf as F
from agent_runtime.voice.turn_memory import Floor, Guard, OpenTurn, Step, TurnSettings, UserTurn, timer
from agent_runtime.voice.user_half import UserHalf as U

__all__ = ["FLOOR", "USER", "Floor", "OpenTurn", "Row", "TurnMachine", "TurnSettings", "UserTurn"]


@record(frozen=True, slots=True)
class Row:
    """One line of a table. `to` None: the state stays."""

    do: tuple[Step, ...] = ()
    to: Any = None
    when: Guard | None = None


Table: TypeAlias = Mapping[tuple[Any, type], tuple[Row, ...]]

ANY: Final = None
"""Stands for every state but `CLOSED` that has no row of its own for the input."""

_U, _F = UserTurn, Floor

_EVERYWHERE: Final = (
    Row((U.user_left,), when=timer("away")),
    Row((U.tell_untranscribed,), when=timer("transcription")),
)
"""Timers of the user that any state has to do with."""

USER: Final[Table] = {
    # --- the VAD
    (_U.LISTENING, i.VoiceStarted): (Row((U.open_turn, U.hear_voice), _U.SPEAKING),),
    (_U.PAUSED, i.VoiceStarted): (Row((U.hear_voice,), _U.SPEAKING),),
    (_U.PREDICTING, i.VoiceStarted): (Row((U.hear_voice,), _U.SPEAKING),),
    (_U.ENDPOINTING, i.VoiceStarted): (Row((U.hear_voice,), _U.SPEAKING),),
    (_U.ASIDE, i.VoiceStarted): (Row((U.hear_voice,), _U.SPEAKING),),
    (_U.SPEAKING, i.VoiceStarted): (Row((U.hear_voice,)),),
    (_U.TALKING, i.VoiceStarted): (Row((U.note_voice_start,)),),
    (_U.SPEAKING, i.VoiceWindow): (Row((U.follow_voice, U.watch_length)),),
    (_U.TALKING, i.VoiceWindow): (Row((U.watch_length,)),),
    (_U.SPEAKING, i.VoiceEnded): (
        Row((U.lose_voice, U.settle), _U.PAUSED, when=U.ends_by_silence),
        Row((U.lose_voice,), _U.PAUSED),
    ),
    (_U.TALKING, i.VoiceEnded): (Row((U.note_voice_end,)),),
    (_U.COMMITTING, i.VoiceEnded): (Row((U.user_is_silent,)),),
    (ANY, i.VoiceEnded): (Row((U.user_is_silent,)),),
    # --- the recogniser
    (_U.LISTENING, i.Interim): (Row((U.open_turn, U.take_interim), _U.PAUSED, when=U.has_text),),
    (_U.ASIDE, i.Interim): (Row((U.stop_waiting, U.take_interim), _U.PAUSED, when=U.has_text),),
    (ANY, i.Interim): (Row((U.take_interim,)),),
    (_U.LISTENING, i.Final): (
        Row((U.open_turn, U.take_final, U.settle), _U.PAUSED, when=U.has_text_and_ends_by_silence),
        Row((U.open_turn, U.take_final), _U.PAUSED, when=U.has_text),
    ),
    (_U.SPEAKING, i.Final): (Row((U.take_final,), when=U.has_text),),
    (_U.TALKING, i.Final): (Row((U.take_final,), when=U.has_text),),
    (_U.PAUSED, i.Final): (
        Row((U.take_final, U.settle), when=U.has_text_and_ends_by_silence),
        Row((U.take_final,), when=U.has_text),
    ),
    (_U.PREDICTING, i.Final): (Row((U.take_final, U.settle), _U.PAUSED, when=U.has_text),),
    (_U.ENDPOINTING, i.Final): (Row((U.stop_waiting, U.take_final, U.settle), _U.PAUSED, when=U.has_text),),
    (_U.ASIDE, i.Final): (Row((U.stop_waiting, U.take_final, U.settle), _U.PAUSED, when=U.has_text),),
    (_U.COMMITTING, i.Final): (
        Row((U.take_final, U.commit), _U.LISTENING, when=U.has_text),
        Row((U.commit,), _U.LISTENING, when=U.something_was_said),
        Row((U.discard_empty,), _U.LISTENING),
    ),
    (_U.LISTENING, i.RecognizerStarted): (Row((U.open_turn, U.hear_voice), _U.SPEAKING, when=U.ends_by_recognizer),),
    (_U.PAUSED, i.RecognizerStarted): (Row((U.hear_voice,), _U.SPEAKING, when=U.ends_by_recognizer),),
    (_U.PREDICTING, i.RecognizerStarted): (Row((U.hear_voice,), _U.SPEAKING, when=U.ends_by_recognizer),),
    (_U.ENDPOINTING, i.RecognizerStarted): (Row((U.hear_voice,), _U.SPEAKING, when=U.ends_by_recognizer),),
    (_U.ASIDE, i.RecognizerStarted): (Row((U.hear_voice,), _U.SPEAKING, when=U.ends_by_recognizer),),
    (_U.SPEAKING, i.RecognizerEnded): (Row((U.recognizer_ends, U.settle), _U.PAUSED, when=U.ends_by_recognizer),),
    (_U.PAUSED, i.RecognizerEnded): (Row((U.recognizer_ends, U.settle), when=U.ends_by_recognizer),),
    # --- deciding
    (_U.PAUSED, i.Settle): (
        Row((U.drop_decision,), when=U.nothing_to_decide),
        Row((U.ask_detector,), _U.PREDICTING, when=U.detector_is_asked),
        Row((U.skip_detector,), _U.PREDICTING),
    ),
    (_U.PREDICTING, i.Predicted): (Row((U.set_deadline,), _U.ENDPOINTING),),
    (_U.ENDPOINTING, i.TimerFired): (
        Row((U.drop_decision, U.open_gate), _U.PAUSED, when=U.deadline_with_too_few_words),
        Row((U.set_aside,), _U.ASIDE, when=U.deadline_over_backchannel),
        Row((U.commit,), _U.LISTENING, when=timer("endpointing")),
        *_EVERYWHERE,
    ),
    (_U.ASIDE, i.AgentFellSilent): (Row((U.stop_waiting, U.settle), _U.PAUSED),),
    (_U.ASIDE, i.TimerFired): (
        Row((U.forget_backchannel,), _U.LISTENING, when=timer("backchannel")),
        *_EVERYWHERE,
    ),
    # --- by hand
    (_U.TALKING, i.TalkPressed): (Row(),),
    (ANY, i.TalkPressed): (Row((U.open_turn, U.press_talk), _U.TALKING),),
    (_U.COMMITTING, i.CommitRequested): (Row((U.begin_commit, U.hurry), when=U.session_closes), Row()),
    (ANY, i.CommitRequested): (
        Row((U.begin_commit, U.commit), _U.LISTENING, when=U.transcript_is_complete),
        Row((U.begin_commit, U.commit), _U.LISTENING, when=U.model_heard),
        Row((U.open_turn, U.begin_commit, U.await_transcript), _U.COMMITTING, when=U.recognizer_owes),
        Row((U.begin_commit, U.discard_empty), _U.LISTENING),
    ),
    (_U.COMMITTING, i.TimerFired): (
        Row((U.commit, U.forget_recognizer), _U.LISTENING, when=U.transcript_is_late),
        Row((U.discard_empty, U.forget_recognizer), _U.LISTENING, when=timer("transcript")),
        *_EVERYWHERE,
    ),
    (ANY, i.ModelAnswers): (Row((U.stop_waiting, U.commit), _U.LISTENING, when=U.turn_is_open),),
    (ANY, i.ClearRequested): (Row((U.clear_turn,), _U.LISTENING),),
    # --- the rest
    (_U.PAUSED, i.NothingSaid): (Row((U.discard_empty,), _U.LISTENING),),
    (ANY, i.SpeechInterrupted): (Row((U.answer_early,), when=U.words_cut_what_was_not_heard),),
    (ANY, i.Activity): (Row((U.user_is_there,)),),
    (ANY, i.CallsRunOn): (Row((U.note_calls,)),),
    (ANY, i.TimerFired): _EVERYWHERE,
    (ANY, i.Closed): (Row((U.close_user,), _U.CLOSED),),
}
"""The user's turn."""

FLOOR: Final[Table] = {
    (_F.OPEN, i.Started): (Row((F.start_listening,)),),
    (_F.OPEN, i.ReplyScheduled): (Row((F.think,)),),
    (_F.YIELDING, i.ReplyScheduled): (Row((F.think,)),),
    (_F.REPLYING, i.ReplyScheduled): (Row((F.think,)),),
    (_F.OPEN, i.FloorTaken): (Row((F.take_floor,), _F.REPLYING),),
    # --- a speech that isn't heard yet
    (_F.REPLYING, i.PlayoutBegan): (Row((F.speak,), _F.SPEAKING, when=F.is_holder),),
    (_F.REPLYING, i.PlayoutEnded): (Row((F.end_playout,), when=F.is_holder),),
    (_F.REPLYING, i.VoiceWindow): (Row((F.interrupt,), when=F.long_voice_and_cannot_pause),),
    (_F.REPLYING, i.Final): (Row((F.interrupt,), when=F.final_interrupts),),
    # --- a speech that is heard
    (_F.SPEAKING, i.VoiceWindow): (
        Row((F.follow_overlap, F.judge_interruption, F.hold), _F.HELD, when=F.long_voice_and_can_pause),
        Row((F.follow_overlap, F.judge_interruption, F.interrupt), when=F.long_voice),
        Row((F.follow_overlap,)),
    ),
    (_F.SPEAKING, i.VoiceEnded): (Row((F.judge_silence,)),),
    (_F.SPEAKING, i.RecognizerEnded): (Row((F.judge_silence,)),),
    (_F.SPEAKING, i.Interim): (
        Row((F.judge_interruption, F.hold, F.wait_if_silent), _F.HELD, when=F.interim_interrupts_and_can_pause),
        Row((F.judge_interruption, F.interrupt), when=F.interim_interrupts),
    ),
    (_F.SPEAKING, i.Final): (Row((F.judge_interruption, F.interrupt), when=F.final_interrupts),),
    (_F.SPEAKING, i.PlayoutEnded): (Row((F.end_playout,), _F.REPLYING, when=F.is_holder),),
    # --- a speech that holds still
    (_F.HELD, i.VoiceStarted): (Row((F.forget_hold,)),),
    (_F.HELD, i.VoiceWindow): (Row((F.follow_overlap,)),),
    (_F.HELD, i.RecognizerStarted): (Row((F.forget_hold,)),),
    (_F.HELD, i.VoiceEnded): (Row((F.wait_for_silence_to_last,)),),
    (_F.HELD, i.RecognizerEnded): (Row((F.wait_for_silence_to_last,)),),
    (_F.HELD, i.Interim): (Row((F.wait_if_silent,), when=F.interim_interrupts),),
    (_F.HELD, i.Final): (Row((F.judge_interruption, F.interrupt), when=F.final_confirms),),
    (_F.HELD, i.TurnEnded): (Row((F.forget_hold,), when=F.turn_is_answered),),
    (_F.HELD, i.TimerFired): (
        Row((F.resume_later,), when=F.false_interruption_undecided),
        Row((F.resume,), _F.SPEAKING, when=timer("false_interruption")),
        Row((F.warmed_up,), when=timer("aec_warmup")),
    ),
    (_F.HELD, i.TurnDropped): (Row((F.resume,), _F.SPEAKING, when=F.resume_was_waiting),),
    (_F.HELD, i.InterruptibleChanged): (
        Row((F.note_interruptible, F.resume_protected), _F.SPEAKING, when=F.no_longer_interruptible),
    ),
    (_F.HELD, i.PlayoutEnded): (Row((F.let_output_go, F.end_playout), _F.REPLYING, when=F.is_holder),),
    # --- an interrupted speech winds up
    (_F.REPLYING, i.SpeechInterrupted): (Row((F.stop_output,), _F.YIELDING, when=F.is_holder),),
    (_F.SPEAKING, i.SpeechInterrupted): (Row((F.stop_output,), _F.YIELDING, when=F.is_holder),),
    (_F.HELD, i.SpeechInterrupted): (Row((F.stop_output,), _F.YIELDING, when=F.is_holder),),
    (_F.YIELDING, i.PlayoutEnded): (Row((F.end_interrupted,), when=F.is_holder),),
    # --- every speech
    (ANY, i.InterruptibleChanged): (Row((F.note_interruptible,), when=F.is_holder),),
    (_F.HELD, i.FloorReleased): (Row((F.let_output_go, F.release_floor), _F.OPEN, when=F.is_holder),),
    (ANY, i.FloorReleased): (Row((F.release_floor,), _F.OPEN, when=F.is_holder),),
    (_F.OPEN, i.NothingLeft): (Row((F.calm_down,)),),
    (ANY, i.TimerFired): (Row((F.warmed_up,), when=timer("aec_warmup")),),
    (ANY, i.Closed): (Row((F.close_floor,), _F.CLOSED),),
}
"""The agent's speech."""


_Rules: TypeAlias = dict[type, dict[Any, tuple[Row, ...]]]


def _by_input(table: Table, states: type[UserTurn | Floor]) -> _Rules:
    """The rows of a table by input, then by state: most inputs concern one of the two tables only."""
    return {
        event: {
            state: table.get((state, event), () if state is states.CLOSED else table.get((ANY, event), ()))
            for state in states
        }
        for event in {event for _, event in table}
    }


_USER, _FLOOR = _by_input(USER, UserTurn), _by_input(FLOOR, Floor)


class TurnMachine(U, F):
    """See the module. Made once per session; `settings` may be changed between feeds."""

    def feed(self, event: i.Input, now: float) -> list[i.Action]:
        """Take an input that came at `now`; returns what is to be done, in order."""
        self.now = now
        actions = self._out = []
        if isinstance(event, i.TimerFired):
            self._timers.discard(event.name)
        self._raised.append(event)
        while self._raised:
            current = self._raised.popleft()
            if row := self._row(_USER, self.user, current):
                self.user = row.to or self.user
                for step in row.do:
                    step(self, current)
            if row := self._row(_FLOOR, self.floor, current):
                self.floor = row.to or self.floor
                for step in row.do:
                    step(self, current)
        return actions

    def _row(self, rules: _Rules, state: UserTurn | Floor, event: object) -> Row | None:
        by_state = rules.get(type(event))
        if by_state is not None:
            for row in by_state[state]:
                if row.when is None or row.when(self, event):
                    return row
        return None
