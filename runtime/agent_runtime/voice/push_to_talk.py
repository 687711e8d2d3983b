"""The user's turn by hand: press, talk, send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent_runtime import events as ev
from agent_runtime.voice import turn_inputs as inputs
from agent_runtime.voice.interruption import stop_speech

if TYPE_CHECKING:
    from agent_runtime.voice.engine import Engine


class PushToTalk:
    """`session.push_to_talk`. The first press turns it on; from then on nothing ends a turn by itself until `off`.

    What was said 300 ms before a press belongs to the turn: people begin to speak as they press.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._pressed = False

    @property
    def active(self) -> bool:
        """Whether turns are taken by hand."""
        return self._engine.push_to_talk

    @property
    def pressed(self) -> bool:
        """Whether the user talks."""
        return self._pressed

    def press(self) -> None:
        """Begin a turn; the agent stops. A second press changes nothing."""
        if self._pressed:
            return
        engine = self._engine
        session = engine.session
        session._running()
        if not engine.push_to_talk:
            engine.push_to_talk = True
            engine.apply_options()
        self._pressed = True
        stop_speech(engine, "push_to_talk")
        went_back = engine.recognition.open_gate()
        engine.feed(inputs.TalkPressed(engine.clock.now() - went_back))
        engine.report.emit(ev.PushToTalkChanged("pressed"))

    def send(self, *, transcript_timeout: float = 2.0) -> None:
        """The turn is over: have it answered."""
        if not self._pressed:
            return
        self._pressed = False
        engine = self._engine
        engine.recognition.close_gate()
        engine.report.emit(ev.PushToTalkChanged("sent"))
        engine.feed(
            inputs.CommitRequested(
                "push_to_talk", transcript_timeout, expect_final=engine.recognition.owes_transcript()
            )
        )

    def discard(self) -> None:
        """Forget the turn."""
        if not self._pressed:
            return
        self._pressed = False
        engine = self._engine
        engine.recognition.close_gate()
        engine.report.emit(ev.PushToTalkChanged("discarded"))
        engine.feed(inputs.ClearRequested("push_to_talk"))

    def off(self) -> None:
        """Go back to turns that end by themselves; a turn that is being talked is forgotten."""
        self.discard()
        engine = self._engine
        if not engine.push_to_talk:
            return
        engine.push_to_talk = False
        engine.recognition.gated = False
        engine.apply_options()
        engine.report.emit(ev.PushToTalkChanged("off"))
