"""The console as lines of text, for a screen reader, a pipe or a terminal that can do no more.

What is said, done and measured comes as a line each once it is final; a line that is typed is said to the agent.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TextIO, TypeAlias

from agent_console.backend import Backend
from agent_console.drawing.entries import compact_arguments
from agent_console.drawing.latency import latency_line, seconds
from agent_console.drawing.status import clock_text
from agent_console.drawing.text import Line, clean
from agent_console.state import AgentSaid, ConsoleState, Entry, Latency, Note, Rule, ToolCall, UserSaid, reduce
from agent_runtime.events import AnyEvent

HELP: Final = "a line is said to the agent; /mute /unmute /interrupt /reload /room /local /quit"
_WIDE: Final = 10_000

Input: TypeAlias = AnyEvent | str | None
"""An event, a line that was typed, or None for the end of the input."""


class Narrator:
    """Tells what became final with each event; holds what was told already."""

    def __init__(self) -> None:
        self.state = ConsoleState()
        self._told = 0
        self._open: set[int] = set()
        self._latencies = 0
        self._banners: set[tuple[str, str]] = set()

    def tell(self, event: AnyEvent) -> Iterator[str]:
        """The lines of one event."""
        before, self.state = self.state, reduce(self.state, event)
        state = self.state
        if state.started and not before.started:
            yield self._stamped(f"session: {clean(state.agent)}, {state.mode}")
        self._open.update(range(self._told, len(state.entries)))
        self._told = len(state.entries)
        if state.entries is not before.entries:
            for index in sorted(self._open):
                words = final_words(state.entries[index]) if index < len(state.entries) else ""
                if words is not None:
                    self._open.discard(index)
                    yield from (self._stamped(line) for line in clean(words).splitlines())
        for latency in state.latencies[self._latencies :]:
            yield self._stamped(latency_words(latency))
        self._latencies = len(state.latencies)
        for banner in state.banners:
            if (banner.key, banner.text) not in self._banners and banner.key != "error":
                self._banners.add((banner.key, banner.text))
                # There are no keys here.
                hint = banner.hint.removeprefix("e shows why; ").removesuffix("; e shows it").replace("^o", "/room")
                yield self._stamped(clean("; ".join(filter(None, (f"{banner.level}: {banner.text}", hint)))))

    def _stamped(self, line: str) -> str:
        return f"[{clock_text(self.state.now)}] {line}"


def final_words(entry: Entry) -> str | None:
    """An entry of the transcript as text; None while it may still change, empty if there is nothing to tell."""
    if isinstance(entry, UserSaid):
        said = f"you: {entry.text}" if entry.state == "done" else f"you: {entry.text} (dropped)"
        return None if entry.state == "open" else said
    if isinstance(entry, AgentSaid):
        if entry.state == "interrupted" and not entry.heard:
            return ""
        if entry.state == "interrupted":
            return f"agent: {entry.text[: entry.heard]} (stopped, by {entry.cut_by or 'nobody'})"
        return f"agent: {entry.text.strip()}" if entry.state == "done" else None
    if isinstance(entry, ToolCall):
        return None if entry.duration is None else _tool_words(entry, entry.duration)
    if isinstance(entry, Rule):
        return f"-- {entry.text}"
    assert isinstance(entry, Note)
    return f"{entry.level}: {entry.text}"


def _tool_words(call: ToolCall, duration: float) -> str:
    outcome = "failed" if call.is_error else "gave"
    return f"tool {call.name}({compact_arguments(call.arguments)}) {outcome} in {seconds(duration)}: {call.output}"


def latency_words(latency: Latency) -> str:
    """`turn 2 waited 0.84 s = wait 0.29 + …`."""
    return f"turn {latency.number} waited {_text(latency_line(latency, _WIDE))}"


def _text(line: Line) -> str:
    return "".join(text for text, _ in line)


def run_plain(backend: Backend, lines: Iterable[str], write: Callable[[str], None]) -> int:
    """Run a session until it is closed, until `/quit`, or until what a pipe said is answered. The exit code.

    Where the input ends without a question and there is no microphone either, it ends at once.

    Args:
        backend: the session; it is started and stopped here.
        lines: what is typed; read on a thread of its own.
        write: gets each line.
    """
    inbox: queue.SimpleQueue[Input] = queue.SimpleQueue()
    narrator = Narrator()
    reader = threading.Thread(target=_read, args=(lines, inbox.put), name="plain input", daemon=True)
    backend.start(inbox.put)
    reader.start()
    asked, ended = 0, False
    try:
        while not (ended and is_over(narrator.state, asked)):
            item = inbox.get()
            if item is None:
                ended = True
            elif isinstance(item, str):
                if item == "/quit":
                    break
                asked += _obey(backend, item, write, narrator.state)
            else:
                for line in narrator.tell(item):
                    write(line)
                if narrator.state.closed is not None:
                    break
    except KeyboardInterrupt:
        write("ending the session")
    finally:
        backend.stop()
    failed = has_failed(narrator.state.entries.last) if asked else False
    return 1 if narrator.state.closed == "error" or never_started(narrator.state) or failed else 0


def is_over(state: ConsoleState, asked: int) -> bool:
    """Whether nothing more can come of it when nothing more is typed."""
    return never_started(state) or (answered(state, asked) if asked else cannot_be_told(state))


def cannot_be_told(state: ConsoleState) -> bool:
    """Whether nobody can say anything to the agent but by typing."""
    return state.started and (state.mode == "text" or state.microphone.state == "unavailable")


def never_started(state: ConsoleState) -> bool:
    """Whether the agent couldn't be made: the session waits for its file to be saved."""
    last = state.entries.last
    return not state.started and isinstance(last, Rule) and last.kind == "reload_failed"


def answered(state: ConsoleState, asked: int) -> bool:
    """Whether the agent has answered that many typed turns and is quiet."""
    typed = sum(isinstance(e, UserSaid) and e.by == "text" for e in state.entries[max(0, len(state.entries) - 200) :])
    last = state.entries.last
    spoke = isinstance(last, AgentSaid) and last.state in ("done", "interrupted")
    return typed >= min(asked, 50) and (spoke or has_failed(last)) and state.agent_state in ("listening", "idle")


def has_failed(last: Entry | None) -> bool:
    """Whether the last thing that happened is a failure."""
    return isinstance(last, Note) and last.level == "error"


def _read(lines: Iterable[str], put: Callable[[Input], None]) -> None:
    for line in lines:
        if text := line.strip():
            put(text)
    put(None)


def _obey(backend: Backend, line: str, write: Callable[[str], None], state: ConsoleState) -> int:
    """Do what a line says; 1 if it was said to the agent."""
    commands: dict[str, Callable[[], None]] = {
        "/mute": lambda: backend.set_muted(True),
        "/unmute": lambda: backend.set_muted(False),
        "/interrupt": backend.interrupt,
        "/reload": backend.reload,
        "/room": lambda: backend.set_mode("room", start_server=state.room.offer is not None),
        "/local": lambda: backend.set_mode("local"),
        "/help": lambda: write(HELP),
    }
    if line in commands:
        commands[line]()
        return 0
    if line.startswith("/"):
        write(f"there is no {line}; {HELP}")
        return 0
    backend.send_text(line)
    return 1


def line_printer(stream: TextIO) -> Callable[[str], None]:
    """Writes lines to a stream, at once, in what its encoding has.

    It is held on to: what an agent prints goes to the log while a session runs.
    """
    from agent_console.glyphs import is_unicode, plain

    encoding = stream.encoding
    shows_all = is_unicode(encoding)

    def write(line: str) -> None:
        stream.write((line if shows_all else plain(line, encoding or "ascii")) + "\n")
        stream.flush()

    return write
