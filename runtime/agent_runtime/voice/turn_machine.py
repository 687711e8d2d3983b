"""Who speaks: one state machine for the user's turn and the agent's, without input, output or waiting of its own.

`TurnMachine.feed(input, now)` returns what is to be done, in order. Two tables say everything: `USER` is the user's
turn, `FLOOR` is the agent's speech. Each input goes to `USER` first, then to `FLOOR`; inputs that the tables raise
themselves follow after it. The first row whose guard (`when`) holds is taken: its steps run and its state (`to`) is
entered. An input without a row changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from agent_runtime.voice import turn_inputs as i
from agent_runtime.voice.turn_steps import Floor, Guard, OpenTurn, Step, TurnSettings, UserTurn, count_words, timer
from agent_runtime.voice.turn_steps import TurnSteps as T

__all__ = ["FLOOR", "USER", "Floor", "OpenTurn", "Row", "TurnMachine", "TurnSettings", "UserTurn", "count_words"]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. `to` None: the state stays."""

    do: tuple[Step, ...] = ()
    to: Any = None
    when: Guard | None = None


Table: TypeAlias = Mapping[tuple[Any, type], tuple[Row, ...]]

ANY: Final = None
"""Stands for every state but `CLOSED` that has no row of its own for the input."""

_U, _F = UserTurn, Floor

USER: Final[Table] = {
    # --- the VAD
    (_U.LISTENING, i.VoiceStarted): (Row((T.open_turn, T.hear_voice), _U.SPEAKING),),
    (_U.PAUSED, i.VoiceStarted): (Row((T.hear_voice,), _U.SPEAKING),),
    (_U.PREDICTING, i.VoiceStarted): (Row((T.hear_voice,), _U.SPEAKING),),
    (_U.ENDPOINTING, i.VoiceStarted): (Row((T.hear_voice,), _U.SPEAKING),),
    (_U.SPEAKING, i.VoiceStarted): (Row((T.hear_voice,)),),
    (_U.TALKING, i.VoiceStarted): (Row((T.note_voice_start,)),),
    (_U.SPEAKING, i.VoiceWindow): (Row((T.follow_voice,)),),
    (_U.SPEAKING, i.VoiceEnded): (
        Row((T.lose_voice, T.settle), _U.PAUSED, when=T.ends_by_silence),
        Row((T.lose_voice,), _U.PAUSED),
    ),
    (_U.TALKING, i.VoiceEnded): (Row((T.note_voice_end,)),),
    (_U.COMMITTING, i.VoiceEnded): (Row((T.user_is_silent,)),),
    (ANY, i.VoiceEnded): (Row((T.user_is_silent,)),),
    # --- the recogniser
    (_U.LISTENING, i.Interim): (Row((T.open_turn, T.take_interim), _U.PAUSED, when=T.has_text),),
    (ANY, i.Interim): (Row((T.take_interim,)),),
    (_U.LISTENING, i.Final): (
        Row((T.open_turn, T.take_final, T.settle), _U.PAUSED, when=T.text_while_vad_ends_turns),
        Row((T.open_turn, T.take_final), _U.PAUSED, when=T.has_text),
    ),
    (_U.SPEAKING, i.Final): (Row((T.take_final,), when=T.has_text),),
    (_U.TALKING, i.Final): (Row((T.take_final,), when=T.has_text),),
    (_U.PAUSED, i.Final): (
        Row((T.take_final, T.settle), when=T.text_while_vad_ends_turns),
        Row((T.take_final,), when=T.has_text),
    ),
    (_U.PREDICTING, i.Final): (Row((T.take_final, T.settle), _U.PAUSED, when=T.has_text),),
    (_U.ENDPOINTING, i.Final): (Row((T.stop_waiting, T.take_final, T.settle), _U.PAUSED, when=T.has_text),),
    (_U.COMMITTING, i.Final): (
        Row((T.take_final, T.commit), _U.LISTENING, when=T.has_text),
        Row((T.commit,), _U.LISTENING, when=T.something_was_said),
        Row((T.discard_empty,), _U.LISTENING),
    ),
    (_U.LISTENING, i.RecognizerStarted): (
        Row((T.open_turn, T.recognizer_hears), _U.SPEAKING, when=T.ends_by_recognizer),
    ),
    (_U.PAUSED, i.RecognizerStarted): (Row((T.recognizer_hears,), _U.SPEAKING, when=T.ends_by_recognizer),),
    (_U.PREDICTING, i.RecognizerStarted): (Row((T.recognizer_hears,), _U.SPEAKING, when=T.ends_by_recognizer),),
    (_U.ENDPOINTING, i.RecognizerStarted): (Row((T.recognizer_hears,), _U.SPEAKING, when=T.ends_by_recognizer),),
    (_U.SPEAKING, i.RecognizerEnded): (Row((T.recognizer_ends, T.settle), _U.PAUSED, when=T.ends_by_recognizer),),
    (_U.PAUSED, i.RecognizerEnded): (Row((T.recognizer_ends, T.settle), when=T.ends_by_recognizer),),
    # --- deciding
    (_U.PAUSED, i.Settle): (
        Row((T.drop_decision,), when=T.nothing_to_decide),
        Row((T.ask_detector,), _U.PREDICTING, when=T.detector_is_asked),
        Row((T.skip_detector,), _U.PREDICTING),
    ),
    (_U.PREDICTING, i.Predicted): (Row((T.set_deadline,), _U.ENDPOINTING),),
    (_U.ENDPOINTING, i.TimerFired): (
        Row((T.drop_decision,), _U.PAUSED, when=T.endpointing_too_few_words),
        Row((T.commit,), _U.LISTENING, when=timer("endpointing")),
        Row((T.user_left,), when=timer("away")),
    ),
    # --- by hand
    (_U.TALKING, i.TalkPressed): (Row(),),
    (ANY, i.TalkPressed): (Row((T.open_turn, T.press_talk), _U.TALKING),),
    (_U.COMMITTING, i.CommitRequested): (Row(),),
    (ANY, i.CommitRequested): (
        Row((T.begin_commit, T.commit), _U.LISTENING, when=T.transcript_is_complete),
        Row((T.open_turn, T.begin_commit, T.await_transcript), _U.COMMITTING, when=T.recognizer_owes),
        Row((T.begin_commit, T.discard_empty), _U.LISTENING),
    ),
    (_U.COMMITTING, i.TimerFired): (
        Row((T.commit, T.forget_recognizer), _U.LISTENING, when=T.transcript_is_late),
        Row((T.discard_empty, T.forget_recognizer), _U.LISTENING, when=timer("transcript")),
        Row((T.user_left,), when=timer("away")),
    ),
    (ANY, i.ClearRequested): (Row((T.clear_turn,), _U.LISTENING),),
    # --- the rest
    (_U.PAUSED, i.NothingSaid): (Row((T.discard_empty,), _U.LISTENING),),
    (ANY, i.Activity): (Row((T.user_is_there,)),),
    (ANY, i.TimerFired): (Row((T.user_left,), when=timer("away")),),
    (ANY, i.Closed): (Row((T.close_user,), _U.CLOSED),),
}
"""The user's turn."""

FLOOR: Final[Table] = {
    (_F.OPEN, i.Started): (Row((T.start_listening,)),),
    (_F.OPEN, i.ReplyScheduled): (Row((T.think,)),),
    (_F.YIELDING, i.ReplyScheduled): (Row((T.think,)),),
    (_F.OPEN, i.FloorTaken): (Row((T.take_floor,), _F.REPLYING),),
    # --- a speech that isn't heard yet
    (_F.REPLYING, i.PlayoutBegan): (Row((T.speak,), _F.SPEAKING, when=T.is_holder),),
    (_F.REPLYING, i.PlayoutEnded): (Row((T.end_playout,), when=T.is_holder),),
    (_F.REPLYING, i.Final): (Row((T.interrupt,), when=T.final_interrupts),),
    # --- a speech that is heard
    (_F.SPEAKING, i.VoiceWindow): (
        Row((T.hold,), _F.HELD, when=T.long_voice_can_pause),
        Row((T.interrupt,), when=T.long_voice),
    ),
    (_F.SPEAKING, i.Interim): (
        Row((T.hold, T.wait_for_silence_to_last), _F.HELD, when=T.interim_interrupts_can_pause),
        Row((T.interrupt,), when=T.interim_interrupts),
    ),
    (_F.SPEAKING, i.Final): (Row((T.interrupt,), when=T.final_interrupts),),
    (_F.SPEAKING, i.PlayoutEnded): (Row((T.end_playout,), _F.REPLYING, when=T.is_holder),),
    # --- a speech that holds still
    (_F.HELD, i.VoiceStarted): (Row((T.forget_hold,)),),
    (_F.HELD, i.RecognizerStarted): (Row((T.forget_hold,)),),
    (_F.HELD, i.VoiceEnded): (Row((T.wait_for_silence_to_last,)),),
    (_F.HELD, i.RecognizerEnded): (Row((T.wait_for_silence_to_last,)),),
    (_F.HELD, i.Interim): (Row((T.wait_for_silence_to_last,), when=T.interim_interrupts),),
    (_F.HELD, i.Final): (Row((T.interrupt,), when=T.has_text),),
    (_F.HELD, i.TurnEnded): (Row((T.forget_hold,), when=T.turn_is_answered),),
    (_F.HELD, i.TimerFired): (
        Row((T.resume_later,), when=T.false_interruption_undecided),
        Row((T.resume,), _F.SPEAKING, when=timer("false_interruption")),
        Row((T.warmed_up,), when=timer("aec_warmup")),
    ),
    (_F.HELD, i.TurnDropped): (Row((T.resume,), _F.SPEAKING, when=T.resume_was_waiting),),
    (_F.HELD, i.InterruptibleChanged): (
        Row((T.note_interruptible, T.resume), _F.SPEAKING, when=T.no_longer_interruptible),
    ),
    (_F.HELD, i.PlayoutEnded): (Row((T.let_output_go, T.end_playout), _F.REPLYING, when=T.is_holder),),
    # --- an interrupted speech winds up
    (_F.REPLYING, i.SpeechInterrupted): (Row((T.stop_output,), _F.YIELDING, when=T.is_holder),),
    (_F.SPEAKING, i.SpeechInterrupted): (Row((T.stop_output,), _F.YIELDING, when=T.is_holder),),
    (_F.HELD, i.SpeechInterrupted): (Row((T.stop_output,), _F.YIELDING, when=T.is_holder),),
    (_F.YIELDING, i.PlayoutEnded): (Row((T.yield_floor,), when=T.is_holder),),
    # --- every speech
    (ANY, i.InterruptibleChanged): (Row((T.note_interruptible,), when=T.is_holder),),
    (_F.HELD, i.FloorReleased): (Row((T.let_output_go, T.release_floor), _F.OPEN, when=T.is_holder),),
    (ANY, i.FloorReleased): (Row((T.release_floor,), _F.OPEN, when=T.is_holder),),
    (ANY, i.TimerFired): (Row((T.warmed_up,), when=timer("aec_warmup")),),
    (ANY, i.Closed): (Row((T.close_floor,), _F.CLOSED),),
}
"""The agent's speech."""


class TurnMachine(T):
    """See the module. Made once per session; `settings` may be changed between feeds."""

    def feed(self, event: i.Input, now: float) -> list[i.Action]:
        """Take an input that came at `now`; returns what is to be done, in order."""
        self._now = now
        actions = self._out = []
        self._raised.append(event)
        while self._raised:
            current = self._raised.popleft()
            if row := self._row(USER, self.user, current):
                self.user = row.to or self.user
                for step in row.do:
                    step(self, current)
            if row := self._row(FLOOR, self.floor, current):
                self.floor = row.to or self.floor
                for step in row.do:
                    step(self, current)
        return actions

    def _row(self, table: Table, state: UserTurn | Floor, event: object) -> Row | None:
        rows = table.get((state, type(event)))
        if rows is None:
            if state is UserTurn.CLOSED or state is Floor.CLOSED:
                return None
            rows = table.get((ANY, type(event)), ())
        for row in rows:
            if row.when is None or row.when(self, event):
                return row
        return None
