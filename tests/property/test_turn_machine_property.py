"""The turn machine under random inputs: whatever comes in whatever order, it stays consistent and comes to rest."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from agent_runtime.voice import turn_inputs as i
from agent_runtime.voice.backchannel import WordsAndLength, is_backchannel
from agent_runtime.voice.turn_machine import Floor, TurnMachine, TurnSettings, UserTurn

WORDS = st.sampled_from(["", "no", "mm-hm", "yeah, right", "stop it", "tell me more about that"])


class Machine(RuleBasedStateMachine):
    """Drives it as a session does, and keeps what a session would see."""

    def __init__(self) -> None:
        super().__init__()
        self.machine = TurnMachine(TurnSettings())
        self.now = 0.0
        self.timers: dict[str, float] = {}
        self.paused = False
        self.asked = False
        self.gate_open = True
        self.speeches = 0
        self.current: str | None = None
        self.heard = False
        self.interrupted = False
        self.feed(i.Started())

    def feed(self, event: i.Input) -> None:
        for action in self.machine.feed(event, self.now):
            self.carry_out(action)

    def carry_out(self, action: Any) -> None:
        match action:
            case i.SetTimer(name, at):
                assert at >= self.now - 1e-9 or name == "endpointing"
                self.timers[name] = at
            case i.CancelTimer(name):
                assert name in self.timers, f"{name} was not set"
                del self.timers[name]
            case i.PauseOutput(speech_id):
                assert self.machine.settings.can_pause
                assert speech_id == self.current
                assert not self.paused
                self.paused = True
            case i.ResumeOutput(speech_id, _):
                assert speech_id == self.current
                self.paused = False
            case i.StopOutput(speech_id):
                assert speech_id == self.current
                self.paused = False
            case i.InterruptSpeech(speech_id, _):
                assert speech_id == self.current
                assert self.machine.interruptible
                assert not self.interrupted
                self.interrupted = True
                self.feed(i.SpeechInterrupted(speech_id))
            case i.Predict(text):
                assert text
                self.asked = True
            case i.CommitTurn():
                assert action.text or not self.machine.settings.has_stt
            case i.DiscardTurn(text, "backchannel"):
                assert is_backchannel(text)
            case i.TellOverlap(is_interruption, agent_ended, probability, started_at):
                assert self.machine.settings.judge is not None
                assert not (is_interruption and agent_ended)
                assert 0.0 <= probability <= 1.0
                assert started_at <= self.now
            case i.TellLesson(delay, lesson):
                s = self.machine.settings
                assert s.dynamic
                assert s.min_delay <= delay <= s.max_delay
                assert 0 < lesson.pause <= s.max_delay
            case i.TellExceeded():
                s = self.machine.settings
                by_words = s.max_words is not None and action.accumulated_words >= s.max_words
                by_time = s.max_seconds is not None and action.duration >= s.max_seconds
                assert by_words if action.cause == "max_words" else by_time
                assert action.accumulated_transcript.endswith(action.transcript.split(" ")[-1])
            case i.TellUntranscribed(seconds, since):
                assert not self.machine.turn.text
                assert seconds >= 0.0
                assert since <= self.now
            case i.FlushRecognizer():
                assert self.machine.settings.flush_at_silence or self.machine.user is UserTurn.COMMITTING
            case i.StartPreemptive(text):
                assert text
                assert self.machine.settings.detection != "manual"
            case i.OpenGate():
                self.gate_open = True
            case i.CloseGate():
                self.gate_open = False
            case i.SetAgentState(old, new) | i.SetUserState(old, new):
                assert old != new

    def pass_time(self, seconds: float) -> None:
        until = self.now + seconds
        while self.timers and min(self.timers.values()) <= until:
            name = min(self.timers, key=lambda n: self.timers[n])
            self.now = max(self.now, self.timers.pop(name))
            self.feed(i.TimerFired(name))  # type: ignore[arg-type]
        self.now = until

    # --- the user ----------------------------------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.0, 0.05, 0.3, 0.6, 2.5, 20.0]))
    def time_passes(self, seconds: float) -> None:
        self.pass_time(seconds)

    @rule()
    def voice_starts(self) -> None:
        self.feed(i.VoiceStarted(self.now - 0.05))

    @rule(voiced=st.sampled_from([0.1, 0.5, 1.0]), silence=st.sampled_from([0.0, 0.1, 0.3]))
    def voice_goes_on(self, voiced: float, silence: float) -> None:
        self.feed(i.VoiceWindow(voiced, silence))

    @rule()
    def voice_ends(self) -> None:
        self.feed(i.VoiceEnded(self.now - 0.5))

    @rule(text=WORDS, preflight=st.booleans())
    def interim(self, text: str, preflight: bool) -> None:
        self.feed(i.Interim(text, preflight))

    @rule(text=WORDS)
    def final(self, text: str) -> None:
        self.feed(i.Final(text))

    @rule()
    def recogniser_starts(self) -> None:
        self.feed(i.RecognizerStarted(self.now))

    @rule()
    def recogniser_ends(self) -> None:
        self.feed(i.RecognizerEnded(self.now))

    @precondition(lambda self: self.asked)
    @rule(probability=st.sampled_from([None, 0.1, 0.9]))
    def detector_answers(self, probability: float | None) -> None:
        self.asked = False
        self.feed(i.Predicted(probability, 0.5))

    @rule(owed=st.booleans(), skip=st.booleans())
    def commits(self, owed: bool, skip: bool) -> None:
        self.feed(i.CommitRequested("manual", 1.0, skip, owed))

    @rule()
    def clears(self) -> None:
        self.feed(i.ClearRequested("api"))

    @rule()
    def presses_to_talk(self) -> None:
        self.feed(i.TalkPressed(self.now))

    @rule(send=st.booleans())
    def releases(self, send: bool) -> None:
        self.feed(i.CommitRequested("push_to_talk", 1.0) if send else i.ClearRequested("push_to_talk"))

    @rule()
    def gives_a_sign_of_life(self) -> None:
        self.feed(i.Activity())

    # --- the agent ---------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.current is None)
    @rule(interruptible=st.booleans())
    def a_speech_takes_the_floor(self, interruptible: bool) -> None:
        self.speeches += 1
        self.current, self.heard, self.interrupted = f"speech_{self.speeches}", False, False
        self.feed(i.ReplyScheduled())
        self.feed(i.FloorTaken(self.current, interruptible))

    @precondition(lambda self: self.current is not None and not self.heard and not self.interrupted)
    @rule()
    def it_is_heard(self) -> None:
        assert self.current is not None
        self.heard = True
        self.feed(i.PlayoutBegan(self.current))

    @precondition(lambda self: self.current is not None)
    @rule(busy=st.booleans())
    def it_was_heard(self, busy: bool) -> None:
        self.finish_speech(busy=busy)

    def finish_speech(self, *, busy: bool) -> None:
        assert self.current is not None
        self.feed(i.PlayoutEnded(self.current, busy and not self.interrupted))
        self.feed(i.FloorReleased(self.current, busy and not self.interrupted))
        self.current = None
        self.paused = False
        self.feed(i.NothingLeft())

    @precondition(lambda self: self.current is not None and not self.interrupted)
    @rule()
    def it_is_interrupted_from_outside(self) -> None:
        assert self.current is not None
        self.interrupted = True
        self.feed(i.SpeechInterrupted(self.current))

    @precondition(lambda self: self.current is not None and not self.interrupted)
    @rule(interruptible=st.booleans())
    def it_becomes_protected_or_not(self, interruptible: bool) -> None:
        assert self.current is not None
        self.feed(i.InterruptibleChanged(self.current, interruptible))

    # --- options -----------------------------------------------------------------------------------------------------

    @rule(
        detection=st.sampled_from(["vad", "vad", "vad", "stt", "manual"]),
        detector=st.booleans(),
        min_words=st.sampled_from([0, 0, 2]),
        has_vad=st.sampled_from([True, True, False]),
    )
    def options_change(self, detection: Any, detector: bool, min_words: int, has_vad: bool) -> None:
        s = self.machine.settings
        s.detection, s.has_detector, s.min_words, s.has_vad = detection, detector, min_words, has_vad

    @rule(
        judged=st.booleans(),
        boundary=st.sampled_from([(0.0, 0.0), (0.0, 1.0), (1.0, 1.0)]),
        dynamic=st.booleans(),
        max_words=st.sampled_from([None, 3]),
        max_seconds=st.sampled_from([None, 5.0]),
        transcription=st.sampled_from([None, 0.1, 4.0]),
        flush=st.booleans(),
    )
    def more_options_change(
        self,
        judged: bool,
        boundary: tuple[float, float],
        dynamic: bool,
        max_words: int | None,
        max_seconds: float | None,
        transcription: float | None,
        flush: bool,
    ) -> None:
        s = self.machine.settings
        s.judge, s.boundary, s.dynamic = WordsAndLength() if judged else None, boundary, dynamic
        s.max_words, s.max_seconds = max_words, max_seconds
        s.transcription_timeout, s.flush_at_silence = transcription, flush

    @precondition(lambda self: self.current is None)
    @rule(can_pause=st.booleans(), warmup=st.sampled_from([0.0, 1.0]))
    def device_changes(self, can_pause: bool, warmup: float) -> None:
        self.machine.settings.can_pause, self.machine.settings.aec_warmup = can_pause, warmup

    # --- what always holds -------------------------------------------------------------------------------------------

    @invariant()
    def paused_means_held(self) -> None:
        assert self.paused == (self.machine.floor is Floor.HELD)

    @invariant()
    def the_floor_has_a_holder_or_is_open(self) -> None:
        assert (self.machine.holder is None) == (self.machine.floor in (Floor.OPEN, Floor.CLOSED))
        assert self.machine.holder == self.current

    @invariant()
    def speaking_means_speaking(self) -> None:
        if self.machine.floor is Floor.SPEAKING:
            assert self.machine.agent_state == "speaking"

    @invariant()
    def only_live_timers_are_set(self) -> None:
        if self.machine.user is not UserTurn.ENDPOINTING:
            assert "endpointing" not in self.timers
        if self.machine.user is not UserTurn.COMMITTING:
            assert "transcript" not in self.timers
        if self.machine.floor is not Floor.HELD:
            assert "false_interruption" not in self.timers
        assert ("backchannel" in self.timers) == (self.machine.user is UserTurn.ASIDE)
        if self.machine.turn.text:
            assert "transcription" not in self.timers

    @invariant()
    def a_word_is_set_aside_only_while_the_agent_is_heard(self) -> None:
        if self.machine.user is UserTurn.ASIDE:
            assert is_backchannel(self.machine.turn.text)

    def teardown(self) -> None:
        """It comes to rest: silence, the speech's end, the answer that is owed, and time."""
        self.feed(i.VoiceEnded(self.now))
        if self.machine.user is UserTurn.TALKING:
            self.feed(i.ClearRequested("push_to_talk"))
        if self.asked:
            self.feed(i.Predicted(None, None))
        if self.machine.floor is Floor.HELD:
            self.pass_time(10.0)
        if self.current is not None:
            self.finish_speech(busy=False)
        self.pass_time(10.0)
        assert self.machine.floor is Floor.OPEN
        assert self.machine.agent_state == "listening"
        assert self.machine.user in (UserTurn.LISTENING, UserTurn.PAUSED), self.machine.user
        assert self.machine.user_state in ("listening", "away")
        if self.machine.user is UserTurn.LISTENING:
            assert self.gate_open
        self.feed(i.Closed())
        assert not self.timers
        assert self.machine.feed(i.VoiceStarted(0.0), self.now) == []
        assert self.machine.feed(i.FloorTaken("late", True), self.now) == []


TestTurnMachine = Machine.TestCase
TestTurnMachine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
