"""A transcript with the time of each word of the agent's as it was heard, saved when the session closes.

    agent-console examples/timed_agent_transcript.py

Ask for a story, interrupt it, and quit: `transcripts/` has a WebVTT file, to play as subtitles beside a recording, and
the same as JSON. What was cut off is in neither, for nobody heard it.
"""

import json
import logging
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from agent_runtime import Agent, AgentSession, events, function_tool

logger = logging.getLogger("transcript")

FOLDER = Path("transcripts")
SHORTEST = 0.5  # seconds that a cue is shown at least: text that is typed takes none


@dataclass
class Word:
    text: str
    start: float  # seconds since the session was made, as all times here
    end: float


@dataclass
class Cue:
    """What one side said in one go."""

    speaker: Literal["user", "agent"]
    start: float
    end: float
    text: str
    words: list[Word] = field(default_factory=list)  # of the agent's


class Transcript:
    """Follows the session's events, and writes the files at its end."""

    def __init__(self, session: AgentSession[Any], folder: Path = FOLDER) -> None:
        self.cues: list[Cue] = []
        self._path = folder / session.events.session_id
        self._messages: dict[str, Cue] = {}  # the agent's, by their id
        self._turns: dict[str | None, float] = {}  # when the user began each turn
        self._silent_until = 0.0  # until when the agent was last known to be silent
        session.events.subscribe(self._follow)
        session.on("close", lambda _: self.save())

    def _follow(self, event: events.AnyEvent) -> None:
        match event.data:
            case events.TurnStarted():
                self._turns[event.turn_id] = event.time
            case events.TurnCommitted(text=text, speech_ended_at=ended_at) if text:
                end = event.time if ended_at is None else ended_at
                self.cues.append(Cue("user", min(self._turns.get(event.turn_id, end), end), end, text))
            case events.PlayoutStarted() | events.PlayoutResumed():
                self._silent_until = event.time
            case events.AgentHeard(item_id=item_id, text=text):
                self._heard(item_id, text, event.time)

    def _heard(self, item_id: str, text: str, now: float) -> None:
        """All that was heard of a message so far: a word is over whenever it has grown by one."""
        cue = self._messages.get(item_id)
        if cue is None:
            cue = self._messages[item_id] = Cue("agent", self._silent_until, now, "")
            self.cues.append(cue)
        said = text.split()
        for word, grown in zip(cue.words, said, strict=False):
            word.text = grown  # text that isn't spoken comes in pieces of words
        words = said[len(cue.words) :]
        start = max(self._silent_until, cue.words[-1].end if cue.words else cue.start)
        each = (now - start) / max(1, len(words))  # mostly it is one
        cue.words += [Word(word, start + i * each, start + (i + 1) * each) for i, word in enumerate(words)]
        cue.text, cue.end = text, now

    def save(self) -> None:
        if not self.cues:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        cues = sorted(self.cues, key=lambda cue: cue.start)
        self._path.with_suffix(".vtt").write_text(as_webvtt(cues), encoding="utf-8")
        self._path.with_suffix(".json").write_text(json.dumps([asdict(cue) for cue in cues], indent=2), "utf-8")
        logger.info("the transcript is in %s.vtt and .json", self._path)


def as_webvtt(cues: list[Cue]) -> str:
    """Subtitles: a cue for each thing that was said, with the time at which each word of the agent's begins."""
    blocks = ["WEBVTT"]
    for cue in cues:
        words, told = [], timestamp(cue.start)
        for word in cue.words:
            begins = timestamp(word.start)
            words.append(f"<{begins}>{escaped(word.text)}" if begins > told else escaped(word.text))
            told = max(told, begins)
        end = max(cue.end, cue.start + SHORTEST)
        text = " ".join(words) or escaped(cue.text)
        blocks.append(f"{timestamp(cue.start)} --> {timestamp(end)}\n<v {cue.speaker}>{text}")
    return "\n\n".join(blocks) + "\n"


def timestamp(seconds: float) -> str:
    milliseconds = round(seconds * 1000)
    minutes, milliseconds = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}.{milliseconds % 1000:03}"


def escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")


class Storyteller(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are a friendly storyteller. Answer in one or two short sentences.")

    async def on_enter(self) -> None:
        Transcript(self.session)
        self.session.say("Hello! Shall I tell you the story of the lighthouse?")

    @function_tool
    async def tell_story(self) -> str:
        """Tell a story, the story of the lighthouse."""
        return (
            "On the northern coast stands a lighthouse of grey stone. Every evening the keeper climbed its stairs and "
            "lit the lamp. One winter a storm broke the windows, and she held the lamp in her own hands until morning."
        )
