"""Conversations as lists of events: what a session would have emitted, told by a script with a clock of its own.

`python -m tests.support.conversation` writes the stories to `tests/console/recordings` as JSON lines.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

from agent_runtime import events as ev
from agent_runtime.events import AnyEvent, Event, EventData, TurnPart, codec

INSTRUCTIONS = (
    "You are a friendly weather assistant. Answer in one or two short sentences, in plain spoken English. "
    "Look the weather up with get_weather before you say anything about it."
)
TOOLS = ("get_weather", "get_forecast", "find_city")


Spans: TypeAlias = Sequence[tuple[str, float, str | None]]
"""Parts of a turn's wait: name, seconds, and what was waited for."""
SPANS: Spans = (
    ("transcription", 0.212, "moonshine-tiny"),
    ("endpointing", 0.288, "endpointing.min_delay"),
    ("hook", 0.004, "on_user_turn_completed"),
    ("llm", 0.141, "SmolLM2-135M"),
    ("llm_sentence", 0.062, None),
    ("tts", 0.087, "hibari"),
    ("playout", 0.031, None),
)


class Script:
    """Writes events one after the other; `wait` moves its clock."""

    def __init__(self, *, session_id: str = "session-1", meters: bool = True) -> None:
        self.events: list[AnyEvent] = []
        self.now = 0.0
        self.turn: str | None = None
        self._number = 0
        self._speeches = 0
        self._session_id = session_id
        self._meters = meters

    def emit(self, data: EventData, cause: str | None = None, *, turn: str | None = None) -> None:
        """Something happens now, in the current turn unless another is given."""
        event = Event(len(self.events) + 1, round(self.now, 4), self._session_id, turn or self.turn, cause, data)
        self.events.append(event)

    def wait(self, seconds: float, *, mic: float = -52.0, vad: float = 0.03, out: float = -120.0) -> None:
        """Time passes, with the meters moving every 32 ms as they would at these levels."""
        end = self.now + seconds
        while self._meters and self.now + 0.032 <= end:
            self.now += 0.032
            wave = math.sin(self.now * 9.0) * 0.6 + math.sin(self.now * 23.0) * 0.4
            level = mic + 7.0 * wave if mic > -50 else mic + 2.0 * wave
            probability = min(1.0, max(0.0, vad + 0.12 * wave if vad > 0.3 else vad + 0.02 * wave))
            heard = out + 6.0 * wave if out > -100 else -120.0
            self.emit(ev.AudioMeter(round(level, 1), round(level + 9, 1), round(heard, 1), round(probability, 3), 0.5))
        self.now = end

    # --- scenes ----------------------------------------------------------------------------------------------------

    def open(self, *, mode: str = "local", agent: str = "WeatherAgent", microphone: bool = True) -> Script:
        """The session starts: devices, agent, and models that are all there."""
        self.emit(ev.SessionStarted(agent, mode, 1_790_000_000.0, {}))  # type: ignore[arg-type]
        self.emit(ev.AgentChanged(None, agent, INSTRUCTIONS, TOOLS), "start")
        if microphone:
            self.emit(ev.DeviceChanged("input", "opened", "MacBook Pro Microphone", 48000, 1))
        else:
            self.emit(ev.DeviceChanged("input", "unavailable", "", problem="apt-get install libportaudio2"))
        self.emit(ev.DeviceChanged("output", "opened", "MacBook Pro Speakers", 48000, 2))
        return self

    def load_models(self, *fractions: float) -> Script:
        """Models as far on their way as given: vad, stt, llm, tts."""
        names = (("vad", "silero"), ("stt", "moonshine-tiny"), ("llm", "SmolLM2-135M"), ("tts", "hibari"))
        for (part, name), fraction in zip(names, fractions, strict=False):
            self.emit(ev.ModelLoading(part, name, fraction))  # type: ignore[arg-type]
        return self

    def ready(self) -> Script:
        """All models are loaded; the agent listens."""
        self.load_models(1.0, 1.0, 1.0, 1.0)
        self.emit(ev.AgentStateChanged("initializing", "listening"), "start")
        return self

    def begin_turn(self, cause: str = "speech") -> None:
        """A new turn."""
        self._number += 1
        self.turn = f"turn-{self._number}"
        self.emit(ev.TurnStarted(self._number), cause)

    def user_says(self, text: str, *, pace: float = 0.28, probability: float = 0.83) -> Script:
        """Speech with an interim for every other word, a final, and the countdown that ends the turn."""
        self.begin_turn()
        self.emit(ev.UserStateChanged("listening", "speaking", self.now - 0.05), "vad")
        words = text.split()
        for count in range(1, len(words) + 1):
            self.wait(pace, mic=-22.0, vad=0.93)
            if count % 2 == 0 and count < len(words):
                self.emit(ev.UserTranscribed(" ".join(words[:count]), is_final=False))
        self.stop_speaking(probability=probability)
        self.emit(ev.UserTranscribed(text, is_final=True))
        return self

    def stop_speaking(self, *, delay: float = 0.5, probability: float = 0.83) -> None:
        """Silence; the end of the turn is near."""
        self.wait(0.15, vad=0.2)
        self.emit(ev.UserStateChanged("speaking", "listening", self.now - 0.15), "vad")
        cause = "min_delay" if probability >= 0.5 else "max_delay"
        self.emit(ev.EndpointingStarted(delay, self.now - 0.15 + delay, probability, 0.5), cause)

    def commit(self, text: str, *, cause: str = "endpointing.min_delay") -> None:
        """The turn ends; the agent thinks."""
        self.wait(0.35)
        spoken = cause != "text"
        self.emit(ev.TurnCommitted(text, self.now - 0.5 if spoken else None), cause)
        self.emit(ev.AgentStateChanged("listening", "thinking"), "turn_committed")

    def user_types(self, text: str) -> Script:
        """A turn by text."""
        self.begin_turn("text")
        self.emit(ev.TurnCommitted(text, None), "text")
        self.emit(ev.AgentStateChanged("listening", "thinking"), "turn_committed")
        return self

    def calls(
        self, name: str, arguments: dict[str, object], output: str, *, took: float = 0.412, error: bool = False
    ) -> Script:
        """A tool call from start to end."""
        call_id = f"call-{len(self.events)}"
        self.emit(ev.ToolStarted(call_id, name, json.dumps(arguments)))
        self.wait(took)
        details = (
            'Traceback (most recent call last):\n  File "weather_agent.py", line 41, in get_weather\n' if error else ""
        )
        self.emit(ev.ToolFinished(call_id, name, output, error, took, details))
        return self

    def starts_tool(self, name: str, arguments: dict[str, object]) -> None:
        """A tool call that is still running."""
        self.emit(ev.ToolStarted(f"call-{len(self.events)}", name, json.dumps(arguments)))

    def answers(
        self, text: str, *, heard: float = 1.0, cut_by: str | None = None, measure: bool = True, spans: Spans = SPANS
    ) -> Script:
        """The agent's speech: generated at once, heard word by word up to the share `heard`."""
        speech, item = self._begin_speech(text, spans if measure else ())
        words = text.split()
        audible = round(len(words) * heard)
        for count in range(1, audible + 1):
            self.wait(0.26, out=-20.0)
            self.emit(ev.AgentHeard(speech, item, " ".join(words[:count]), count * 0.26))
        if cut_by is not None:
            self.emit(ev.AgentInterrupted(speech), cut_by)
        if heard >= 1.0 or cut_by is not None:
            cut = cut_by is not None
            self.emit(ev.PlayoutFinished(speech, audible * 0.26, cut))
            self.emit(ev.SpeechFinished(speech, cut))
            self.emit(ev.AgentStateChanged("speaking", "listening"), "interrupted" if cut else "playout_finished")
        return self

    def _begin_speech(self, text: str, spans: Spans) -> tuple[str, str]:
        self._speeches += 1
        speech, item = f"speech-{self._speeches}", f"item-{self._speeches}"
        self.emit(ev.SpeechCreated(speech, "generate_reply", False, 5))
        self.emit(ev.LLMStarted(speech, "SmolLM2-135M", 0), "turn")
        self.wait(0.14)
        self.emit(ev.LLMFirstToken(speech, 0.14))
        for word in text.split():
            self.emit(ev.AgentText(speech, item, word + " "))
        self.emit(ev.LLMFinished(speech, 412, len(text.split()), 0, 0.3, False))
        self.emit(ev.TTSStarted(speech, "hibari heart"))
        self.wait(0.09)
        self.emit(ev.TTSFirstByte(speech, 0.09))
        self.emit(ev.TTSFinished(speech, len(text), len(text) * 0.06, 0.2, False))
        self.wait(0.03, out=-24.0)
        self.emit(ev.PlayoutStarted(speech))
        self.emit(ev.AgentStateChanged("thinking", "speaking"), "playout")
        if spans:
            self.measure(spans)
        return speech, item

    def measure(self, spans: Spans = SPANS) -> None:
        """Parts of plausible length that follow each other up to now."""
        start = at = self.now - sum(seconds for _, seconds, _ in spans) - 0.01 * (self._number % 3)
        parts = []
        for name, seconds, setting in spans:
            end = at + seconds + (0.01 * (self._number % 3) if name == "llm" else 0.0)
            parts.append(TurnPart(name, at, end, setting))  # type: ignore[arg-type]
            at = end
        self.emit(ev.TurnMeasured(start, at, tuple(parts)))


# --- stories ---------------------------------------------------------------------------------------------------------

QUESTION = "What's the weather like in Oslo tomorrow?"
ANSWER = "Tomorrow in Oslo it will be around four degrees, with light snow in the afternoon and hardly any wind."
WEATHER = "4 °C, light snow from 14:00, wind 3 m/s"


def starting() -> Script:
    """Models load while the screen is already usable."""
    script = Script().open()
    script.load_models(1.0, 0.62, 0.24, 0.0)
    script.wait(0.4)
    return script


def listening() -> Script:
    """Two turns are done and the user speaks: an interim on screen."""
    script = voice_turn()
    script.emit(ev.EchoCancellation("on", 0.062, 31.0))
    script.begin_turn()
    script.emit(ev.UserStateChanged("listening", "speaking", script.now), "vad")
    script.wait(0.9, mic=-20.0, vad=0.93)
    script.emit(ev.UserTranscribed("and what should I wear for", is_final=False))
    script.wait(0.2, mic=-18.0, vad=0.95)
    return script


def voice_turn() -> Script:
    """A greeting, a spoken question, a tool call, and an answer that was heard to its end."""
    script = Script().open().ready()
    script.begin_turn("say")
    script.answers("Hello! Ask me about the weather anywhere.", measure=False)
    script.wait(1.2)
    script.user_says(QUESTION).commit(QUESTION)
    script.calls("get_weather", {"city": "Oslo", "day": "tomorrow"}, WEATHER)
    script.answers(ANSWER)
    script.emit(ev.LogWritten("info", "agent_runtime.session", "turn 2 answered in 0.82 s"))
    script.wait(0.8)
    return script


def counting_down() -> Script:
    """The user fell silent and the countdown runs."""
    script = listening()
    script.stop_speaking(delay=0.8, probability=0.31)
    script.emit(ev.UserTranscribed("and what should I wear for the", is_final=True))
    script.wait(0.25)
    return script


def speaking() -> Script:
    """The agent is in mid-sentence: some words heard, some still to come."""
    script = voice_turn()
    script.user_says("And what should I wear?").commit("And what should I wear?")
    script.answers("A warm coat and a scarf. The snow will be wet, so take boots that keep the water out.", heard=0.5)
    return script


def interrupted() -> Script:
    """The user cuts the agent short; the next turn runs a tool that isn't done."""
    script = voice_turn()
    script.user_says("And what should I wear?").commit("And what should I wear?")
    answer = "A warm coat and a scarf. The snow will be wet, so take boots that keep the water out."
    script.answers(answer, heard=0.45, cut_by="voice")
    script.user_says("Sorry, I meant Bergen.").commit("Sorry, I meant Bergen.")
    script.starts_tool("get_weather", {"city": "Bergen", "day": "tomorrow", "units": "metric"})
    script.wait(1.3)
    return script


def troubles() -> Script:
    """A reload that fails, a tool that raises, a microphone that goes away."""
    script = voice_turn()
    traceback = (
        "Traceback (most recent call last):\n"
        '  File "examples/weather_agent.py", line 41, in <module>\n'
        "    class WeatherAgent(Agent)\n"
        "                             ^\n"
        "SyntaxError: expected ':'\n"
    )
    script.emit(ev.ReloadStarted(("examples/weather_agent.py",)), "save")
    script.emit(ev.ReloadFailed("expected ':'", "examples/weather_agent.py", 41, traceback))
    script.user_types("Is it windy in Nowhereville?")
    script.calls(
        "get_weather", {"city": "Nowhereville"}, "There is no city called Nowhereville.", took=0.038, error=True
    )
    script.answers("I don't know a city of that name.", measure=False)
    script.emit(ev.DeviceChanged("input", "lost", "MacBook Pro Microphone"))
    script.emit(ev.AudioDropped("input", 3))
    script.emit(ev.LogWritten("warning", "agent_runtime.devices", "input device lost, trying again in 1 s"))
    script.wait(0.5)
    return script


def recovered() -> Script:
    """After the troubles: the microphone is back, the reload works, the agent hands over."""
    script = troubles()
    script.emit(ev.DeviceChanged("input", "opened", "USB Headset", 44100, 1))
    diff = (
        "--- instructions\n+++ instructions\n-Answer in one or two short sentences.\n+Answer in one short sentence.\n"
    )
    script.emit(ev.ReloadStarted(("examples/weather_agent.py",)), "save")
    script.emit(ev.ReloadFinished("WeatherAgent", diff, 0.31))
    script.emit(ev.AgentChanged("WeatherAgent", "TravelAgent", "You book trips.", ("book_flight",)), "handoff")
    script.emit(ev.ErrorOccurred("llm", "connection refused: http://localhost:11434", True))
    script.wait(0.5)
    return script


def busy() -> Script:
    """A long talk in which much was waited for: a detector that wasn't sure, a slow tool, a call that blocks."""
    script = voice_turn()
    for question, answer in (("And in Bergen?", "Rain, as ever."), ("And in Tromsø?", "Snow, and very little light.")):
        script.user_says(question).commit(question)
        script.answers(answer)
    script.begin_turn()
    script.emit(ev.UserStateChanged("listening", "speaking", script.now), "vad")
    script.wait(0.8, mic=-20.0, vad=0.93)
    script.stop_speaking()
    script.wait(0.12, vad=0.2)
    script.emit(ev.EndpointingCancelled())
    script.wait(0.6, mic=-20.0, vad=0.93)
    question = "So which of them would you, hmm, go to on Sunday?"
    script.stop_speaking(delay=1.6, probability=0.22)
    script.emit(ev.UserTranscribed(question, is_final=True))
    script.wait(1.1)
    script.commit(question, cause="endpointing.max_delay")
    script.calls("get_forecast", {"cities": ["Oslo", "Bergen", "Tromsø"], "day": "Sunday"}, "Oslo: clear", took=0.64)
    script.emit(ev.LoopBlocked(0.37, "/home/you/weather_agent.py", 58, "  time.sleep(0.35)"))
    script.answers(
        "Oslo will be clear and cold on Sunday: go there.",
        spans=(
            ("endpointing", 1.602, "endpointing.max_delay"),
            ("hook", 0.031, "on_user_turn_completed"),
            ("llm", 0.148, "SmolLM2-135M"),
            ("tools", 0.642, None),
            ("llm", 0.135, "SmolLM2-135M"),
            ("llm_sentence", 0.058, "SmolLM2-135M"),
            ("tts", 0.094, "hibari"),
            ("playout", 0.032, None),
        ),
    )
    return script


def faltering() -> Script:
    """A provider that fails and another that stands in, a call in the background, people who talk over each other."""
    script = Script().open().ready()
    names = ("gpt-4.1", "SmolLM2-135M")
    script.emit(ev.CircuitsChanged("llm", tuple(ev.Circuit(name, "closed", 0.0) for name in names)), "start")
    script.emit(ev.EchoCancellation("on", 0.062))
    script.user_says("Book me a room in Oslo.").commit("Book me a room in Oslo.")
    problem = "connection refused: https://api.openai.com"
    script.emit(
        ev.CircuitsChanged(
            "llm", (ev.Circuit(names[0], "open", script.now, problem), ev.Circuit(names[1], "closed", 0.0)), 0
        ),
        "failed",
    )
    script.starts_tool("book_room", {"city": "Oslo", "nights": 2})
    call = f"call-{len(script.events) - 1}"
    script.wait(0.4)
    script.emit(ev.ToolUpdated(call, call, "book_room", "asking three hotels"))
    script.answers("I am asking three hotels, one moment.")
    script.emit(ev.LLMFinished("speech-1", 96, 18, 0, 0.3, True, names[1], True))
    script.emit(ev.SpeechRecognized("moonshine-tiny", 4.2))
    script.emit(ev.EchoCancellation("on", 0.062, 31.0))
    script.user_says("Near the opera, please.").commit("Near the opera, please.")
    script.emit(ev.EndpointingLearned(0.42, 0.31), "pause")
    script.answers("Near the opera there are two of them, and both have a room with a view.", heard=0.5, cut_by="voice")
    script.emit(ev.OverlappingSpeech(True, 0.81, 0.5, script.now - 0.4, 0.4), "words")
    script.emit(ev.ToolUpdated(f"{call}_update_1", call, "book_room", "two have answered"))
    script.emit(ev.ToolFinished(call, "book_room", "Hotel Bristol, room 412", False, 9.3))
    script.emit(ev.ToolReplyUpdated((f"{call}_final",), "scheduled", "speech-3"))
    script.begin_turn()
    script.emit(ev.UserTranscribed("mhm", is_final=True))
    script.emit(ev.TurnDiscarded("mhm"), "backchannel")
    script.begin_turn()
    script.emit(ev.TranscriptionTimedOut(1.2, script.now - 1.2))
    script.emit(ev.LoopLag(0.004, 0.031, 10.0))
    script.wait(0.3)
    return script


def without_microphone() -> Script:
    """A session by text alone."""
    script = Script(meters=False).open(microphone=False).ready()
    script.user_types(QUESTION)
    script.calls("get_weather", {"city": "Oslo", "day": "tomorrow"}, WEATHER)
    script.answers(ANSWER, measure=False)
    return script


def long_history(turns: int) -> Iterator[AnyEvent]:
    """Many turns, without meters and word by word progress: each a question, a tool call and an answer."""
    script = Script(meters=False).open().ready()
    for number in range(turns):
        script.begin_turn()
        question = f"Question {number}: what about the weather in city {number}?"
        script.emit(ev.TurnCommitted(question, script.now), "endpointing.min_delay")
        script.calls("get_weather", {"city": f"city {number}"}, WEATHER)
        speech, item = f"speech {number}", f"item {number}"
        script.emit(ev.AgentText(speech, item, f"In city {number}: {ANSWER}"))
        script.emit(ev.PlayoutStarted(speech))
        script.measure()
        script.wait(4.0)
        script.emit(ev.PlayoutFinished(speech, 4.0, False))
        script.emit(ev.SpeechFinished(speech, False))
    yield from script.events


SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "description": "the city's name"},
        "day": {"type": "string", "enum": ["today", "tomorrow"], "default": "today"},
    },
    "required": ["city"],
}


def tool_facts(name: str, line: int) -> ev.ToolFacts:
    """A tool of the weather agent."""
    what = {"get_weather": "Look the weather up.", "get_forecast": "Look a week's weather up."}.get(
        name, "Find a city."
    )
    flags = ("cancellable",) if name == "get_forecast" else ()
    return ev.ToolFacts(name, what, SCHEMA, flags, "allow", "agent", "/home/you/weather_agent.py", line)


def workshop() -> Script:
    """Tools that were tried and stood in for, a conversation that was forked."""
    script = Script(meters=False).open().ready()
    script.emit(ev.ToolsListed("WeatherAgent", tuple(tool_facts(n, 20 + 12 * i) for i, n in enumerate(TOOLS))), "start")
    script.user_types(QUESTION)
    script.calls("get_weather", {"city": "Oslo", "day": "tomorrow"}, WEATHER)
    script.answers(ANSWER, measure=False)
    script.emit(ev.ToolStoodIn("get_weather", error="The service can't be reached right now.", delay=2.0))
    script.emit(ev.ToolStoodIn("find_city", result='["Bergen, Norway", "Bergen, Germany"]'))
    script.user_types("And in Bergen?")
    script.emit(ev.ToolStarted("call-f", "get_weather", '{"city": "Bergen"}'))
    script.wait(2.0)
    lost = "The service can't be reached right now."
    script.emit(ev.ToolFinished("call-f", "get_weather", lost, True, 2.0, stand_in="error"))
    script.answers("I can't look that up right now.", measure=False)
    script.emit(ev.ToolTried("try-1", "get_forecast", '{"day": "Sunday"}'))
    problem = "Invalid arguments for get_forecast: city: field required"
    script.emit(ev.ToolTryFinished("try-1", "get_forecast", problem, True, 0.0004, invalid=True))
    script.emit(ev.ToolTried("try-2", "get_forecast", '{"city": "Bergen"}'))
    script.emit(ev.ToolTryFinished("try-2", "get_forecast", "rain, rain, rain", False, 0.231))
    main = ev.Branch("main", None, None, 9, "own")
    script.emit(ev.BranchesChanged((main, ev.Branch("branch 2", "main", "turn-1", 6, "copied")), "branch 2"), "fork")
    items = (
        ev.ContextItem("lk.agent_task.instructions", "message", "system", INSTRUCTIONS, 47, None, "changed"),
        ev.ContextItem("item-0", "message", "system", "The user lives in Oslo.", 10, None, "added"),
        ev.ContextItem("item-1", "agent_handoff", "handoff", "start → WeatherAgent", 0),
        ev.ContextItem("item-2", "message", "user", QUESTION, 14, "turn-1"),
        ev.ContextItem("item-3", "function_call", "get_weather", '{"city": "Oslo"}', 8, "turn-1", "left_out"),
        ev.ContextItem("item-4", "function_call_output", "get_weather", WEATHER, 14, "turn-1", "left_out"),
        ev.ContextItem("item-5", "message", "assistant", ANSWER, 30, "turn-1"),
    )
    script.emit(ev.ContextShown("WeatherAgent", items, 101, 96, "4 bytes a token", exact=False), "fork")
    return script


def in_a_room() -> Script:
    """In a LiveKit room: three people, a muted camera, packets that get lost, a connection that broke and is back."""
    script = voice_turn()
    agent = "agent-7f3a21"
    script.emit(ev.RoomConnected("support-desk", agent))
    token = "eyJhbGciOi.eyJ2aWRl.c2VjcmV0"
    invitation = ev.RoomInvitation(
        "support-desk", "ws://127.0.0.1:7880", token, "lk room join", f"https://m/?t={token}"
    )
    script.emit(invitation.without_token())
    script.emit(ev.ModeChanged("room", "support-desk", 0.34), "key")
    for identity, name, kind in (
        ("ana", "Ana Sørli", "standard"),
        ("sip-4795", "", "sip"),
        ("watcher", "", "standard"),
    ):
        script.emit(ev.ParticipantJoined(identity, name, kind))
    tracks = (
        (agent, "TR_1", "roomio_audio", "audio", "microphone", "published", False),
        ("ana", "TR_2", "microphone", "audio", "microphone", "subscribed", False),
        ("ana", "TR_3", "camera", "video", "camera", "muted", True),
        ("sip-4795", "TR_4", "phone", "audio", "microphone", "subscribed", False),
        ("watcher", "TR_5", "screen", "video", "screenshare", "published", False),
    )
    for track in tracks:
        script.emit(ev.TrackChanged(*track))  # type: ignore[arg-type]
    script.emit(ev.ParticipantLinked("ana"))
    script.emit(ev.RoomReconnecting())
    script.wait(1.2)
    script.emit(ev.RoomReconnected(1.2))
    for identity, quality in ((agent, "excellent"), ("ana", "good"), ("sip-4795", "poor")):
        script.emit(ev.ConnectionQuality(identity, quality))  # type: ignore[arg-type]
    script.emit(ev.EncryptionChanged("watcher", "unencrypted"))
    script.emit(ev.ActiveSpeakers(("ana",)))
    figures = (
        ev.TrackFigures(agent, "TR_1", "out", 4820, 2, 0.0, 0.002),
        ev.TrackFigures("ana", "TR_2", "in", 6104, 31, 0.004, 0.006),
        ev.TrackFigures("sip-4795", "TR_4", "in", 5950, 417, 0.11, 0.048),
    )
    script.emit(ev.RoomFigures(0.042, figures))
    script.wait(0.3)
    return script


STORIES = {
    "in_a_room": in_a_room,
    "workshop": workshop,
    "starting": starting,
    "listening": listening,
    "counting_down": counting_down,
    "speaking": speaking,
    "interrupted": interrupted,
    "troubles": troubles,
    "recovered": recovered,
    "busy": busy,
    "faltering": faltering,
    "without_microphone": without_microphone,
}

RECORDINGS = Path(__file__).parents[1] / "console" / "recordings"
METERS_KEPT = 60


def recording(story: str) -> list[AnyEvent]:
    """A story without the meter events that are long past when it ends."""
    everything = STORIES[story]().events
    meters = [event.seq for event in everything if isinstance(event.data, ev.AudioMeter)]
    past = set(meters[:-METERS_KEPT])
    kept = [event for event in everything if event.seq not in past]
    return [replace(event, seq=number) for number, event in enumerate(kept, start=1)]


def write_recordings() -> None:
    """Write every story to its file."""
    RECORDINGS.mkdir(exist_ok=True)
    for story in STORIES:
        text = "".join(codec.dumps(event) + "\n" for event in recording(story))
        (RECORDINGS / f"{story}.jsonl").write_text(text, "utf-8")


if __name__ == "__main__":
    write_recordings()
