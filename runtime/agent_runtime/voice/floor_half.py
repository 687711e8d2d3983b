"""The agent's half of the turn machine: the guards and steps that the table `FLOOR` names."""

from __future__ import annotations

from typing import Protocol

from agent_runtime.voice import turn_inputs as i
from agent_runtime.voice.turn_memory import TurnMemory, UserTurn


class OfSpeech(Protocol):
    """An input about one speech."""

    @property
    def speech_id(self) -> str:
        """Which one."""
        ...


class FloorHalf(TurnMemory):
    """See the module. `event` is always the input of the row that names the method."""

    # --- guards ------------------------------------------------------------------------------------------------------

    def is_holder(self, event: OfSpeech) -> bool:
        """The speech has the floor."""
        return event.speech_id == self.holder

    def long_voice(self, event: i.VoiceWindow) -> bool:
        """The user has spoken for long enough to interrupt, does so at this moment, and seems to mean it."""
        # A window of silence is never what interrupts, whatever the minimum: the reference lets it at 0.0.
        if event.silence > 0.0 or event.voiced < self.settings.min_duration or not self.voice_may_interrupt():
            return False
        return self.wants_floor(event.voiced)

    def long_voice_and_can_pause(self, event: i.VoiceWindow) -> bool:
        """As `long_voice`, and the output can hold still."""
        return self.settings.can_pause and self.long_voice(event)

    def long_voice_and_cannot_pause(self, event: i.VoiceWindow) -> bool:
        """As `long_voice`, and the output couldn't hold still: with one that can, the speech waits for silence."""
        return not self.settings.can_pause and self.long_voice(event)

    def interim_interrupts(self, event: i.Interim) -> bool:
        """Words come that are more than a listener's, or no VAD tells of the voice."""
        if not event.text or (self.settings.has_vad and self.overlap is None):
            return False
        return self.voice_may_interrupt() and self.wants_floor()

    def interim_interrupts_and_can_pause(self, event: i.Interim) -> bool:
        """As `interim_interrupts`, and the output can hold still."""
        return self.settings.can_pause and self.interim_interrupts(event)

    def final_interrupts(self, event: i.Final) -> bool:
        """The user said something, and more than a listener's word."""
        return bool(event.text) and self.voice_may_interrupt() and self.wants_floor()

    def final_confirms(self, event: i.Final) -> bool:
        """The user said something over a speech that holds still, and more than a listener's word."""
        return bool(event.text) and self.interruptible and self.wants_floor()

    def false_interruption_undecided(self, event: i.TimerFired) -> bool:
        """Silence has lasted, but whether the user's turn is over is still being decided."""
        return event.name == "false_interruption" and self.deciding

    def resume_was_waiting(self, event: object) -> bool:
        """Silence had lasted while that was being decided, or the speech held still for a listener's word."""
        return self.resume_when_settled or self.user is UserTurn.ASIDE

    def turn_is_answered(self, event: i.TurnEnded) -> bool:
        """A reply follows."""
        return event.reply

    def no_longer_interruptible(self, event: i.InterruptibleChanged) -> bool:
        """The speech that has the floor must be heard to its end."""
        return event.speech_id == self.holder and not event.interruptible

    # --- steps -------------------------------------------------------------------------------------------------------

    def start_listening(self, event: object) -> None:
        """The session begins."""
        self.set_agent_state("listening", "start")

    def think(self, event: object) -> None:
        """A reply is being prepared."""
        self.set_agent_state("thinking", "turn_committed")

    def take_floor(self, event: i.FloorTaken) -> None:
        """Note whose floor it is."""
        self.holder, self.interruptible = event.speech_id, event.interruptible

    def note_interruptible(self, event: i.InterruptibleChanged) -> None:
        """Note whether it may be interrupted."""
        self.interruptible = event.interruptible

    def speak(self, event: i.PlayoutBegan) -> None:
        """It is heard; the first time, echo cancellation begins to settle."""
        if self.settings.aec_warmup > 0 and not self.warmed and not self.warming:
            self.warming = True
            self.set_timer("aec_warmup", self.now + self.settings.aec_warmup)
        self.set_agent_state("speaking", "playout")

    def warmed_up(self, event: object) -> None:
        """Echo cancellation has settled."""
        self.warming, self.warmed = False, True

    def end_playout(self, event: i.PlayoutEnded) -> None:
        """It was heard to its end."""
        self.end_overlap(answer=not event.busy)
        if event.busy:
            self.set_agent_state("thinking", "tool_reply")
        elif self.agent_state == "speaking":
            self.set_agent_state("listening", "playout_finished")

    def end_interrupted(self, event: i.PlayoutEnded) -> None:
        """It was cut, and what was heard is part of the conversation."""
        if self.agent_state == "speaking":
            self.set_agent_state("listening", "interrupted")

    def release_floor(self, event: i.FloorReleased) -> None:
        """Nobody has the floor."""
        self.holder, self.interruptible = None, True
        if self.agent_state in ("thinking", "speaking"):
            self.set_agent_state("thinking" if event.busy else "listening", "playout_finished")

    def calm_down(self, event: object) -> None:
        """Tools ran and no reply to them follows."""
        if self.agent_state == "thinking":
            self.set_agent_state("listening", "tool_reply")

    def follow_overlap(self, event: i.VoiceWindow) -> None:
        """Keep how long the user has spoken over it."""
        if self.overlap is not None:
            self.overlap.voiced = event.voiced

    def judge_interruption(self, event: object) -> None:
        """The user means it."""
        self.tell_overlap(True)

    def judge_silence(self, event: object) -> None:
        """The user fell silent before they seemed to mean it."""
        if self.overlap is not None and not self.overlap.told:
            self.tell_overlap(False)

    def hold(self, event: object) -> None:
        """Hold still until it is known whether the user meant to interrupt."""
        self.act(i.PauseOutput(self._held_by))
        self.set_agent_state("listening", "interrupted")

    def interrupt(self, event: object) -> None:
        """The user interrupts."""
        self.act(i.InterruptSpeech(self._held_by, "voice"))

    @property
    def _held_by(self) -> str:
        assert self.holder is not None, "in every state but OPEN and CLOSED a speech has the floor"
        return self.holder

    def stop_output(self, event: i.SpeechInterrupted) -> None:
        """Silence."""
        self.end_overlap(answer=True)
        self.act(i.StopOutput(event.speech_id))
        self.forget_hold(event)

    def forget_hold(self, event: object) -> None:
        """It doesn't go on by itself any more."""
        self.cancel_timer("false_interruption")
        self.resume_when_settled = False

    def wait_for_silence_to_last(self, event: object) -> None:
        """If nothing follows, the interruption was none; without a time for that, it is one."""
        timeout = self.settings.false_interruption_timeout
        if timeout is None:
            self.interrupt(event)
        else:
            self.set_timer("false_interruption", self.now + timeout)

    def wait_if_silent(self, event: object) -> None:
        """As `wait_for_silence_to_last`, unless the user is heard right now."""
        if self.user_state != "speaking":
            self.wait_for_silence_to_last(event)

    def resume_later(self, event: object) -> None:
        """It goes on if the user's turn comes to nothing."""
        self.resume_when_settled = True

    def resume(self, event: object) -> None:
        """It goes on: the interruption was none."""
        self._go_on(false_alarm=True)
        if self.turn.open and not self.turn.transcript and self.user is UserTurn.PAUSED:
            self.raise_(i.NothingSaid())

    def resume_protected(self, event: object) -> None:
        """It goes on: it may not be interrupted any more."""
        self._go_on(false_alarm=False)

    def _go_on(self, *, false_alarm: bool) -> None:
        self.forget_hold(None)
        self.set_agent_state("speaking", "playout")
        self.act(i.ResumeOutput(self._held_by, false_alarm))

    def let_output_go(self, event: i.PlayoutEnded | i.FloorReleased) -> None:
        """It ended while it was held: whatever comes next is heard again."""
        self.forget_hold(event)
        self.act(i.ResumeOutput(event.speech_id, False))

    def close_floor(self, event: object) -> None:
        """The session ends."""
        self.holder = None
