"""Every event in plain words, on one line: what happened, why, and by how much."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, Final, TypeAlias

from agent_runtime import events as ev
from agent_runtime.events import AnyEvent

Words: TypeAlias = Callable[[Any, str], str]
"""What an event's data and the words of its cause come to."""

CAUSES: Final = {
    "agent_ended": "the agent was done first",
    "agent_uninterruptible": "the agent can't be interrupted now",
    "answered": "it answers again",
    "api": "the agent's code asked for it",
    "away_timer": "nothing was heard for a while",
    "backchannel": "it was a listener's word",
    "close": "the session closes",
    "cooldown_over": "it was left alone for long enough",
    "disconnected": "the room was lost",
    "early_interruption": "the agent took a pause for the end of the turn",
    "delete": "you took an item out",
    "edit": "you changed an item",
    "empty": "there was nothing in it",
    "endpointing.max_delay": "endpointing.max_delay was over: you might have gone on",
    "endpointing.min_delay": "endpointing.min_delay was over: you seemed done",
    "failed": "a request failed",
    "forced": "it was forced",
    "fork": "you forked",
    "generate_reply": "the agent's code asked for a reply",
    "handoff": "a tool handed the conversation over",
    "insert": "you put an item in",
    "interrupted": "the agent was interrupted",
    "key": "you pressed the key",
    "length": "no words yet: judged by its length",
    "manual": "the agent's code decides when a turn ends",
    "max_delay": "the turn detector isn't sure that you are done",
    "max_duration": "it lasted longer than user_turn_limit.max_duration",
    "max_words": "it has more words than user_turn_limit.max_words",
    "min_delay": "you seem to be done",
    "pause": "you paused between two stretches of speech",
    "playout": "the first sound is out",
    "playout_finished": "everything was said",
    "preemptive": "early: before your turn is certain to be over",
    "probe": "it is tried in the background",
    "probe_cancelled": "the try was given up",
    "probe_failed": "the try failed",
    "push_to_talk": "push-to-talk",
    "reload": "new code",
    "request": "you asked for it",
    "rewind": "you went back",
    "save": "a file was saved",
    "say": "the agent spoke up",
    "speech": "you began to speak",
    "start": "at the start",
    "stop_response": "the agent's code stopped the reply",
    "stt": "the recogniser said so",
    "switch": "you chose another branch",
    "task": "an agent awaits it",
    "task_completed": "the task is complete",
    "task_failed": "the task failed",
    "text": "you typed",
    "tool_reply": "to tell what the tool gave",
    "turn": "your turn is over",
    "turn_committed": "your turn is over",
    "update_agent": "the agent's code asked for it",
    "vad": "the voice detector said so",
    "voice": "you spoke",
    "words": "judged by its words",
}
"""The vocabulary of causes in plain words."""

WAITS_FOR: Final = {
    "speech": "the agent to finish speaking",
    "tool": "a tool to end",
    "handoff": "the handoff",
    "task": "a task to be complete",
}
"""What new code waits for."""

REPLIES: Final = {
    "scheduled": "a reply will tell of it",
    "completed": "you were told of it",
    "interrupted": "the reply that tells of it was cut short",
    "skipped": "the agent had nothing more to say about it",
}
"""What became of the reply that tells of calls in the background."""

STOOD_IN: Final = {"result": "mocked", "error": "made to fail", "delay": "delayed"}
"""What somebody had done to a tool for the time being."""


def sentence(event: AnyEvent) -> str:
    """What an event says. One of a kind that has no words yet is told field by field."""
    words = SENTENCES.get(type(event.data))
    return facts(event) if words is None else words(event.data, why(event.cause))


def why(cause: str | None) -> str:
    """A cause in plain words; one that isn't known as it is; empty for none."""
    return CAUSES.get(cause, cause.replace("_", " ")) if cause else ""


def facts(event: AnyEvent) -> str:
    """An event field by field: its cause, then each that says something, ids last."""
    found = [f"({event.cause})"] if event.cause else []
    ids: list[str] = []
    for field in dataclasses.fields(event.data):
        value = getattr(event.data, field.name)
        if field.name != "type" and value not in (None, "", ()):
            (ids if field.name.endswith("_id") else found).append(f"{field.name}={_short(value)}")
    return "  ".join([*found, *ids])


def _short(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else value if isinstance(value, str) else str(value)


def _then(text: str, *more: str) -> str:
    """Parts that say something, one after the other."""
    return " · ".join(part for part in (text, *more) if part)


_NEWEST: Final = 3
"""Words of the agent's that the line about what was heard ends with."""


def _quote(text: str) -> str:
    return f"“{text.strip()}”" if text.strip() else ""


def _heard(data: ev.AgentHeard, why: str) -> str:
    """The newest words: those before them stand in the lines above."""
    words = data.text.split()
    newest = " ".join(words[-_NEWEST:])
    told = f"“{'… ' if len(words) > _NEWEST else ''}{newest}”"
    return f"{told} was heard at {data.position:.2f} s" if data.position else f"{told} can be read"


def _place(file: str, line: int | None) -> str:
    return PurePath(file).name + (f":{line}" if line is not None else "")


def outcome(data: ev.ErrorOccurred) -> str:
    """What became of it. Where it ends the session, `SessionClosed` says so; a crash says what to do."""
    if data.source == "runtime":
        return ""
    return "the conversation goes on" if data.recoverable else "given up; the conversation goes on"


def turn_words(turn_id: str) -> str:
    """`turn 3` of the id `turn_3`."""
    return turn_id.replace("_", " ")


def count(number: int, word: str) -> str:
    """`1 item`, `2 items`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def against(probability: float, threshold: float) -> str:
    """`0.72 ≥ 0.50`."""
    return f"{probability:.2f} {'≥' if probability >= threshold else '<'} {threshold:.2f}"


# --- session and hearing ------------------------------------------------------------------------------------------


def _agent_changed(data: ev.AgentChanged, cause: str) -> str:
    tools = f"tools: {', '.join(data.tools)}" if data.tools else "no tools"
    return _then(f"{data.old} → {data.new}" if data.old else f"{data.new} has the conversation", cause, tools)


def _meter(data: ev.AudioMeter, cause: str) -> str:
    speech = "" if data.vad_probability is None else f"speech {against(data.vad_probability, data.vad_threshold)}"
    clip = "clipped" if data.clipped else ""
    return _then(f"microphone {data.input_rms:.0f} dB, speaker {data.output_rms:.0f} dB", speech, clip)


def _transcribed(data: ev.UserTranscribed, cause: str) -> str:
    about = ", ".join(part for part in (data.language, data.speaker_id) if part)
    return _then(_quote(data.text) or "nothing", "" if data.is_final else "so far", about)


def _endpointing(data: ev.EndpointingStarted, cause: str) -> str:
    known = data.end_of_turn_probability is not None and data.threshold is not None
    sure = f"turn detector {against(data.end_of_turn_probability or 0.0, data.threshold or 0.0)}" if known else ""
    return _then(f"your turn ends {data.delay:.2f} s after your last word", cause, sure)


def learned_words(data: ev.EndpointingLearned, cause: str) -> str:
    """How a pause changed the shortest wait."""
    return f"endpointing.min_delay is now {data.min_delay:.2f} s: a pause of {data.pause:.2f} s, {cause}"


def overlap_words(data: ev.OverlappingSpeech, cause: str) -> str:
    """What speech over the agent's was taken for."""
    verdict = "an interruption" if data.is_interruption else "no interruption"
    after = f"{data.detection_delay:.2f} s after you began"
    return _then(
        f"you spoke over the agent: {verdict}, {against(data.probability, data.threshold)}", f"{after}, {cause}"
    )


def exceeded_words(data: ev.UserTurnExceeded, cause: str) -> str:
    """That the user talks too long."""
    return f"you talk longer than the agent allows: {count(data.words, 'word')} in {data.duration:.1f} s · {cause}"


def unheard_words(data: ev.TranscriptionTimedOut, cause: str) -> str:
    """That speech brought no words."""
    return f"{data.speech_duration:.2f} s of speech brought no words within transcription_timeout"


# --- the reply -----------------------------------------------------------------------------------------------------


def _llm_finished(data: ev.LLMFinished, cause: str) -> str:
    about = "≈" if data.estimated else ""
    cached = f" ({data.cached_tokens:,} cached)" if data.cached_tokens else ""
    tokens = f"{about}{data.prompt_tokens:,} tokens in{cached}, {about}{data.completion_tokens:,} out"
    return _then(f"{data.model or 'the model'} took {data.duration:.2f} s", tokens, "cut" if data.cancelled else "")


def _tts_finished(data: ev.TTSFinished, cause: str) -> str:
    made = f"{data.audio_duration:.2f} s of audio of {data.characters:,} characters in {data.duration:.2f} s"
    return _then(data.model, made, "cut" if data.cancelled else "")


def _tool_finished(data: ev.ToolFinished, cause: str) -> str:
    how = "refused the arguments" if data.invalid else "failed" if data.is_error else "gave"
    stand_in = f"a {data.stand_in} stood in" if data.stand_in else ""
    return _then(f"{data.name} {how} in {data.duration:.2f} s: {data.output}", stand_in)


def _item(data: ev.ItemAdded, cause: str) -> str:
    item = data.item
    kind = str(item.get("type", "item")).replace("_", " ")
    if kind == "message":
        said = " ".join(part for part in item.get("content", ()) if isinstance(part, str))
        return _then(f"to the history: {item.get('role', '')} {_quote(said)}", "cut" if item.get("interrupted") else "")
    if kind == "agent handoff":
        return f"to the history: handoff to {item.get('new_agent_id', 'another agent')}"
    return "to the history: " + " ".join(str(p) for p in (kind, item.get("name", ""), item.get("output", "")) if p)


def _measured(data: ev.TurnMeasured, cause: str) -> str:
    parts = " + ".join(f"{part.name.replace('_', ' ')} {part.end - part.start:.2f}" for part in data.parts)
    return f"{data.end - data.start:.2f} s from your last word to the first sound" + (f" = {parts}" if parts else "")


# --- what is around it -----------------------------------------------------------------------------------------------


def _loading(data: ev.ModelLoading, cause: str) -> str:
    state = data.error or ("ready" if data.fraction >= 1 else f"{data.fraction * 100:.0f} %")
    return f"{data.part} {data.name}: {state}"


def _device(data: ev.DeviceChanged, cause: str) -> str:
    word = "microphone" if data.kind == "input" else "speaker"
    rate = f"{data.sample_rate:,} Hz" if data.sample_rate else ""
    return _then(f"{word} {data.state}: {data.name}".rstrip(": "), rate, data.problem or "")


def _reloaded(data: ev.ReloadFinished, cause: str) -> str:
    tools = ", ".join(f"{tool.name} {tool.change}" for tool in data.tools)
    changes = [
        "instructions" if data.instructions else "",
        f"tools: {tools}" if tools else "",
        f"options: {', '.join(option.name for option in data.options)}" if data.options else "",
    ]
    changed = ", ".join(change for change in changes if change) or "same instructions and tools"
    waited = f"{data.waited:.2f} s of it waited for the agent" if data.waited >= 0.005 else ""
    return _then(f"{data.agent} answers with new code after {data.duration:.2f} s", changed, waited)


def _circuits(data: ev.CircuitsChanged, cause: str) -> str:
    if not data.circuits:
        return f"{data.part}: no providers that stand in for each other"
    if data.changed is None or not 0 <= data.changed < len(data.circuits):
        return _then(f"{data.part} in this order: {', '.join(circuit.name for circuit in data.circuits)}", cause)
    circuit = data.circuits[data.changed]
    states = {"closed": "is asked again", "open": "is left alone", "half_open": "is being tried"}
    problem = circuit.problem if circuit.state == "open" else ""
    return _then(f"{data.part} {circuit.name} {states[circuit.state]}", cause, problem)


_ECHO: Final = {
    "off": "echo cancellation is off",
    "no_speaker": "there is no speaker whose sound could come back",
    "no_echo": "the microphone doesn't hear the speaker: nothing is taken out",
}


def _echo(data: ev.EchoCancellation, cause: str) -> str:
    if data.state != "on":
        return _ECHO[data.state]
    removed = "nothing to take out yet" if data.removed is None else f"{data.removed:.0f} dB taken out"
    return f"the speaker comes back after {data.delay * 1000:.0f} ms · {removed}"


def _stood_in(data: ev.ToolStoodIn, cause: str) -> str:
    if data.result is None and data.error is None and not data.delay:
        return f"{data.name} answers for itself again"
    if data.error is not None:
        answer = f"fails with {data.error}"
    else:
        answer = f"gives {data.result}" if data.result is not None else "answers for itself"
    return _then(f"{data.name} {answer}", f"after {data.delay:.2f} s" if data.delay else "")


def _context(data: ev.ContextShown, cause: str) -> str:
    about = "" if data.exact else "≈"
    tools = f" + {data.tool_tokens:,} of tools" if data.tool_tokens else ""
    return _then(
        f"{count(len(data.items), 'item')}, {about}{data.tokens:,} tokens{tools} by {data.counted_by}",
        cause,
        data.problem,
    )


def _branches(data: ev.BranchesChanged, cause: str) -> str:
    dropped = f"{count(data.dropped, 'item')} dropped" if data.dropped else ""
    return _then(f"the conversation goes on in {data.current}, one of {len(data.branches)}", cause, dropped)


def _track(data: ev.TrackChanged, cause: str) -> str:
    return _then(
        f"{data.identity}'s {data.source} ({data.kind}) {data.state}", "muted" if data.muted else "", data.name
    )


def _room_figures(data: ev.RoomFigures, cause: str) -> str:
    there = "" if data.round_trip is None else f"{data.round_trip * 1000:.0f} ms to the server and back"
    return _then(there, count(len(data.tracks), "track"))


ENCRYPTION: Final = {
    "ok": "is understood: the keys fit",
    "wrong_key": "can't be understood: theirs is another key",
    "no_key": "can't be understood: they encrypt and the agent has no key",
    "unencrypted": "can't be understood: they don't encrypt and the agent does",
}
"""Whether a participant is understood, in words."""


SENTENCES: Final[Mapping[type, Words]] = {
    # the session
    ev.SessionStarted: lambda data, why: f"{data.agent} listens, mode {data.mode}",
    ev.SessionClosed: lambda data, why: _then("it ended: " + data.reason.replace("_", " "), data.error or ""),
    ev.AgentChanged: _agent_changed,
    ev.UserStateChanged: lambda data, why: _then(f"you: {data.old} → {data.new}", why),
    ev.AgentStateChanged: lambda data, why: _then(f"agent: {data.old} → {data.new}", why),
    # hearing
    ev.AudioMeter: _meter,
    ev.UserTranscribed: _transcribed,
    ev.EndpointingStarted: _endpointing,
    ev.EndpointingCancelled: lambda data, why: "you went on before the wait was over",
    ev.EndpointingLearned: learned_words,
    ev.OverlappingSpeech: overlap_words,
    ev.SpeechRecognized: lambda data, why: f"{data.model or 'the recogniser'} worked off {data.audio_duration:.1f} s",
    ev.TranscriptionTimedOut: unheard_words,
    ev.UserTurnExceeded: exceeded_words,
    ev.TurnStarted: lambda data, why: _then(f"turn {data.number} begins", why),
    ev.TurnCommitted: lambda data, why: _then(_quote(data.text) or "without words", why),
    ev.TurnDiscarded: lambda data, why: _then(f"{_quote(data.text) or 'nothing'} is dropped", why),
    # the reply
    ev.SpeechCreated: lambda data, why: _then(
        f"a speech is scheduled by {data.source.replace('_', ' ')}", f"priority {data.priority}"
    ),
    ev.HookFinished: lambda data, why: f"{data.name} ran for {data.duration:.2f} s",
    ev.LLMStarted: lambda data, why: _then(
        f"{data.model or 'the model'} is asked", why, f"step {data.step + 1}" if data.step else ""
    ),
    ev.LLMFirstToken: lambda data, why: f"{data.ttft:.2f} s to the first token",
    ev.LLMFinished: _llm_finished,
    ev.AgentText: lambda data, why: _quote(data.delta) or "a space",
    ev.TTSStarted: lambda data, why: f"{data.model or 'the voice'} gets the first text",
    ev.TTSFirstByte: lambda data, why: f"{data.ttfb:.2f} s to the first audio",
    ev.TTSFinished: _tts_finished,
    ev.PlayoutStarted: lambda data, why: "the first sample is heard",
    ev.AgentHeard: _heard,
    ev.PlayoutPaused: lambda data, why: _then(f"the agent holds still at {data.position:.2f} s", why),
    ev.PlayoutResumed: lambda data, why: "it was no interruption: the agent goes on",
    ev.PlayoutFinished: lambda data, why: (
        (f"{data.position:.2f} s were heard" if data.position else "nothing was spoken")
        + (", then it was cut short" if data.interrupted else "")
    ),
    ev.SpeechFinished: lambda data, why: "the speech was cut short" if data.interrupted else "the speech is over",
    ev.AgentInterrupted: lambda data, why: _then("the agent was stopped", why),
    # tools, history, time
    ev.ToolStarted: lambda data, why: f"{data.name} is called with {data.arguments}",
    ev.ToolUpdated: lambda data, why: _then(
        f"{data.name} tells: {data.message}", "only the model is told" if data.silent else ""
    ),
    ev.ToolFinished: _tool_finished,
    ev.ToolReplyUpdated: lambda data, why: _then(REPLIES[data.status], ", ".join(data.update_ids)),
    ev.ItemAdded: _item,
    ev.TurnMeasured: _measured,
    # models, devices, code
    ev.ModelLoading: _loading,
    ev.DeviceChanged: _device,
    ev.InputMuted: lambda data, why: "the microphone is muted" if data.muted else "the microphone is heard again",
    ev.PushToTalkChanged: lambda data, why: {
        "pressed": "you have the floor",
        "sent": "what you said was sent",
        "discarded": "what you said was dropped",
        "off": "turns end by themselves again",
    }[data.state],
    ev.AudioDropped: lambda data, why: f"{count(data.frames, 'frame')} of the {data.where} were lost so far",
    ev.ReloadStarted: lambda data, why: _then(
        f"{', '.join(PurePath(file).name for file in data.files) or 'the code'} is loaded again", why
    ),
    ev.ReloadPending: lambda data, why: f"new code for {data.agent} waits for {WAITS_FOR[data.waits_for]}",
    ev.ReloadFinished: _reloaded,
    ev.ReloadFailed: lambda data, why: f"{_place(data.file, data.line)}: {data.message} · the old code goes on",
    ev.LogWritten: lambda data, why: f"{data.level} {data.logger}: {data.message}",
    ev.ErrorOccurred: lambda data, why: _then(f"{data.source}: {data.message}", outcome(data)),
    ev.LoopStalled: lambda data, why: f"{_place(data.file, data.line)} blocks the agent since {data.duration:.2f} s",
    ev.LoopBlocked: lambda data, why: f"{_place(data.file, data.line)} blocked the agent for {data.duration:.2f} s",
    ev.LoopLag: lambda data, why: (
        f"late by {data.p99 * 1000:.0f} ms (p99), {data.worst * 1000:.0f} ms at worst, in {data.window:.0f} s"
    ),
    ev.EchoCancellation: _echo,
    ev.CircuitsChanged: _circuits,
    ev.PartRestarting: lambda data, why: (
        f"{data.part} is begun again in {data.delay:.1f} s after {count(data.failures, 'failure')} in a row"
    ),
    ev.RecordingChanged: lambda data, why: _then(f"recording {data.state}: {data.folder}", data.problem or ""),
    ev.TurnMarked: lambda data, why: _then("you marked this turn", data.note),
    # the workshop
    ev.ToolsListed: lambda data, why: _then(
        f"{data.agent} may call {', '.join(tool.name for tool in data.tools) or 'nothing'}", why
    ),
    ev.ToolStoodIn: _stood_in,
    ev.ToolTried: lambda data, why: f"you run {data.name} {data.arguments}",
    ev.ToolTryFinished: lambda data, why: (
        f"{data.name} {'failed' if data.is_error else 'gave'} in {data.duration:.2f} s: {data.output or 'nothing'}"
    ),
    ev.ToolTryKept: lambda data, why: "the run by hand is part of the conversation now",
    ev.ContextShown: _context,
    ev.BranchesChanged: _branches,
    ev.RequestRefused: lambda data, why: f"{data.request} can't be done: {data.problem}",
    # the room
    ev.ModeChanged: lambda data, why: _then(
        f"the conversation goes on {'in the room ' + (data.room or '') if data.mode == 'room' else 'on this machine'}",
        f"after {data.took:.2f} s",
        why,
    ),
    ev.RoomServerMissing: lambda data, why: f"no room: {data.missing} not set · {data.binary} could be started here",
    ev.EncryptionChanged: lambda data, why: f"{data.identity} {ENCRYPTION.get(data.state, data.state)}",
    ev.RoomFigures: _room_figures,
    ev.RoomConnected: lambda data, why: f"the agent is in {data.room} as {data.identity}",
    ev.RoomReconnecting: lambda data, why: "the connection to the room is interrupted: it is tried again",
    ev.RoomReconnected: lambda data, why: f"the connection to the room is back after {data.took:.2f} s",
    ev.RoomDisconnected: lambda data, why: _then(f"the agent left the room: {data.reason}", data.advice),
    ev.RoomInvitation: lambda data, why: f"others get into {data.room} by the command or link in the room panel",
    ev.ParticipantJoined: lambda data, why: _then(f"{data.identity} is in the room", data.name, data.kind),
    ev.ParticipantLeft: lambda data, why: _then(f"{data.identity} left the room", data.reason),
    ev.ParticipantLinked: lambda data, why: f"the agent hears {data.identity or 'nobody: it waits for somebody'}",
    ev.ActiveSpeakers: lambda data, why: f"{', '.join(data.identities) or 'nobody'} speaks",
    ev.TrackChanged: _track,
    ev.ConnectionQuality: lambda data, why: f"{data.identity}'s connection is {data.quality}",
}
"""The words of each kind of event."""
