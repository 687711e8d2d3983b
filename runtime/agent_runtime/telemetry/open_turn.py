"""One turn while it lasts: its spans, as far as they are known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agent_runtime import events as ev
from agent_runtime.events import AnyEvent
from agent_runtime.telemetry.spans import Attributes, Span


class OpenTurn:
    """See the module. Times are the session's.

    Args:
        event: what opened it.
        agent: id of the agent that has the conversation.
        capture_content: whether attributes may hold what was said and what tools were given and gave back.
    """

    def __init__(self, event: AnyEvent, *, agent: str, capture_content: bool) -> None:
        assert event.turn_id is not None
        self.turn_id = event.turn_id
        self.root = Span("turn", event.time, event.time, {"session.id": event.session_id, "turn.id": self.turn_id})
        self.root.attributes |= {"gen_ai.conversation.id": event.session_id, "turn.interrupted": False}
        if agent:
            self.root.attributes["gen_ai.agent.id"] = agent
        self._capture_content = capture_content
        self._settled = not isinstance(event.data, ev.TurnStarted)  # whether the user's part is over
        self._discarded = False
        self._replied = False
        self._speeches: set[str] = set()  # those that aren't over
        self._early: set[str] = set()  # those that were begun before the turn was certain
        self._running: dict[tuple[str, str], Span] = {}
        self._paused_at: float | None = None
        self._heard: dict[str, str] = {}

    @property
    def over(self) -> bool:
        """Whether nothing more is expected of it."""
        return self._settled and not self._speeches and (self._replied or self._discarded)

    @property
    def silent(self) -> bool:
        """Whether the user's part is over and nothing answers it, as far as is known."""
        return self._settled and not self._speeches

    def feed(self, event: AnyEvent) -> None:
        """An event of this turn."""
        if (handler := _HANDLERS.get(type(event.data))) is not None:
            handler(self, event, event.data)

    def finish(self, time: float) -> Span:
        """The whole, ended."""
        for span in self._running.values():
            span.end = time if self._paused_at is None or span.name != "playout" else self._paused_at
        if self._heard:
            self.root.attributes["turn.agent_text"] = "\n".join(self._heard.values())
        self.root.enclose()
        return self.root

    # --- spans that run ----------------------------------------------------------------------------------------------

    def _start(self, kind: str, key: str, name: str, time: float, attributes: Attributes | None = None) -> Span:
        self._stop(kind, key, time)
        span = self._running[kind, key] = self.root.child(name, time, attributes)
        return span

    def _stop(self, kind: str, key: str, time: float) -> Span | None:
        span = self._running.pop((kind, key), None)
        if span is not None:
            span.end = time
        return span

    def _add(self, name: str, amount: float) -> None:
        total = self.root.attributes.get(name, 0)
        assert isinstance(total, int | float)
        self.root.attributes[name] = total + amount

    # --- the user's part ---------------------------------------------------------------------------------------------

    def _started(self, event: AnyEvent, data: ev.TurnStarted) -> None:
        self.root.attributes["turn.number"] = data.number
        self.root.attributes["turn.cause"] = event.cause or ""
        self._settled = event.cause in ("say", "generate_reply")

    def _user_state(self, event: AnyEvent, data: ev.UserStateChanged) -> None:
        if data.new == "speaking" and not self._settled:
            self._start("user", "", "user_speech", data.at)
        else:
            self._stop("user", "", data.at)

    def _endpointing(self, event: AnyEvent, data: ev.EndpointingStarted) -> None:
        attributes: Attributes = {"endpointing.cause": event.cause or "", "endpointing.delay": data.delay}
        if data.end_of_turn_probability is not None and data.threshold is not None:
            attributes["endpointing.probability"] = data.end_of_turn_probability
            attributes["endpointing.threshold"] = data.threshold
        self.root.note("endpointing_started", event.time, attributes)

    def _committed(self, event: AnyEvent, data: ev.TurnCommitted) -> None:
        self._settled = True
        self._stop("user", "", event.time if data.speech_ended_at is None else data.speech_ended_at)
        self.root.attributes["turn.end_cause"] = event.cause or ""
        self.root.note("committed", event.time)
        self.root.end = max(self.root.end, event.time)
        if self._capture_content:
            self.root.attributes["turn.user_text"] = data.text

    def _discard(self, event: AnyEvent, data: ev.TurnDiscarded) -> None:
        self._settled = self._discarded = True
        self._stop("user", "", event.time)
        self.root.attributes["turn.discarded"] = event.cause or ""
        self.root.end = max(self.root.end, event.time)

    def _measured(self, event: AnyEvent, data: ev.TurnMeasured) -> None:
        wait = self.root.child("wait", data.start)
        wait.end = data.end
        self.root.attributes["turn.latency"] = data.end - data.start
        for part in data.parts:
            child = wait.child(f"wait.{part.name}", part.start)
            child.end = part.end
            if part.setting is not None:
                child.attributes["wait.setting"] = part.setting

    def _hook(self, event: AnyEvent, data: ev.HookFinished) -> None:
        self.root.child(f"hook {data.name}", event.time - data.duration).end = event.time

    # --- the reply ---------------------------------------------------------------------------------------------------

    def _speech_created(self, event: AnyEvent, data: ev.SpeechCreated) -> None:
        self._speeches.add(data.speech_id)

    def _speech_finished(self, event: AnyEvent, data: ev.SpeechFinished) -> None:
        for kind in ("llm", "tts", "playout"):
            self._stop(kind, data.speech_id, event.time)
        self._speeches.discard(data.speech_id)
        if data.interrupted and data.speech_id in self._early:
            self.root.note("early_reply_dropped", event.time)
        else:
            self._replied = True

    def _llm_started(self, event: AnyEvent, data: ev.LLMStarted) -> None:
        if event.cause == "preemptive":
            self._early.add(data.speech_id)
        attributes: Attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": data.model,
            "llm.cause": event.cause or "",
            "llm.step": data.step,
        }
        self._start("llm", data.speech_id, f"chat {data.model}".strip(), event.time, attributes)

    def _llm_first_token(self, event: AnyEvent, data: ev.LLMFirstToken) -> None:
        if (span := self._running.get(("llm", data.speech_id))) is not None:
            span.note("first_token", event.time)
            span.attributes["gen_ai.response.time_to_first_chunk"] = data.ttft

    def _llm_finished(self, event: AnyEvent, data: ev.LLMFinished) -> None:
        usage = {
            "gen_ai.usage.input_tokens": data.prompt_tokens,
            "gen_ai.usage.output_tokens": data.completion_tokens,
            "gen_ai.usage.cache_read.input_tokens": data.cached_tokens,
        }
        if (span := self._stop("llm", data.speech_id, event.time)) is not None:
            span.attributes |= {**usage, "cancelled": data.cancelled}
        for name, tokens in usage.items():
            self._add(name, tokens)

    def _tool_started(self, event: AnyEvent, data: ev.ToolStarted) -> None:
        attributes: Attributes = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.type": "function",
            "gen_ai.tool.name": data.name,
            "gen_ai.tool.call.id": data.call_id,
        }
        if self._capture_content:
            attributes["gen_ai.tool.call.arguments"] = data.arguments
        self._start("tool", data.call_id, f"execute_tool {data.name}", event.time, attributes)
        self._add("turn.tool_calls", 1)

    def _tool_finished(self, event: AnyEvent, data: ev.ToolFinished) -> None:
        if (span := self._stop("tool", data.call_id, event.time)) is None:
            return
        span.failed = data.is_error
        if data.is_error:
            span.attributes["error.type"] = "tool_error"
        if self._capture_content:
            span.attributes["gen_ai.tool.call.result"] = data.output

    def _tts_started(self, event: AnyEvent, data: ev.TTSStarted) -> None:
        name = f"text_to_speech {data.model}".strip()
        self._start("tts", data.speech_id, name, event.time, {"gen_ai.request.model": data.model})

    def _tts_first_byte(self, event: AnyEvent, data: ev.TTSFirstByte) -> None:
        if (span := self._running.get(("tts", data.speech_id))) is not None:
            span.note("first_byte", event.time)
            span.attributes["tts.time_to_first_byte"] = data.ttfb

    def _tts_finished(self, event: AnyEvent, data: ev.TTSFinished) -> None:
        if (span := self._stop("tts", data.speech_id, event.time)) is not None:
            span.attributes |= {
                "tts.characters": data.characters,
                "tts.audio_duration": data.audio_duration,
                "cancelled": data.cancelled,
            }
        self._add("tts.characters", data.characters)

    # --- what is heard -----------------------------------------------------------------------------------------------

    def _playout_started(self, event: AnyEvent, data: ev.PlayoutStarted) -> None:
        self._paused_at = None
        self._start("playout", data.speech_id, "playout", event.time)

    def _playout_paused(self, event: AnyEvent, data: ev.PlayoutPaused) -> None:
        self._paused_at = event.time
        if (span := self._running.get(("playout", data.speech_id))) is not None:
            span.note("paused", event.time, {"cause": event.cause or ""})

    def _playout_resumed(self, event: AnyEvent, data: ev.PlayoutResumed) -> None:
        self._paused_at = None
        if (span := self._running.get(("playout", data.speech_id))) is not None:
            span.note("resumed", event.time)

    def _playout_finished(self, event: AnyEvent, data: ev.PlayoutFinished) -> None:
        # What was paused and never resumed fell silent when it was paused.
        end = event.time if self._paused_at is None else self._paused_at
        span = self._stop("playout", data.speech_id, end)
        if span is None and data.position > 0:  # a further stretch of the same speech
            span = self.root.child("playout", end - data.position)
            span.end = end
        if span is not None:
            span.attributes |= {"playout.position": data.position, "playout.interrupted": data.interrupted}
            self._add("playout.duration", data.position)
        self._paused_at = None

    def _agent_heard(self, event: AnyEvent, data: ev.AgentHeard) -> None:
        if self._capture_content:
            self._heard[data.item_id] = data.text

    def _interrupted(self, event: AnyEvent, data: ev.AgentInterrupted) -> None:
        # Only what was certain to be said is interrupted; an early reply that is dropped just ends.
        self._early.discard(data.speech_id)
        self.root.attributes["turn.interrupted"] = True
        self.root.attributes["turn.interruption_cause"] = event.cause or ""

    def _error(self, event: AnyEvent, data: ev.ErrorOccurred) -> None:
        attributes: Attributes = {"error.source": data.source, "error.recoverable": data.recoverable}
        if self._capture_content:
            attributes["exception.message"] = data.message
        self.root.note("error", event.time, attributes)
        self.root.failed = self.root.failed or not data.recoverable


_HANDLERS: dict[type, Callable[[OpenTurn, AnyEvent, Any], None]] = {
    ev.TurnStarted: OpenTurn._started,
    ev.UserStateChanged: OpenTurn._user_state,
    ev.EndpointingStarted: OpenTurn._endpointing,
    ev.TurnCommitted: OpenTurn._committed,
    ev.TurnDiscarded: OpenTurn._discard,
    ev.TurnMeasured: OpenTurn._measured,
    ev.HookFinished: OpenTurn._hook,
    ev.SpeechCreated: OpenTurn._speech_created,
    ev.SpeechFinished: OpenTurn._speech_finished,
    ev.LLMStarted: OpenTurn._llm_started,
    ev.LLMFirstToken: OpenTurn._llm_first_token,
    ev.LLMFinished: OpenTurn._llm_finished,
    ev.ToolStarted: OpenTurn._tool_started,
    ev.ToolFinished: OpenTurn._tool_finished,
    ev.TTSStarted: OpenTurn._tts_started,
    ev.TTSFirstByte: OpenTurn._tts_first_byte,
    ev.TTSFinished: OpenTurn._tts_finished,
    ev.PlayoutStarted: OpenTurn._playout_started,
    ev.PlayoutPaused: OpenTurn._playout_paused,
    ev.PlayoutResumed: OpenTurn._playout_resumed,
    ev.PlayoutFinished: OpenTurn._playout_finished,
    ev.AgentHeard: OpenTurn._agent_heard,
    ev.AgentInterrupted: OpenTurn._interrupted,
    ev.ErrorOccurred: OpenTurn._error,
}
READ: frozenset[type] = frozenset(_HANDLERS) | {ev.AgentChanged, ev.SessionClosed, ev.SessionStarted}
"""The events that matter here."""
