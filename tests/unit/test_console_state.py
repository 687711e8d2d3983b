"""What each event does to the console's state."""

from __future__ import annotations

import pytest

from agent_console.state import (
    AgentSaid,
    ConsoleState,
    Latency,
    Note,
    Rule,
    Seq,
    ToolCall,
    UserSaid,
    reduce,
    reduce_all,
)
from agent_console.state.heard import heard_length
from agent_console.state.model import LOG_LIMIT, PEAK_HOLD, VAD_HISTORY
from agent_console.state.reduce import REDUCERS
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent, Event, EventData
from tests.support.conversation import STORIES


class Tape:
    """Numbers events and feeds them to the state."""

    def __init__(self) -> None:
        self.state = ConsoleState()
        self._seq = 0

    def __call__(
        self, data: EventData, cause: str | None = None, *, turn: str | None = "t1", at: float = 0.0, session: str = "s"
    ) -> ConsoleState:
        self._seq += 1
        self.state = reduce(self.state, Event(self._seq, at, session, turn, cause, data))
        return self.state

    def entry(self, index: int = -1) -> object:
        return self.state.entries[index]


@pytest.fixture
def tape() -> Tape:
    return Tape()


def said(tape: Tape, index: int = -1) -> AgentSaid:
    entry = tape.entry(index)
    assert isinstance(entry, AgentSaid)
    return entry


def user(tape: Tape, index: int = -1) -> UserSaid:
    entry = tape.entry(index)
    assert isinstance(entry, UserSaid)
    return entry


# --- the user --------------------------------------------------------------------------------------------------------


def test_a_spoken_turn_shows_before_any_word(tape: Tape) -> None:
    tape(ev.TurnStarted(1), "speech")
    assert user(tape) == UserSaid("t1", 1, 0.0)


def test_interims_replace_each_other_and_finals_stay(tape: Tape) -> None:
    tape(ev.TurnStarted(1), "speech")
    tape(ev.UserTranscribed("what is", False))
    tape(ev.UserTranscribed("what is the", False))
    assert (user(tape).text, user(tape).interim) == ("", "what is the")
    tape(ev.UserTranscribed("What is the weather?", True))
    tape(ev.UserTranscribed("in", False))
    assert (user(tape).text, user(tape).interim) == ("What is the weather?", "in")
    tape(ev.UserTranscribed("In Oslo.", True))
    assert (user(tape).text, user(tape).interim) == ("What is the weather? In Oslo.", "")
    assert len(tape.state.entries) == 1


def test_the_committed_text_stands(tape: Tape) -> None:
    tape(ev.TurnStarted(3), "speech")
    tape(ev.UserTranscribed("hello ther", False))
    tape(ev.EndpointingStarted(0.5, 1.0, 0.8, 0.5), "min_delay")
    tape(ev.TurnCommitted("Hello there.", 0.5), "endpointing.min_delay")
    assert user(tape) == UserSaid("t1", 3, 0.0, "Hello there.", state="done", why="endpointing.min_delay")
    assert tape.state.endpointing is None


def test_a_typed_turn(tape: Tape) -> None:
    tape(ev.TurnStarted(1), "text")
    assert len(tape.state.entries) == 0
    tape(ev.TurnCommitted("typed", None), "text")
    assert (user(tape).text, user(tape).by, user(tape).state) == ("typed", "text", "done")


def test_a_transcript_without_a_turn_goes_to_the_open_one(tape: Tape) -> None:
    tape(ev.TurnStarted(1), "speech")
    tape(ev.UserTranscribed("late", False), turn=None)
    assert user(tape).interim == "late"


def test_a_discarded_turn_keeps_its_words(tape: Tape) -> None:
    tape(ev.TurnStarted(1), "push_to_talk")
    tape(ev.UserTranscribed("never mind", False))
    tape(ev.TurnDiscarded(""), "push_to_talk")
    assert (user(tape).text, user(tape).interim, user(tape).state) == ("never mind", "", "discarded")


def test_an_empty_discarded_turn_leaves_nothing(tape: Tape) -> None:
    tape(ev.TurnStarted(1), "speech")
    tape(ev.TurnDiscarded(""), "empty")
    assert len(tape.state.entries) == 0
    tape(ev.TurnDiscarded(""), "empty")


def test_the_agents_own_turn_has_no_user_entry(tape: Tape) -> None:
    tape(ev.TurnStarted(1), "say")
    assert (tape.state.turn_number, len(tape.state.entries)) == (1, 0)


# --- the agent -------------------------------------------------------------------------------------------------------


def speak(tape: Tape, text: str = "Light snow in Oslo.") -> None:
    for word in text.split():
        tape(ev.AgentText("sp1", "i1", word + " "))
    tape(ev.PlayoutStarted("sp1"))


def test_words_are_heard_one_by_one(tape: Tape) -> None:
    speak(tape)
    assert (said(tape).text, said(tape).heard, said(tape).state) == ("Light snow in Oslo. ", 0, "speaking")
    tape(ev.AgentHeard("sp1", "i1", "Light snow", 0.5))
    assert said(tape).text[: said(tape).heard] == "Light snow"
    tape(ev.AgentHeard("sp1", "i1", "Light", 0.4))
    assert said(tape).text[: said(tape).heard] == "Light snow"


def test_a_finished_message_was_heard_in_full(tape: Tape) -> None:
    speak(tape)
    tape(ev.AgentHeard("sp1", "i1", "Light", 0.2))
    tape(ev.PlayoutFinished("sp1", 2.0, False))
    assert (said(tape).heard, said(tape).state) == (len(said(tape).text), "done")


def test_an_interrupted_message_keeps_where_it_was_cut(tape: Tape) -> None:
    speak(tape)
    tape(ev.AgentHeard("sp1", "i1", "Light snow", 0.5))
    tape(ev.AgentInterrupted("sp1"), "voice")
    tape(ev.PlayoutFinished("sp1", 0.5, True))
    tape(ev.SpeechFinished("sp1", True))
    assert said(tape).text[: said(tape).heard] == "Light snow"
    assert (said(tape).state, said(tape).cut_by) == ("interrupted", "voice")
    assert tape.state.usage.interruptions == 1


def test_interrupted_after_the_end_changes_nothing(tape: Tape) -> None:
    speak(tape)
    tape(ev.SpeechFinished("sp1", False))
    tape(ev.AgentInterrupted("sp1"), "api")
    assert said(tape).state == "done"


def test_a_false_interruption_pauses_and_resumes(tape: Tape) -> None:
    speak(tape)
    tape(ev.PlayoutPaused("sp1", 0.4), "vad")
    assert said(tape).state == "paused"
    tape(ev.PlayoutResumed("sp1"))
    assert said(tape).state == "speaking"


def test_steps_of_one_speech_are_messages_of_their_own(tape: Tape) -> None:
    tape(ev.AgentText("sp1", "i1", "Let me look."))
    tape(ev.ToolStarted("c1", "get_weather", "{}"))
    tape(ev.AgentText("sp1", "i2", "Snow."))
    kinds = [type(entry) for entry in tape.state.entries]
    assert kinds == [AgentSaid, ToolCall, AgentSaid]


def test_speech_that_was_never_generated_as_text_shows_as_heard(tape: Tape) -> None:
    tape(ev.AgentHeard("sp1", "i1", "From a recording", 1.0))
    assert (said(tape).text, said(tape).heard) == ("From a recording", 16)


def test_events_of_unknown_speeches_are_harmless(tape: Tape) -> None:
    for data in (
        ev.PlayoutStarted("x"),
        ev.PlayoutPaused("x", 0.0),
        ev.PlayoutFinished("x", 0.0, False),
        ev.SpeechFinished("x", True),
        ev.AgentInterrupted("x"),
        ev.ToolFinished("x", "n", "", False, 0.1),
    ):
        tape(data)
    assert len(tape.state.entries) == 0


@pytest.mark.parametrize(
    ("text", "heard", "covered"),
    [
        ("Hello there, you.", "Hello there,", "Hello there,"),
        ("**Bold** move", "Bold", "**Bold**"),
        ("One\n\n- two", "One two", "One\n\n- two"),
        ("Hi", "", ""),
        ("Short", "Longer than that", "Short"),
        ("Über allem", "Über", "Über"),
    ],
)
def test_heard_length(text: str, heard: str, covered: str) -> None:
    assert text[: heard_length(text, heard)] == covered


# --- tools and latency -----------------------------------------------------------------------------------------------


def test_a_tool_call_runs_and_ends_where_it_stands(tape: Tape) -> None:
    tape(ev.ToolStarted("c1", "get_weather", '{"city": "Oslo"}'), at=1.0)
    assert tape.entry() == ToolCall("c1", "get_weather", '{"city": "Oslo"}', "t1", 1.0, "")
    for number in range(300):
        tape(ev.AgentText(f"s{number}", f"i{number}", "talk"))
    tape(ev.ToolFinished("c1", "get_weather", "snow", True, 0.4, "Traceback"))
    call = tape.entry(0)
    assert isinstance(call, ToolCall)
    assert (call.output, call.is_error, call.duration, call.details) == ("snow", True, 0.4, "Traceback")
    assert (tape.state.usage.tool_calls, tape.state.usage.tool_errors) == (1, 1)


def test_a_turns_latency_is_kept(tape: Tape) -> None:
    tape(ev.TurnStarted(7), "speech")
    part = ev.TurnPart("llm", 1.0, 1.5)
    tape(ev.TurnMeasured(1.0, 1.5, (part,)))
    assert tape.state.latencies.last == Latency("t1", 7, 1.0, 1.5, (part,))
    assert tape.state.latencies[0].total == 0.5


# --- instruments -----------------------------------------------------------------------------------------------------


def meter(peak: float, probability: float | None = 0.5, *, clipped: bool = False) -> ev.AudioMeter:
    return ev.AudioMeter(peak - 6, peak, -30.0, probability, 0.6, clipped)


def test_a_peak_is_held_and_then_falls(tape: Tape) -> None:
    tape(meter(-3.0), at=1.0)
    tape(meter(-20.0), at=1.5)
    assert (tape.state.meters.input_peak, tape.state.meters.held_peak) == (-20.0, -3.0)
    tape(meter(-25.0), at=1.0 + PEAK_HOLD + 0.1)
    assert tape.state.meters.held_peak == -25.0


def test_clipping_is_remembered(tape: Tape) -> None:
    tape(meter(0.0, clipped=True), at=2.0)
    tape(meter(-9.0), at=2.1)
    assert tape.state.meters.clipped_at == 2.0


def test_the_vad_strip_has_an_end(tape: Tape) -> None:
    for number in range(VAD_HISTORY + 50):
        tape(meter(-9.0, number / 1000))
    history = tape.state.meters.vad_history
    assert len(history) == VAD_HISTORY
    assert history[-1] == (VAD_HISTORY + 49) / 1000
    tape(meter(-9.0, None))
    assert tape.state.meters.vad_history is history


def test_the_countdown_starts_and_is_called_off(tape: Tape) -> None:
    tape(ev.EndpointingStarted(0.5, 2.5, 0.3, 0.5), "max_delay", at=2.0)
    countdown = tape.state.endpointing
    assert countdown is not None
    assert (countdown.deadline, countdown.probability, countdown.why) == (2.5, 0.3, "max_delay")
    tape(ev.EndpointingCancelled())
    assert tape.state.endpointing is None


def test_a_lost_device_has_a_banner_until_it_is_back(tape: Tape) -> None:
    tape(ev.DeviceChanged("input", "opened", "USB"))
    tape(ev.DeviceChanged("input", "lost", "USB"))
    assert tape.state.microphone.state == "lost"
    assert [banner.text for banner in tape.state.banners] == ["Microphone lost: USB"]
    tape(ev.DeviceChanged("input", "lost", "USB"))
    assert len(tape.state.banners) == 1
    tape(ev.DeviceChanged("input", "opened", "USB"))
    assert tape.state.banners == ()
    assert tape.entry() == Note("info", 0.0, "Microphone back: USB", turn_id="t1")


def test_a_missing_device_says_what_to_do(tape: Tape) -> None:
    tape(ev.DeviceChanged("output", "unavailable", "", problem="run this"))
    assert (tape.state.banners[0].text, tape.state.banners[0].hint) == ("No speaker", "run this")


def test_a_missing_microphone_and_speaker_are_one_banner(tape: Tape) -> None:
    tape(ev.DeviceChanged("input", "unavailable", "", problem="plug one in"))
    tape(ev.DeviceChanged("output", "unavailable", "", problem="plug one in"))
    (banner,) = tape.state.shown_banners
    assert (banner.text, banner.hint) == ("No microphone, no speaker", "plug one in")
    tape(ev.DeviceChanged("input", "opened", "USB"))
    assert [banner.text for banner in tape.state.shown_banners] == ["No speaker"]
    tape(ev.DeviceChanged("input", "lost", "USB", problem="plug one in"))
    assert [banner.text for banner in tape.state.shown_banners] == ["No speaker", "Microphone lost: USB"]


def test_recordings_in_the_users_own_folder_are_named_from_there(tape: Tape, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    tape(ev.RecordingChanged("started", "/home/ada/my recordings/one"))
    assert tape.entry() == Note("info", 0.0, "recording into ~/my recordings/one", turn_id="t1")
    tape(ev.TurnMarked(""))
    assert "agent-console test ~/'my recordings/one' --turn" in getattr(tape.entry(), "text", "")
    tape(ev.RecordingChanged("stopped", "/var/one"))
    assert tape.entry() == Note("info", 0.0, "recorded: /var/one", turn_id="t1")


def test_models_load_in_the_order_of_their_first_word(tape: Tape) -> None:
    tape(ev.ModelLoading("stt", "moonshine", 0.1))
    tape(ev.ModelLoading("llm", "smol", 0.2))
    tape(ev.ModelLoading("stt", "moonshine", 1.0))
    assert [(item.part, item.fraction) for item in tape.state.loading] == [("stt", 1.0), ("llm", 0.2)]
    tape(ev.ModelLoading("llm", "smol", 0.2, "run pip install x"))
    assert (tape.state.banners[0].text, tape.state.banners[0].hint) == ("smol can't be loaded", "run pip install x")
    tape(ev.ModelLoading("llm", "smol", 0.5))
    assert tape.state.banners == ()


def test_switches_and_counters(tape: Tape) -> None:
    tape(ev.InputMuted(True))
    tape(ev.PushToTalkChanged("pressed"))
    tape(ev.AudioDropped("input", 3))
    tape(ev.AudioDropped("output", 2))
    tape(ev.LLMStarted("s", "smol", 0))
    tape(ev.TTSStarted("s", "hibari"))
    tape(ev.LLMFinished("s", 10, 5, 1, 0.1, False))
    tape(ev.LLMFinished("s", 10, 5, 1, 0.1, False))
    tape(ev.TTSFinished("s", 40, 2.5, 0.1, False))
    state = tape.state
    assert (state.muted, state.push_to_talk, state.dropped_input, state.dropped_output) == (True, "pressed", 3, 2)
    assert (state.model, state.voice) == ("smol", "hibari")
    usage = state.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens) == (20, 10, 2)
    assert (usage.characters, usage.audio_seconds) == (40, 2.5)


# --- the workshop ----------------------------------------------------------------------------------------------------


def test_a_session_starts_and_ends(tape: Tape) -> None:
    tape(ev.SessionStarted("Weather", "local", 100.0, {}))
    assert (tape.state.started, tape.state.agent, tape.state.mode) == (True, "Weather", "local")
    tape(ev.SessionClosed("error", "no model"))
    assert tape.state.closed == "error"
    assert tape.state.banners[0].text == "Session closed: no model"
    assert isinstance(tape.entry(), Rule)


def test_a_handoff_is_a_rule_across(tape: Tape) -> None:
    tape(ev.AgentChanged(None, "A", "be A", ("x",)), "start")
    assert len(tape.state.entries) == 0
    tape(ev.AgentChanged("A", "B", "be B", ()), "handoff")
    rule = tape.entry()
    assert isinstance(rule, Rule)
    assert (rule.kind, rule.text) == ("handoff", "A hands over to B")
    assert (tape.state.agent, tape.state.instructions) == ("B", "be B")


@pytest.mark.parametrize(
    ("cause", "text"),
    [("task", "A waits for B"), ("task_completed", "A is complete: B goes on"), ("task_failed", "A failed: B goes on")],
)
def test_a_task_is_a_rule_across(tape: Tape, cause: str, text: str) -> None:
    tape(ev.AgentChanged("A", "B", "be B", ()), cause)
    rule = tape.entry()
    assert isinstance(rule, Rule)
    assert (rule.kind, rule.text) == ("handoff", text)


def test_a_failed_reload_is_named_until_one_works(tape: Tape) -> None:
    tape(ev.ReloadStarted(("a.py",)), "save")
    assert tape.state.reloading
    tape(ev.ReloadFailed("boom", "/x/a.py", 4, "Traceback …"))
    banner = tape.state.banners[0]
    assert (banner.text, banner.details, tape.state.reloading) == ("a.py:4: boom", "Traceback …", False)
    tape(ev.ReloadFinished("A", "--- a\n+++ b\n-x\n+y\n+z\n", 0.25))
    assert tape.state.banners == ()
    rule = tape.entry()
    assert isinstance(rule, Rule)
    assert rule.text == "reloaded A · +2 -1 · 0.25 s"


def test_code_that_never_ran_is_not_said_to_go_on(tape: Tape) -> None:
    tape(ev.ReloadFailed("boom", "/x/a.py", 4, ""))
    assert tape.state.banners[0].hint == "e shows why; it is tried again when you save"
    assert tape.entry().text == "not started · a.py:4"
    tape(ev.SessionStarted("a", "text", 0.0, {}))
    tape(ev.ReloadFailed("boom", "/x/a.py", 4, ""))
    assert tape.state.banners[0].hint == "e shows why; the old code goes on"
    assert tape.entry().text == "reload failed · a.py:4"


def test_what_a_file_asks_in_vain_is_noted_in_the_conversation(tape: Tape) -> None:
    tape(ev.LogWritten("warning", "agent_runtime.stand_ins", "no deepgram here"))
    note = tape.entry()
    assert isinstance(note, Note)
    assert (note.level, note.text) == ("warning", "no deepgram here")
    tape(ev.LogWritten("warning", "agent_runtime.elsewhere", "hm"))
    assert tape.entry() is note


def test_new_code_that_waits_is_shown_until_it_is_in_place(tape: Tape) -> None:
    tape(ev.ReloadStarted(("a.py",)), "save")
    tape(ev.ReloadPending("A", "speech", "-x\n+y"))
    banner = tape.state.banners[0]
    assert (banner.level, banner.text) == ("warning", "new code for A waits for the agent to finish speaking")
    tape(ev.ReloadFinished("A", "-x\n+y\n", 9.4, waited=9.2))
    assert tape.state.banners == ()
    rule = tape.entry()
    assert isinstance(rule, Rule)
    assert rule.text == "reloaded A · +1 -1 · 0.20 s and 9.20 s until the agent was ready"


def test_an_error_is_a_banner_a_note_and_a_log_line(tape: Tape) -> None:
    tape(ev.ErrorOccurred("llm", "refused", True, "details"))
    assert tape.state.banners[0].text == "llm: refused"
    assert tape.entry() == Note("error", 0.0, "llm: refused", "details", "t1")
    assert tape.state.logs[-1].message == "refused"
    tape(ev.ErrorOccurred("llm", "refused", True, "details"))
    assert (len(tape.state.entries), tape.state.errors, tape.state.logs[-1].count) == (1, 2, 2)
    tape(ev.AgentText("s", "i", "again"))
    tape(ev.PlayoutStarted("s"))
    assert tape.state.banners == ()


def test_what_was_given_up_does_not_end_the_session(tape: Tape) -> None:
    tape(ev.ErrorOccurred("llm", "the key is refused", False))
    assert tape.state.banners[0].hint == "given up; the conversation goes on"
    tape(ev.ErrorOccurred("runtime", "it crashed; quit and start again", False))
    assert tape.state.banners[0].hint == ""


def test_what_blocked_the_loop_is_named(tape: Tape) -> None:
    tape(ev.LoopBlocked(1.5, "/x/agent.py", 12, "stack"))
    note = tape.entry()
    assert isinstance(note, Note)
    assert note.text.startswith("agent.py:12 blocked the agent for 1.5 s")


def test_a_blocked_loop_is_told_while_it_lasts_and_a_short_one_only_in_the_log(tape: Tape) -> None:
    tape(ev.LoopStalled(0.08, "/x/agent.py", 12, "stack"))
    (banner,) = tape.state.banners
    assert (banner.text, banner.details) == ("agent.py:12 blocks the agent", "stack")
    assert tape.state.health.stall is not None
    tape(ev.LoopBlocked(0.1, "/x/agent.py", 12, "stack"))
    assert tape.state.banners == ()
    assert tape.state.health.stall is None
    assert tape.state.health.blocks[-1].stack == "stack"
    assert not tape.state.entries
    assert tape.state.logs[-1].message == "agent.py:12 blocked the agent for 0.1 s"


def test_a_line_that_isnt_the_agents_own_blocks_without_a_note_among_what_was_said(tape: Tape) -> None:
    tape(ev.LoopStalled(0.3, "/venv/lib/python3.11/site-packages/rtc/_ffi.py", 12, "stack"))
    assert tape.state.banners[0].hint == "it isn't the agent's own code; e shows it"
    tape(ev.LoopBlocked(1.5, "/venv/lib/python3.11/site-packages/rtc/_ffi.py", 12, "stack"))
    assert not tape.state.entries
    assert tape.state.logs[-1].message == "_ffi.py:12 blocked the agent for 1.5 s"


def test_the_log_has_an_end(tape: Tape) -> None:
    for number in range(LOG_LIMIT + 1_000):
        tape(ev.LogWritten("info", "x", str(number)))
    assert LOG_LIMIT <= len(tape.state.logs) < LOG_LIMIT + 200
    assert tape.state.logs[-1].message == str(LOG_LIMIT + 999)


def test_the_same_line_of_the_log_again_and_again_is_one_line_with_a_count(tape: Tape) -> None:
    for at in (1.0, 2.0, 3.0):
        tape(ev.LogWritten("warning", "lib", "underrun"), at=at)
    tape(ev.LogWritten("error", "lib", "underrun"), at=4.0)
    tape(ev.LogWritten("warning", "lib", "underrun"), at=5.0)
    assert [(line.time, line.level, line.count) for line in tape.state.logs] == [
        (3.0, "warning", 3),
        (4.0, "error", 1),
        (5.0, "warning", 1),
    ]


def test_states_follow(tape: Tape) -> None:
    tape(ev.UserStateChanged("listening", "speaking", 0.0))
    tape(ev.AgentStateChanged("listening", "thinking"))
    assert (tape.state.user_state, tape.state.agent_state) == ("speaking", "thinking")


def test_another_session_brings_its_own_time(tape: Tape) -> None:
    tape(ev.ModelLoading("llm", "smol", 0.1), at=9.0, session="host")
    tape(ev.InputMuted(False), at=0.2, session="session")
    assert (tape.state.now, tape.state.session_id) == (0.2, "session")
    tape(ev.InputMuted(False), at=0.1, session="session")
    assert tape.state.now == 0.2


# --- purity ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("story", STORIES)
def test_replaying_gives_the_same_state(story: str) -> None:
    events: list[AnyEvent] = STORIES[story]().events
    half = reduce_all(ConsoleState(), events[: len(events) // 2])
    once = reduce_all(half, events[len(events) // 2 :])
    assert once == reduce_all(ConsoleState(), events)
    assert half == reduce_all(ConsoleState(), events[: len(events) // 2])


def test_an_unknown_kind_moves_only_the_time_and_is_kept() -> None:
    event: AnyEvent = Event(4, 2.0, "", None, None, object())  # type: ignore[arg-type]
    kept = ConsoleState(seq=4, now=2.0, events=Seq.of([event]), event_count=1)
    assert reduce(ConsoleState(), event) == kept


def test_every_reducer_s_event_is_one_that_exists() -> None:
    assert all(getattr(ev, kind.__name__) is kind for kind in REDUCERS)


def test_the_entries_share_their_past() -> None:
    events = STORIES["interrupted"]().events
    before = reduce_all(ConsoleState(), events)
    after = reduce(before, Event(10_000, 99.0, "session-1", "new", None, ev.AgentText("new", "new", "x")))
    assert after.entries.first_difference(before.entries) == len(before.entries)
    assert isinstance(after.entries, Seq)


# --- what is told of calls in the background, and of speech that brought nothing ----------------------------------


def call_of(tape: Tape) -> ToolCall:
    (call,) = [entry for entry in tape.state.entries if isinstance(entry, ToolCall)]
    return call


def test_a_call_keeps_what_it_told_and_what_became_of_its_reply(tape: Tape) -> None:
    tape(ev.ToolStarted("c1", "book", "{}"))
    tape(ev.ToolUpdated("c1", "c1", "book", "asking the hotel"))
    tape(ev.ToolUpdated("c1_update_1", "c1", "book", "half way"))
    assert call_of(tape).updates == ("asking the hotel", "half way")
    tape(ev.ToolFinished("c1", "book", "booked", False, 2.0, stand_in="delay"))
    assert call_of(tape).stand_in == "delay"
    for status in ("scheduled", "completed"):
        tape(ev.ToolReplyUpdated(("c1_final",), status, "s"))  # type: ignore[arg-type]
        assert call_of(tape).reply == status
    assert call_of(tape).output == "booked"


def test_a_reply_finds_its_call_by_the_whole_id(tape: Tape) -> None:
    tape(ev.ToolStarted("call_12", "two", "{}"))
    tape(ev.ToolStarted("call_1", "one", "{}"))
    tape(ev.ToolReplyUpdated(("call_12_final",), "skipped", "s"))
    tape(ev.ToolReplyUpdated(("call_9",), "skipped", "s"))
    assert [call.reply for call in tape.state.entries if isinstance(call, ToolCall)] == ["skipped", ""]
    tape(ev.ToolUpdated("x", "unknown", "one", "nothing"))
    assert not any(call.updates for call in tape.state.entries if isinstance(call, ToolCall))


def test_speech_without_words_and_a_turn_that_is_too_long_are_notes(tape: Tape) -> None:
    tape(ev.TranscriptionTimedOut(1.2, 0.5))
    tape(ev.UserTurnExceeded("…", 52, 12.0), "max_words")
    unheard, exceeded = tape.state.entries
    assert isinstance(unheard, Note)
    assert isinstance(exceeded, Note)
    assert (unheard.level, exceeded.level) == ("warning", "info")
    assert "1.20 s of speech brought no words" in unheard.text
    assert "52 words" in exceeded.text
    assert "max_words" in exceeded.text
