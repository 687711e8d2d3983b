"""The user's half of the turn machine: the guards and steps that the table `USER` names."""

from __future__ import annotations

from typing import Final

from agent_runtime.voice import turn_inputs as i
from agent_runtime.voice.turn_memory import Floor, OpenTurn, Talk, TurnMemory, Untranscribed
from agent_runtime.voice.words import count_words

SURE_SILENCE: Final = 0.45
"""Seconds of silence after which a recogniser is told to finish. At pauses of 0.3 s the bundled one lost words."""


class UserHalf(TurnMemory):
    """See the module. `event` is always the input of the row that names the method."""

    # --- guards ------------------------------------------------------------------------------------------------------

    def has_text(self, event: i.Interim | i.Final) -> bool:
        """Anything was recognised."""
        return bool(event.text)

    def nothing_to_decide(self, event: object) -> bool:
        """A recogniser is there and gave no final yet."""
        return self.settings.has_stt and not self.turn.text

    def detector_is_asked(self, event: object) -> bool:
        """There is a turn detector, and text for it to judge."""
        return self.settings.has_detector and bool(self.turn.text)

    def ends_by_silence(self, event: object) -> bool:
        """Turn detection is by silence, with or without a detector."""
        return self.settings.detection == "vad"

    def ends_by_recognizer(self, event: object) -> bool:
        """Turn detection is the recogniser's."""
        return self.settings.detection == "stt"

    def has_text_and_ends_by_silence(self, event: i.Final) -> bool:
        """Text came, and silence decides."""
        return bool(event.text) and self.settings.detection == "vad"

    def deadline_with_too_few_words(self, event: i.TimerFired) -> bool:
        """The deadline came, and what was said is too short to interrupt the speech that has the floor."""
        s = self.settings
        if event.name != "endpointing" or not s.has_stt or s.min_words == 0:
            return False
        if self.holder is None or not self.interruptible or self.floor is Floor.YIELDING:
            return False
        return count_words(self.turn.text) < s.min_words

    def deadline_over_backchannel(self, event: i.TimerFired) -> bool:
        """The deadline came, and what was said over the agent's speech is a listener's word."""
        if event.name != "endpointing" or self.overlap is None or not self.turn.text:
            return False
        return self.floor in (Floor.SPEAKING, Floor.HELD) and not self.wants_floor()

    def transcript_is_complete(self, event: i.CommitRequested) -> bool:
        """Nothing is owed, or a final came just now and nothing after it."""
        turn = self.turn
        recent = turn.final_at is not None and self.now - turn.final_at <= 0.5 and not turn.interim
        return bool(turn.transcript) and (recent or not event.expect_final)

    def model_heard(self, event: object) -> bool:
        """A realtime model heard what was said."""
        return self.settings.model_hears

    def turn_is_open(self, event: object) -> bool:
        """The user said something that isn't answered yet."""
        return self.turn.open

    def recognizer_owes(self, event: i.CommitRequested) -> bool:
        """The recogniser may still tell something."""
        return event.expect_final

    def transcript_is_late(self, event: i.TimerFired) -> bool:
        """Waiting for the final was long enough, and what is there will do."""
        return event.name == "transcript" and bool(self.turn.transcript)

    def session_closes(self, event: i.CommitRequested) -> bool:
        """It isn't the user who is done, but the session."""
        return event.cause == "close"

    def something_was_said(self, event: object) -> bool:
        """There is a transcript, even if it may still change."""
        return bool(self.turn.transcript)

    def words_cut_what_was_not_heard(self, event: i.SpeechInterrupted) -> bool:
        """Words that came just now stopped a reply before it was heard: what they answer is known."""
        unheard = event.speech_id == self.holder and self.floor is Floor.REPLYING
        return unheard and self.settings.detection == "vad" and self.turn.final_at == self.now

    # --- steps: voice ------------------------------------------------------------------------------------------------

    def open_turn(self, event: object) -> None:
        """Begin a turn, unless one is open."""
        if not self.turn.open:
            self.turn = OpenTurn(open=True)
            self.act(i.OpenTurn("push_to_talk" if isinstance(event, i.TalkPressed) else "speech"))

    def hear_voice(self, event: i.VoiceStarted | i.RecognizerStarted) -> None:
        """The user speaks: the turn goes on, and no reply may begin."""
        self.note_voice_start(event)
        self.wait.user_starts(event.at)
        self.begin_overlap(event.at)
        self.set_user_state("speaking", event.at, "vad" if isinstance(event, i.VoiceStarted) else "stt")
        self.stop_waiting(event)
        if self.settings.detection not in ("manual", "realtime_llm"):
            self.act(i.CloseGate())

    def note_voice_start(self, event: i.VoiceStarted | i.RecognizerStarted | i.TalkPressed) -> None:
        """Keep when the turn began, and its voice."""
        if self.turn.started_at is None:
            self.turn.started_at = event.at
        if isinstance(event, i.VoiceStarted) and self.voice_since is None:
            self.voice_since = event.at
            self.cancel_timer("transcription")

    def note_voice_end(self, event: i.VoiceEnded) -> None:
        """Keep when voice was last heard."""
        self.turn.ended_at = event.at
        self._expect_words(event.at)

    def _expect_words(self, silent_since: float) -> None:
        since, self.voice_since = self.voice_since, None
        s = self.settings
        if since is None or self.turn.text:
            return
        if self.untranscribed is None:
            self.untranscribed = Untranscribed(since)
        self.untranscribed.seconds += max(0.0, silent_since - since)
        if s.transcription_timeout is not None and s.has_stt:
            self.set_timer("transcription", max(self.now, silent_since + s.transcription_timeout))

    def follow_voice(self, event: i.VoiceWindow) -> None:
        """Keep when voice was last heard; let a waiting reply begin after a noise."""
        self.turn.ended_at = self.now - event.silence
        # Silence for half of the shortest wait, and not a word recognised: a noise need not hold a reply up.
        if event.silence > self.wait.delay / 2 and not self.turn.transcript:
            self.act(i.OpenGate())

    def watch_length(self, event: i.VoiceWindow) -> None:
        """Tell if a turn takes longer than it may, whether or not its words are known yet."""
        longest = self.settings.max_seconds
        if longest is None or event.silence > 0.0 or self.agent_state == "speaking":
            return
        seconds = self.now - self._talking_since()
        if seconds >= longest:
            said = f"{self.talk.text} {self.turn.interim}".strip()
            self._exceeded(said, count_words(said), seconds, "max_duration")

    def lose_voice(self, event: i.VoiceEnded) -> None:
        """The user fell silent."""
        self.note_voice_end(event)
        self.set_user_state("listening", event.at, "vad")
        self._learn_wait(event.at)
        if not self.turn.transcript:
            self.act(i.OpenGate())
        sure = self.now - event.at >= SURE_SILENCE
        if sure and self.settings.flush_at_silence and self.transcript_is_owed:
            self.act(i.FlushRecognizer())

    @property
    def transcript_is_owed(self) -> bool:
        """Whether voice was heard or words came that no final covers yet."""
        turn = self.turn
        heard = turn.ended_at if turn.ended_at is not None else turn.started_at
        if turn.interim or (turn.open and self.user_state == "speaking"):
            return True
        return heard is not None and (turn.final_at is None or turn.final_at < heard)

    def _learn_wait(self, silent_since: float) -> None:
        overlap = self.overlap
        lesson = self.wait.user_ends(silent_since, meant=None if overlap is None else self.wants_floor())
        if lesson is not None:
            self.act(i.TellLesson(self.wait.delay, lesson))

    def user_is_silent(self, event: i.VoiceEnded) -> None:
        """The user fell silent, and no turn is at stake."""
        self.voice_since = None
        self.set_user_state("listening", event.at, "vad")
        self._learn_wait(event.at)
        self.act(i.OpenGate())

    def recognizer_ends(self, event: i.RecognizerEnded) -> None:
        """The recogniser says that the turn is over."""
        self.turn.ended_at = event.at
        self.set_user_state("listening", event.at, "stt")
        if not self.settings.has_vad:
            self._learn_wait(event.at)

    # --- steps: text -------------------------------------------------------------------------------------------------

    def take_interim(self, event: i.Interim) -> None:
        """Keep what may still change; a preflight begins a reply, and words beyond it drop that reply."""
        self.turn.interim = event.text
        heard = self.turn.transcript
        self._note_words(event.text, final=False)
        if event.preflight and event.text:
            self.turn.preflight = heard
            self._begin_early(heard, event.confidence)
        elif self.turn.preflight and event.text and self.turn.preflight != heard:
            self.turn.preflight = ""
            self.act(i.CancelPreemptive())

    def take_final(self, event: i.Final) -> None:
        """Keep it, and begin a reply to what is known so far."""
        turn, known = self.turn, self.turn.preflight
        turn.text = f"{turn.text} {event.text}".strip()
        turn.interim = turn.preflight = ""
        turn.confidences.append(event.confidence)
        turn.final_at = self.now
        self._forget_untranscribed()
        self._note_words(event.text, final=True)
        if not self.settings.has_vad or turn.ended_at is None:
            turn.ended_at = min(event.ended_at, self.now) if event.ended_at is not None else self.now
        if turn.text != known and self.settings.detection == "vad":
            self._begin_early(turn.text, turn.confidence)

    def _forget_untranscribed(self) -> None:
        self.untranscribed = None
        self.cancel_timer("transcription")

    def _note_words(self, text: str, *, final: bool) -> None:
        if self.overlap is None and not self.settings.has_vad:
            self.begin_overlap(self.turn.started_at if self.turn.started_at is not None else self.now)
        s, talk = self.settings, self.talk
        if not text or (s.max_words is None and s.max_seconds is None):
            return
        if talk.started_at is None:
            talk.started_at = self._talking_since()
        words, said = talk.words + count_words(text), f"{talk.text} {text}".strip()
        seconds = self.now - talk.started_at
        if s.max_words is not None and words >= s.max_words:
            self._exceeded(said, words, seconds, "max_words")
        elif s.max_seconds is not None and seconds >= s.max_seconds:
            self._exceeded(said, words, seconds, "max_duration")
        if final:
            talk.words, talk.text, talk.told = words, said, False

    def _exceeded(self, said: str, words: int, seconds: float, cause: i.LimitCause) -> None:
        if not self.talk.told:
            self.act(i.TellExceeded(self.turn.transcript, said, words, seconds, cause))
            self.talk.told = True

    def _talking_since(self) -> float:
        began = self.turn.started_at if self.turn.started_at is not None else self.now
        return max(began, self.talk.heard_until)

    def answer_early(self, event: i.SpeechInterrupted) -> None:
        """Begin a reply to what is known so far."""
        self._begin_early(self.turn.text, self.turn.confidence, floor_is_free=True)

    def _begin_early(self, text: str, confidence: float, *, floor_is_free: bool = False) -> None:
        s, turn = self.settings, self.turn
        if not s.preemptive or s.detection == "manual":
            return
        if self.holder is not None and self.floor is not Floor.YIELDING and not floor_is_free:
            return
        if turn.started_at is not None and self.now - turn.started_at > s.preemptive_max_speech:
            self.act(i.CancelPreemptive())
        elif turn.preemptive_attempts < s.preemptive_max_retries:
            turn.preemptive_attempts += 1
            self.act(i.StartPreemptive(text, confidence))

    # --- steps: deciding ---------------------------------------------------------------------------------------------

    def stop_waiting(self, event: object) -> None:
        """The deadline doesn't hold any more."""
        self.turn.deadline = None
        self.cancel_timer("backchannel")
        if self.cancel_timer("endpointing"):
            self.act(i.StopWaiting())

    def settle(self, event: object) -> None:
        """See whether there is something to decide on."""
        self.raise_(i.Settle())

    def ask_detector(self, event: object) -> None:
        """Ask the turn detector."""
        self.act(i.Predict(self.turn.text))

    def skip_detector(self, event: object) -> None:
        """Go on as if a detector had no opinion."""
        self.raise_(i.Predicted(None, None))

    def set_deadline(self, event: i.Predicted) -> None:
        """The turn ends so and so long after the last voiced frame; at once, if that is past."""
        s, turn = self.settings, self.turn
        probability, threshold = event.probability, event.threshold
        turn.delayed = probability is not None and threshold is not None and probability < threshold
        delay = s.max_delay if turn.delayed else self.wait.delay
        turn.deadline = (turn.ended_at if turn.ended_at is not None else self.now) + delay
        cause: i.WaitCause = "max_delay" if turn.delayed else "min_delay"
        self.act(i.WaitForEnd(delay, turn.deadline, cause, probability, threshold))
        if turn.deadline <= self.now:
            self.raise_(i.TimerFired("endpointing"))
        else:
            self.set_timer("endpointing", turn.deadline)

    def commit(self, event: object) -> None:
        """The turn is over: have it answered."""
        turn, asked = self.turn, self.turn.commit
        self.cancel_timer("transcript")
        self._forget_untranscribed()
        text = turn.transcript if asked is not None else turn.text
        skip = asked is not None and asked.skip_reply
        times = (turn.started_at, turn.ended_at, turn.final_at, turn.deadline)
        self.act(i.CommitTurn(text, turn.confidence, *times, self._commit_cause(), skip))
        self.turn = OpenTurn()
        self.act(i.OpenGate())
        self.raise_(i.TurnEnded(reply=not skip))

    def _commit_cause(self) -> i.CommitCause:
        if self.turn.commit is not None:
            return self.turn.commit.cause
        if self.settings.detection in ("stt", "realtime_llm"):
            return self.settings.detection
        return "endpointing.max_delay" if self.turn.delayed else "endpointing.min_delay"

    def drop_decision(self, event: object) -> None:
        """There is nothing to decide, or what was said isn't enough: the turn stays open.

        A reply that was begun on words whose final is still to come goes on.
        """
        if not self.turn.preflight:
            self.act(i.CancelPreemptive())
        if not self.turn.transcript:
            self.act(i.OpenGate())
        self.raise_(i.TurnDropped())

    def open_gate(self, event: object) -> None:
        """What was said holds no reply up."""
        self.act(i.OpenGate())

    def set_aside(self, event: object) -> None:
        """It is no turn, unless the agent falls silent within the boundary after it."""
        self.tell_overlap(False)
        ended = self.turn.ended_at if self.turn.ended_at is not None else self.now
        until = ended + self.settings.boundary[1]
        self.raise_(i.TurnDropped())
        if until > self.now:
            self.set_timer("backchannel", until)
        else:
            self.raise_(i.TimerFired("backchannel"))

    def forget_backchannel(self, event: object) -> None:
        """The agent speaks on: it was no turn."""
        self._discard("backchannel")

    # --- steps: by hand ----------------------------------------------------------------------------------------------

    def press_talk(self, event: i.TalkPressed) -> None:
        """Push-to-talk is down."""
        self.note_voice_start(event)
        self.stop_waiting(event)
        self.cancel_timer("transcript")
        self.set_user_state("speaking", event.at, "push_to_talk")

    def begin_commit(self, event: i.CommitRequested) -> None:
        """The turn is over, says somebody."""
        self.stop_waiting(event)
        self.turn.commit = event
        if event.cause == "push_to_talk":
            self.set_user_state("listening", self.now, "push_to_talk")

    def await_transcript(self, event: i.CommitRequested) -> None:
        """Have the recogniser finish, and wait for it only so long."""
        deadline = self.now + event.transcript_timeout
        self.act(i.WaitForEnd(event.transcript_timeout, deadline, "manual", None, None))
        self.set_timer("transcript", deadline)
        self.act(i.FlushRecognizer(event.silence))

    def hurry(self, event: i.CommitRequested) -> None:
        """Wait for the transcript no longer than this event says."""
        self.set_timer("transcript", self.now + event.transcript_timeout)

    def forget_recognizer(self, event: object) -> None:
        """What the recogniser still owes belongs to the turn that is over."""
        self.act(i.ResetRecognizer())

    def discard_empty(self, event: object) -> None:
        """Forget the turn: nothing was said."""
        self._discard("empty")

    def clear_turn(self, event: i.ClearRequested) -> None:
        """Forget what was said, says somebody."""
        if event.cause == "push_to_talk":
            self.set_user_state("listening", self.now, "push_to_talk")
        self._forget_untranscribed()
        self.talk = Talk()
        self._discard(event.cause)
        self.act(i.ResetRecognizer())

    def _discard(self, cause: i.DiscardCause) -> None:
        self.stop_waiting(None)
        self.cancel_timer("transcript")
        if self.turn.open:
            self.act(i.DiscardTurn(self.turn.transcript, cause))
        self.turn = OpenTurn()
        self.act(i.CancelPreemptive())
        self.act(i.OpenGate())
        self.raise_(i.TurnDropped())

    # --- steps: presence, end ----------------------------------------------------------------------------------------

    def user_left(self, event: object) -> None:
        """The user is away: nobody said anything for long."""
        self.set_user_state("away", self.now, "away_timer")

    def user_is_there(self, event: object) -> None:
        """The user is there, and their silence counts from now."""
        if self.user_state == "away":
            self.set_user_state("listening", self.now, "away_timer")
        else:
            self.watch_presence()

    def note_calls(self, event: i.CallsRunOn) -> None:
        """While tools work in the background the user waits, and isn't away."""
        self.calls_run_on = event.running
        self.watch_presence()

    def tell_untranscribed(self, event: object) -> None:
        """Tell that speech brought no words in time."""
        assert self.untranscribed is not None, "the timer is called off with it"
        self.act(i.TellUntranscribed(self.untranscribed.seconds, self.untranscribed.since))

    def close_user(self, event: object) -> None:
        """The session ends."""
        self.cancel_all_timers()
        self.act(i.CancelPreemptive())
