"""Makes the agent's speeches and carries each through its steps: generate, speak, run tools, answer to them."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent_runtime import events as ev
from agent_runtime.llm import ChatContext, ChatItem, ChatMessage, MetricsReport, ToolChoice, ToolContext
from agent_runtime.types import NOT_GIVEN, NotGivenOr, is_given
from agent_runtime.voice import turn_inputs as inputs
from agent_runtime.voice.agent import Agent, ModelSettings
from agent_runtime.voice.expressive import add_guide
from agent_runtime.voice.generation import Step
from agent_runtime.voice.instructions import tell_by_modality
from agent_runtime.voice.offered_tools import offered
from agent_runtime.voice.realtime_step import RealtimeStep
from agent_runtime.voice.speech_handle import InputDetails, SpeechHandle
from agent_runtime.voice.tool_runner import ExecutedCall
from agent_tools import Tool, Toolset

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame

    from agent_runtime.llm import GenerationCreatedEvent
    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.events import FunctionToolsExecutedEvent
    from agent_runtime.voice.reporter import SpeechSource

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class ReplyRequest:
    """What a reply is made from."""

    agent: Agent
    chat_ctx: ChatContext | None = None
    """None: the agent's, as it is when the reply begins."""
    user_message: ChatMessage | None = None
    instructions: str | None = None
    tools: list[Tool | Toolset] | None = None
    """None: the agent's."""
    tool_choice: NotGivenOr[ToolChoice] = NOT_GIVEN
    cause: str = "generate_reply"
    on_enter: bool = False
    """Asked for in that hook."""
    early: bool = False
    """Begun before the turn is over."""
    generation: GenerationCreatedEvent | None = None
    """What a realtime model says already."""
    heard: bool = False
    """A realtime model heard the message itself."""


@dataclass(slots=True)
class SayRequest:
    """A text that is spoken as it is."""

    agent: Agent
    text: str | AsyncIterable[str]
    audio: AsyncIterable[AudioFrame] | None
    add_to_chat_ctx: bool


class Replies:
    """See the module. One per session."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.active: set[SpeechHandle] = set()
        """Speeches that aren't over, those whose tools run in the background included."""
        self._last_tools: tuple[list[int], ToolContext, list[Tool | Toolset]] | None = None

    def at_work(self) -> list[SpeechHandle]:
        """Those that were scheduled, but for what waits while an `AgentTask` has the conversation."""
        return [speech for speech in self.active if speech.scheduled and not speech._paused]

    # --- making speeches ---------------------------------------------------------------------------------------------

    def say(
        self,
        request: SayRequest,
        *,
        allow_interruptions: bool,
        turn_id: str | None,
    ) -> SpeechHandle:
        """Speak a given text."""
        speech = self._make(allow_interruptions, InputDetails("audio"), turn_id)
        self._announce(speech, "say", user_initiated=True)
        self._start(speech, self._run_say(speech, request))
        self._engine.scheduler.schedule(speech, SpeechHandle.SPEECH_PRIORITY_NORMAL)
        return speech

    def generate(
        self,
        request: ReplyRequest,
        *,
        allow_interruptions: bool,
        input_details: InputDetails,
        turn_id: str | None,
        user_initiated: bool,
        schedule: bool = True,
    ) -> SpeechHandle:
        """Answer. With `schedule` False it only begins to generate, until `schedule` is called."""
        speech = self._make(allow_interruptions, input_details, turn_id)
        self._announce(speech, "generate_reply", user_initiated=user_initiated)
        self._start(speech, self._run_reply(speech, request))
        if schedule:
            self.schedule(speech, request)
        return speech

    def schedule(self, speech: SpeechHandle, request: ReplyRequest) -> None:
        """Put a reply into the queue; the message that it answers becomes part of the conversation."""
        engine = self._engine
        if request.user_message is not None:
            engine.agents.add_item(request.agent, request.user_message, speech.turn_id)
        engine.feed(inputs.ReplyScheduled())
        engine.scheduler.schedule(speech, SpeechHandle.SPEECH_PRIORITY_NORMAL)

    def _make(self, allow_interruptions: bool, details: InputDetails, turn_id: str | None) -> SpeechHandle:
        if not allow_interruptions and self._engine.realtime.detects_turns:
            logger.warning("the realtime model itself stops for the user: allow_interruptions=False has no effect")
            allow_interruptions = True
        speech = SpeechHandle.create(allow_interruptions, details, turn_id)
        self._engine.adopt(speech)
        return speech

    def _announce(self, speech: SpeechHandle, source: SpeechSource, *, user_initiated: bool) -> None:
        self._engine.report.speech_created(
            speech, source, user_initiated=user_initiated, priority=SpeechHandle.SPEECH_PRIORITY_NORMAL
        )

    def _start(self, speech: SpeechHandle, steps: Any) -> None:
        self.active.add(speech)
        speech._task = asyncio.create_task(self._run(speech, steps), name=speech.id)

    # --- running them ------------------------------------------------------------------------------------------------

    async def _run(self, speech: SpeechHandle, steps: Any) -> None:
        error: BaseException | None = None
        try:
            await steps
        except Exception as e:
            error = e
            self._report_failure(speech, e)
        except asyncio.CancelledError:
            if not speech.interrupted:
                speech._interrupt("close", force=True)
        finally:
            self.active.discard(speech)
            engine = self._engine
            if engine.scheduler.current is speech:
                engine.feed(inputs.PlayoutEnded(speech.id, busy=False))
            engine.scheduler.release(speech)
            speech._mark_done(error)
            engine.report.emit(ev.SpeechFinished(speech.id, speech.interrupted), turn_id=speech.turn_id)
            engine.speech_ended()

    def _report_failure(self, speech: SpeechHandle, error: Exception) -> None:
        report, agent = self._engine.report, self._engine.agent
        if self._engine.providers.was_reported(error):
            return
        report.failed(f"reply of {agent.id if agent else 'the agent'}", error, turn_id=speech.turn_id)

    async def _run_say(self, speech: SpeechHandle, request: SayRequest) -> None:
        link = self._engine.realtime
        if link.active and request.audio is None and not self._engine.can_speak(request.agent) and link.can_say:
            await self._say_by_model(speech, request)
            return
        step = Step(self._engine, speech, request.agent, ModelSettings())
        step.allow_delivery()
        step.read(request.text, request.audio)
        if not await self._take_floor(speech):
            await step.cancel()
            return
        link.add_spoken(await self._play(step, request.agent, add_to_chat_ctx=request.add_to_chat_ctx))

    async def _say_by_model(self, speech: SpeechHandle, request: SayRequest) -> None:
        if await self._may_ask(speech):
            generation = await self._engine.realtime.say(speech, request.text)
            if generation is not None:
                reply = ReplyRequest(request.agent, generation=generation, cause="say", tool_choice="none")
                await self._run_realtime(speech, reply)

    async def _run_reply(self, speech: SpeechHandle, request: ReplyRequest) -> None:
        engine = self._engine
        # The words of a speech that was just cut belong to what this one answers to.
        await engine.settled(speech)
        if speech.interrupted:
            return
        request.agent = engine.agents.swaps.done_before(speech, request.agent)
        if engine.realtime.active:
            await self._run_realtime(speech, request)
            return
        if engine.llm is None and type(request.agent).llm_node is Agent.llm_node:
            await speech.wait_if_not_interrupted([speech._scheduled])
            engine.require_llm()
        agent = request.agent
        context = self._context(request)
        tell_by_modality(context, agent, speech.input_details.modality)
        add_guide(context, engine, agent, speech.input_details.modality)
        choice = request.tool_choice
        cause = request.cause
        while True:
            tools = self._tool_context([] if choice == "none" else self._tools_of(request))
            step = Step(engine, speech, agent, ModelSettings(tool_choice=choice))
            if not request.early or engine.options.preemptive_generation["preemptive_tts"]:
                step.allow_delivery()
            step.ask_model(context, tools, cause=cause)
            executed = await self._finish(step, speech, agent, context)
            if executed is None or speech.interrupted:
                return
            request.early = False
            choice = self._next_choice(speech, choice, executed)
            cause = "tool_reply"

    async def _run_realtime(self, speech: SpeechHandle, request: ReplyRequest) -> None:
        engine, agent = self._engine, request.agent
        choice, cause, generation = request.tool_choice, request.cause, request.generation
        tools = self._tool_context(self._tools_of(request))
        while True:
            if generation is None:
                generation = await self._ask_realtime(speech, request, choice, tools, cause)
            if generation is None:
                return
            step = RealtimeStep(engine, speech, agent, ModelSettings(tool_choice=choice))
            step.follow(generation, tools, cause=cause)
            executed = await self._finish(step, speech, agent, agent._chat_ctx.copy())
            if executed is None or speech.interrupted:
                engine.realtime.expect_no_tool_reply()
                return
            choice = self._next_choice(speech, choice, executed)
            cause, generation = "tool_reply", None

    async def _ask_realtime(
        self,
        speech: SpeechHandle,
        request: ReplyRequest,
        choice: NotGivenOr[ToolChoice],
        tools: ToolContext,
        cause: str,
    ) -> GenerationCreatedEvent | None:
        link = self._engine.realtime
        if not await self._may_ask(speech):
            return None
        if cause == "tool_reply":
            if link.answers_to_tools:
                return await link.tool_reply(speech)
            return await link.ask(speech, instructions=None, tool_choice=choice, tools=NOT_GIVEN)
        if request.user_message is not None and not request.heard:
            link.add_items([request.user_message])
        usual = self._tool_context(self._tools_of(ReplyRequest(request.agent)))
        own = request.tools is not None or tools != usual
        return await link.ask(
            speech,
            instructions=request.instructions,
            tool_choice=choice,
            tools=tools.flatten() if own else NOT_GIVEN,
        )

    async def _may_ask(self, speech: SpeechHandle) -> bool:
        # A realtime model speaks as soon as it is asked, one answer at a time.
        return await self._take_floor(speech) and await self._engine.turns.may_be_heard(speech)

    def offered_tools(self, agent: Agent) -> list[Tool]:
        """What the agent may call."""
        return self._tool_context(self._tools_of(ReplyRequest(agent))).flatten()

    def _tools_of(self, request: ReplyRequest) -> list[Tool | Toolset]:
        if request.tools is not None:
            return request.tools
        return offered([*self._engine.session._tools, *request.agent._tools], on_enter=request.on_enter)

    def _tool_context(self, tools: list[Tool | Toolset]) -> ToolContext:
        # Looking through the tools costs more than the rest of a turn together, and they seldom change.
        key = [id(tool) for tool in tools]
        if self._last_tools is None or self._last_tools[0] != key or any(isinstance(t, Toolset) for t in tools):
            self._last_tools = (key, ToolContext(tools), tools)
        return self._last_tools[1]

    def _next_choice(
        self, speech: SpeechHandle, choice: NotGivenOr[ToolChoice], executed: list[ExecutedCall]
    ) -> NotGivenOr[ToolChoice]:
        if speech._num_steps > self._engine.options.max_tool_steps + 1 or choice == "none":
            return "none"
        if any(isinstance(call.handoff, Agent) for call in executed):
            return "none"  # the agent says goodbye
        if all(call.is_update for call in executed if call.output.reply_required):
            return "none"  # nothing came of them yet that could be acted on
        return "auto"

    async def _finish(
        self, step: Step, speech: SpeechHandle, agent: Agent, context: ChatContext
    ) -> list[ExecutedCall] | None:
        """Carry a step to its end. The tools' results if they are to be answered, else None."""
        engine = self._engine
        await speech.wait_if_not_interrupted([speech._scheduled])
        step.allow_delivery()
        held_by = engine.floor_held_by(speech)
        if not await self._take_floor(speech):
            await step.cancel()
            return None
        step.waited_for_floor(held_by)
        step.allow_tools()
        try:
            messages = await self._play(step, agent, add_to_chat_ctx=True)
        except asyncio.CancelledError:
            self._keep_results(agent, speech, await step.tools.let_go())
            raise
        except Exception:
            # The reply failed; what its tools have done is done.
            self._keep_results(agent, speech, await step.tools.finish_interrupted(), answered=False)
            raise
        for message in messages:
            context.insert(message)
        if not step.tools.started:
            return None
        if speech.interrupted:
            self._keep_results(agent, speech, await step.tools.finish_interrupted())
            return None
        try:
            executed = await step.tools.finish()
        except asyncio.CancelledError:
            self._keep_results(agent, speech, await step.tools.let_go())
            raise
        items, event = self._keep_results(agent, speech, executed)
        since = engine.calls.unmark(context, step.began_wall)
        for item in items:
            context.insert(item)
        _catch_up(context, agent._chat_ctx, since=since)
        engine.calls.mark(context, agent)
        self._mark_tools(step)
        handoff = next((e.handoff for e in executed if e.handoff is not None), None)
        if event is None:
            return None
        if isinstance(handoff, Agent) and event.has_agent_handoff:
            engine.agents.hand_over(handoff, "handoff", None if event.has_tool_reply else speech)
        if not event.has_tool_reply or speech.interrupted or engine.agent is not agent:
            return None
        speech._num_steps += 1
        engine.report.speech_created(
            speech, "tool_response", user_initiated=False, priority=SpeechHandle.SPEECH_PRIORITY_NORMAL
        )
        engine.feed(inputs.ReplyScheduled())
        engine.scheduler.schedule(speech, SpeechHandle.SPEECH_PRIORITY_NORMAL)
        return executed

    def _mark_tools(self, step: Step) -> None:
        clock = step.speech._turn_clock
        if clock is not None and step.tools.finished_at is not None:
            step.mark_generation()
            clock.mark("tools", self._engine.report.relative(step.tools.finished_at))

    async def _take_floor(self, speech: SpeechHandle) -> bool:
        await speech.wait_if_not_interrupted([speech._authorized])
        return not speech.interrupted

    async def _play(self, step: Step, agent: Agent, *, add_to_chat_ctx: bool) -> list[ChatMessage]:
        """Wait until the step was heard, add what was heard to the conversation, and give the floor back."""
        engine, speech = self._engine, step.speech
        taken_at = engine.report.wall()
        failure: Exception | None = None
        try:
            await step.played()
            step.tell_silence()
        except Exception as e:
            failure = e
            engine.playout.stop()
        if speech.interrupted or failure is not None:
            await step.cancel()
        cut = speech.interrupted or failure is not None or step.was_cut
        messages = [
            ChatMessage(
                id=item_id,
                role="assistant",
                content=[said],
                interrupted=cut,
                created_at=taken_at,
                metrics=self._metrics(step),
                extra=step.extra,
            )
            for item_id, said in step.messages
            if said.strip() and add_to_chat_ctx
        ]
        for earlier in messages[:-1]:
            earlier.interrupted = False
        for message in messages:
            engine.agents.add_item(agent, message, speech.turn_id)
            speech._item_added([message])
        busy = (step.tools.started or engine.works_beside(speech)) and not speech.interrupted and failure is None
        engine.feed(inputs.PlayoutEnded(speech.id, busy=busy))
        engine.scheduler.release(speech)
        if failure is not None:
            raise failure
        return messages

    def _metrics(self, step: Step) -> MetricsReport:
        wall, speech = self._engine.report.wall, step.speech
        metrics: MetricsReport = {}
        if step.first_token_at is not None:
            metrics["llm_node_ttft"] = step.first_token_at - step.began_at
            if self._engine.llm is not None:
                metrics["llm_metadata"] = self._engine.llm.metrics_metadata
            if step.synthesis_at is not None:
                metrics["llm_node_ttfs"] = step.synthesis_at - step.began_at
        if step.first_audio_at is not None and self._engine.tts is not None:
            metrics["tts_metadata"] = self._engine.tts.metrics_metadata
        if step.tts_ttfb is not None:
            metrics["tts_node_ttfb"] = step.tts_ttfb
        if step.heard_from is not None:
            metrics["started_speaking_at"] = wall(step.heard_from)
            metrics["stopped_speaking_at"] = wall()
            if step.first_audio_at is not None:
                metrics["playback_latency"] = step.heard_from - step.first_audio_at
            clock = speech._turn_clock
            if clock is not None and speech._num_steps == 1:
                metrics["e2e_latency"] = self._engine.report.relative(step.heard_from) - clock.start
        if step.response_id is not None:
            metrics["provider_request_ids"] = [step.response_id]
        return metrics

    def _keep_results(
        self, agent: Agent, speech: SpeechHandle, executed: list[ExecutedCall], *, answered: bool = True
    ) -> tuple[list[ChatItem], FunctionToolsExecutedEvent | None]:
        """Add calls and outputs to the conversation, whatever becomes of the reply to them."""
        calls = [e.call for e in executed]
        outputs = [e.output for e in executed]
        if not executed:
            return [], None
        if speech.interrupted or not answered:
            for each in executed:
                each.output.reply_required = False
                if each.handoff is not None:
                    each.output.output = "The agent handoff did not happen: the reply was interrupted."
                    each.output.is_error = True
        handoff = sum(isinstance(e.handoff, Agent) for e in executed) == 1
        event = self._engine.report.tools_executed(calls, outputs, handoff=handoff)
        items: list[ChatItem] = [*calls, *outputs]
        for item in items:
            self._engine.agents.add_item(agent, item, speech.turn_id)
        speech._item_added(items)
        for each in executed:
            each.running.noted()
        self._engine.realtime.add_items(items)
        return items, event

    def _context(self, request: ReplyRequest) -> ChatContext:
        """The conversation that the model is asked to go on with."""
        source = request.chat_ctx if request.chat_ctx is not None else request.agent._chat_ctx
        context = source.copy()
        self._engine.calls.mark(context, request.agent)
        message = request.user_message
        if message is not None and context.index_by_id(message.id) is None:
            context.insert(message)
        if request.instructions:
            context.add_message(role="system", content=[request.instructions], created_at=self._engine.report.wall())
        return context


def _catch_up(context: ChatContext, source: ChatContext, *, since: float) -> None:
    """Add to `context` what came to `source` since then: a tool may have held a conversation of its own.

    Only the newest items are looked at, so that it costs the same however long the history is.
    """
    known = {item.id for item in _newest(context, since)}
    for item in reversed(_newest(source, since)):
        if item.id not in known:
            context.insert(item)


def _newest(context: ChatContext, since: float) -> list[ChatItem]:
    return list(itertools.takewhile(lambda item: item.created_at >= since, reversed(context.items)))


def given_tools(tools: NotGivenOr[list[Any]], agent: Agent) -> list[Tool | Toolset] | None:
    """Tools for one reply, given themselves or by the ids of the agent's own. Raises ValueError for an unknown id."""
    if not is_given(tools):
        return None
    known = {tool.id: tool for tool in agent._tools}
    resolved: list[Tool | Toolset] = []
    for tool in tools:
        if isinstance(tool, str):
            if tool not in known:
                raise ValueError(f"the agent has no tool {tool!r}; it has {', '.join(sorted(known)) or 'none'}")
            resolved.append(known[tool])
        else:
            resolved.append(tool)
    return resolved
