"""Events of the session and the workshop around it: agents, states, reloads, logs, errors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import Final, Literal

from agent_console.state.model import LOG_LIMIT, Banner, ConsoleState, LogLine, Note, Rule
from agent_console.state.paths import for_shell, from_home
from agent_console.state.sentences import WAITS_FOR, count, outcome, turn_words
from agent_runtime import events as ev
from agent_runtime.events import AnyEvent

Level = Literal["debug", "info", "warning", "error"]


def session_started(state: ConsoleState, event: AnyEvent, data: ev.SessionStarted) -> ConsoleState:
    """The session runs."""
    return replace(
        state, started=True, started_at=data.started_at, closed=None, mode=data.mode, agent=state.agent or data.agent
    )


def session_closed(state: ConsoleState, event: AnyEvent, data: ev.SessionClosed) -> ConsoleState:
    """The session ended; what was said stays to be read."""
    text = "session closed: " + data.reason.replace("_", " ")
    state = replace(state, closed=data.reason, endpointing=None)
    state = _rule(state, Rule("closed", event.time, text, data.error or ""))
    if data.reason != "error":
        return state
    banner = Banner("closed", "error", f"Session closed: {data.error or 'error'}", "q quits", time=event.time)
    return replace(state, banners=_with(state.banners, banner))


def agent_changed(state: ConsoleState, event: AnyEvent, data: ev.AgentChanged) -> ConsoleState:
    """Another agent has the conversation."""
    old = state.agent
    state = replace(state, agent=data.new, instructions=data.instructions, tools=data.tools)
    if event.cause in ("handoff", "update_agent") and data.old is not None:
        edge = (data.old or old, data.new)
        state = replace(state, handoffs={**state.handoffs, edge: state.handoffs.get(edge, 0) + 1})
        return _rule(state, Rule("handoff", event.time, f"{data.old or old} hands over to {data.new}"))
    if (told := TASKS.get(event.cause or "")) is not None and data.old is not None:
        return _rule(state, Rule("handoff", event.time, told.format(old=data.old, new=data.new)))
    return state


TASKS = {
    "task": "{old} waits for {new}",
    "task_completed": "{old} is complete: {new} goes on",
    "task_failed": "{old} failed: {new} goes on",
}
"""What is told of an agent that awaits a task, by the cause of the change."""


def user_state_changed(state: ConsoleState, event: AnyEvent, data: ev.UserStateChanged) -> ConsoleState:
    """Speaking, listening or away."""
    return replace(state, user_state=data.new)


def agent_state_changed(state: ConsoleState, event: AnyEvent, data: ev.AgentStateChanged) -> ConsoleState:
    """Initializing, idle, listening, thinking or speaking."""
    return replace(state, agent_state=data.new)


def reload_started(state: ConsoleState, event: AnyEvent, data: ev.ReloadStarted) -> ConsoleState:
    """New code is being loaded."""
    return replace(state, reloading=True)


def reload_pending(state: ConsoleState, event: AnyEvent, data: ev.ReloadPending) -> ConsoleState:
    """The new code is loaded and has to wait."""
    text = f"new code for {data.agent} waits for {WAITS_FOR[data.waits_for]}"
    banner = Banner("reload", "warning", text, "the old code goes on", time=event.time)
    return replace(state, banners=_with(state.banners, banner))


WORTH_TELLING: Final = 0.1
"""Seconds from which on a wait for the agent isn't the reload's own time."""


def reload_finished(state: ConsoleState, event: AnyEvent, data: ev.ReloadFinished) -> ConsoleState:
    """The new code answers from here on."""
    banners = tuple(b for b in state.banners if b.key != "reload")
    state = replace(state, reloading=False, reload_duration=data.duration, last_reload=data, banners=banners)
    added = sum(line.startswith("+") and not line.startswith("+++") for line in data.diff.splitlines())
    removed = sum(line.startswith("-") and not line.startswith("---") for line in data.diff.splitlines())
    change = f"+{added} -{removed}" if added or removed else "same instructions and tools"
    text = f"reloaded {data.agent} · {change} · {data.duration - data.waited:.2f} s"
    text += f" and {data.waited:.2f} s until the agent was ready" if data.waited >= WORTH_TELLING else ""
    return _rule(state, Rule("reload", event.time, text, data.diff))


def reload_failed(state: ConsoleState, event: AnyEvent, data: ev.ReloadFailed) -> ConsoleState:
    """The old code goes on; the traceback waits behind the banner."""
    where = PurePath(data.file).name + (f":{data.line}" if data.line is not None else "")
    details = data.traceback or data.message
    then = "the old code goes on" if state.started else "it is tried again when you save"
    banner = Banner("reload", "error", f"{where}: {data.message}", f"e shows why; {then}", details, event.time)
    state = replace(state, reloading=False, banners=_with(state.banners, banner))
    what = "reload failed" if state.started else "not started"
    return _rule(state, Rule("reload_failed", event.time, f"{what} · {where}", details))


_OF_THE_FILE: Final = frozenset({"agent_runtime.agent_loader", "agent_runtime.stand_ins"})
"""Who logs a warning where a file asks for what can't be had."""


def log_written(state: ConsoleState, event: AnyEvent, data: ev.LogWritten) -> ConsoleState:
    """A line for the log pane. What is otherwise than the agent's file says is noted in the conversation too."""
    if data.level == "warning" and data.logger in _OF_THE_FILE:
        note = Note("warning", event.time, data.message, data.details, event.turn_id)
        state = replace(state, entries=state.entries.append(note))
    return _log(state, event, data.level, data.logger, data.message, data.details)


def error_occurred(state: ConsoleState, event: AnyEvent, data: ev.ErrorOccurred) -> ConsoleState:
    """A banner says it once, clearly; a note and the log keep it."""
    text = f"{data.source}: {data.message}"
    hint = outcome(data)
    banner = Banner("error", "warning" if data.recoverable else "error", text, hint, data.details, event.time)
    note = Note("error", event.time, text, data.details, event.turn_id)
    last = state.entries.last
    said = isinstance(last, Note) and (last.level, last.text) == (note.level, note.text)
    state = replace(
        state,
        errors=state.errors + 1,
        entries=state.entries if said else state.entries.append(note),
        banners=_with(state.banners, banner),
    )
    return _log(state, event, "error", data.source, data.message, data.details)


WORTH_A_NOTE = 0.25
"""Seconds from which on a blocked loop costs audio; shorter ones are in the log and the health panel."""
_NOT_THEIRS: Final = ("site-packages", "/agent_runtime/", "/agent_tools/", "/lib/python3")
"""In the paths of files that whoever writes an agent can't mend."""


def _is_theirs(file: str) -> bool:
    return not any(mark in file for mark in _NOT_THEIRS)


def loop_stalled(state: ConsoleState, event: AnyEvent, data: ev.LoopStalled) -> ConsoleState:
    """Say it while it lasts."""
    text = f"{PurePath(data.file).name}:{data.line} blocks the agent"
    what_to_do = "await it or move it to a thread" if _is_theirs(data.file) else "it isn't the agent's own code"
    banner = Banner("stall", "error", text, f"{what_to_do}; e shows it", data.stack, event.time)
    return replace(state, banners=_with(state.banners, banner))


def loop_blocked(state: ConsoleState, event: AnyEvent, data: ev.LoopBlocked) -> ConsoleState:
    """Name the line that held everything up; among what was said only if it is the agent's own."""
    where = f"{PurePath(data.file).name}:{data.line}"
    text = f"{where} blocked the agent for {data.duration:.1f} s"
    state = replace(state, banners=tuple(banner for banner in state.banners if banner.key != "stall"))
    if data.duration >= WORTH_A_NOTE and _is_theirs(data.file):
        note = Note("warning", event.time, text + "; await it or move it to a thread", data.stack, event.turn_id)
        state = replace(state, entries=state.entries.append(note))
    return _log(state, event, "warning", "loop", text, data.stack)


def recording_changed(state: ConsoleState, event: AnyEvent, data: ev.RecordingChanged) -> ConsoleState:
    """The header says that it records; where to is in the flow of the conversation."""
    is_on = data.state == "started"
    state = replace(state, recording=data.folder if is_on else None, recorded=data.folder if is_on else state.recorded)
    if data.state == "failed":
        text = f"not recorded: {data.problem}"
        banner = Banner("recording", "warning", text, "the conversation goes on", time=event.time)
        return replace(state, banners=_with(state.banners, banner))
    text = f"{'recording into' if is_on else 'recorded:'} {from_home(data.folder)}"
    return replace(state, entries=state.entries.append(Note("info", event.time, text, turn_id=event.turn_id)))


def turn_marked(state: ConsoleState, event: AnyEvent, data: ev.TurnMarked) -> ConsoleState:
    """A note where it was marked, with the command that makes a test of it."""
    turns = state.turns
    at = turns.rindex(lambda turn: turn.turn_id == event.turn_id)
    number = state.turn_number if at is None else turns[at].number
    text = f"marked{': ' if data.note else ''}{data.note}"
    if state.recording is None:
        text += " · R records it, what was said before too; then it can be made a test of"
    else:
        test = f"-o test_turn_{number}.py"
        text += f" · make a test of it: agent-console test {for_shell(state.recording)} --turn {number} {test}"
    return replace(state, entries=state.entries.append(Note("info", event.time, text, turn_id=event.turn_id)))


def branches_changed(state: ConsoleState, event: AnyEvent, data: ev.BranchesChanged) -> ConsoleState:
    """A line across the transcript: from here on the conversation is another one."""
    current = next((branch for branch in data.branches if branch.id == data.current), None)
    if event.cause == "rewind":
        text = f"went back: {count(data.dropped, 'item')} dropped"
    elif event.cause == "fork" and current is not None:
        text = f"{data.current} begins after {turn_words(current.from_turn or '')}"
        text += ": userdata is shared, it can't be copied" if current.userdata == "shared" else ""
    else:
        text = f"{data.current} goes on"
    banners = tuple(banner for banner in state.banners if banner.key != "refused")
    return _rule(replace(state, banners=banners), Rule("branch", event.time, text))


def request_refused(state: ConsoleState, event: AnyEvent, data: ev.RequestRefused) -> ConsoleState:
    """Say in one line why it can't be done."""
    banner = Banner("refused", "warning", f"{data.request}: {data.problem}", time=event.time)
    return replace(state, banners=_with(state.banners, banner))


def _rule(state: ConsoleState, rule: Rule) -> ConsoleState:
    return replace(state, entries=state.entries.append(rule))


def _with(banners: tuple[Banner, ...], banner: Banner) -> tuple[Banner, ...]:
    return (*(b for b in banners if b.key != banner.key), banner)


def _log(state: ConsoleState, event: AnyEvent, level: Level, logger: str, message: str, details: str) -> ConsoleState:
    line = LogLine(event.time, level, logger, message, details)
    last = state.logs.last
    if last is not None and replace(last, time=line.time, count=1) == line:
        repeated = replace(line, count=last.count + 1)
        return replace(state, logs=state.logs.replace(len(state.logs) - 1, repeated))
    return replace(state, logs=state.logs.append(line).trim(LOG_LIMIT))
