"""One step of a speech: an answer of the model (or a given text), spoken, and the tools that it calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any, TypeVar

from agent_runtime import events as ev
from agent_runtime.io import PlaybackFinishedEvent
from agent_runtime.llm import ChatChunk, ChatContext, CompletionUsage, FunctionCall, FunctionToolCall, ToolContext
from agent_runtime.types import FlushSentinel
from agent_runtime.utils import aio, shortuuid
from agent_runtime.voice import turn_inputs as inputs
from agent_runtime.voice.agent import Agent, ModelSettings
from agent_runtime.voice.blame import blamed, fault, open_node, wrong_piece
from agent_runtime.voice.circuits import name_of, served_by
from agent_runtime.voice.delivery import Delivery
from agent_runtime.voice.expressive import marks_of
from agent_runtime.voice.tool_runner import ToolRunner
from agent_tools import Tool

if TYPE_CHECKING:
    from livekit.rtc import AudioFrame

    from agent_runtime.voice.engine import Engine
    from agent_runtime.voice.speech_handle import SpeechHandle

logger = logging.getLogger(__name__)

T = TypeVar("T")


class Step:
    """See the module.

    It starts to generate at once. What it generates is spoken once `allow_delivery` was called and the speech has the
    floor, and its tools run once `allow_tools` was called.
    """

    def __init__(self, engine: Engine, speech: SpeechHandle, agent: Agent, settings: ModelSettings) -> None:
        self.engine = engine
        self.speech = speech
        self.agent = agent
        self.settings = settings
        self.item_id = shortuuid("item_")
        self.usage: CompletionUsage | None = None
        self.extra: dict[str, Any] = {}
        self.tools = ToolRunner(engine, speech, ToolContext.empty())
        self.began_at = engine.clock.now()
        self.began_wall = engine.report.wall()
        self.first_token_at: float | None = None
        self.first_audio_at: float | None = None
        self.tts_ttfb: float | None = None
        self.synthesis_at: float | None = None
        """When the first text went to the synthesizer."""
        self.floor_at: float | None = None
        """When it might be heard after it had to wait for that."""
        self._floor_held_by = ""
        self.heard_from: float | None = None
        """When the first sample (or text) of it was out."""
        self.response_id: str | None = None
        """The provider's own name of it, from a realtime model."""
        self._audio: AsyncIterable[AudioFrame] | None = None
        """Given with a text that is said."""
        self._source: asyncio.Task[None] | None = None
        self._deliver: asyncio.Task[None] | None = None
        self._deliveries: list[Delivery] = []
        self._open: Delivery | None = None
        self._waiting_calls: list[FunctionToolCall | FunctionCall] = []
        self._may_deliver = False
        self._may_run_tools = False
        self._gave_nothing = False
        self._call_ids: set[str] = set()
        self._generated: list[str] = []
        """What the model wrote, to be counted where its provider doesn't tell the tokens."""
        self._marks = marks_of(engine, agent)
        """Takes out of what is shown how it is spoken; None where nothing says so."""
        self._heard_before = (self.item_id, "")
        """The item whose words were heard last, and which of them."""

    # --- where the text comes from -----------------------------------------------------------------------------------

    def ask_model(self, chat_ctx: ChatContext, tools: ToolContext, *, cause: str) -> None:
        """Generate an answer to `chat_ctx`."""
        offered = tools.flatten()
        self.tools = ToolRunner(self.engine, self.speech, tools, offered)
        model = self.engine.llm
        self._emit(ev.LLMStarted(self.speech.id, name_of(model) if model else "", self.speech.num_steps - 1), cause)
        self._source = self.engine.spawn(self._read_model(chat_ctx, offered), "llm_node")

    def read(self, text: str | AsyncIterable[str], audio: AsyncIterable[AudioFrame] | None) -> None:
        """Speak a given text, with the given audio if there is any."""
        self._audio = audio
        if isinstance(text, str):
            self._add_text(text)
            self._end_text()
        else:
            self._source = self.engine.spawn(self._read_text(text), "say")

    async def _read_text(self, text: AsyncIterable[str]) -> None:
        try:
            async for piece in text:
                self._add_text(piece)
        finally:
            self._end_text()

    async def _read_model(self, chat_ctx: ChatContext, tools: list[Tool]) -> None:
        cancelled, model = True, self.engine.llm
        try:
            with blamed(self.agent, "llm_node"):
                node = self.agent.llm_node(chat_ctx, tools, self.settings)
                answer = await open_node(self.agent, "llm_node", node, str, ChatChunk)
                if isinstance(answer, str | ChatChunk):
                    self._take(answer)
                elif answer is not None:
                    async for chunk in answer:
                        self._take(chunk)
            cancelled = False
            self._gave_nothing = not self._generated
        finally:
            self._end_text()
            usage = self.usage or self.engine.estimate_usage(model, chat_ctx, "".join(self._generated))
            self._emit(
                ev.LLMFinished(
                    self.speech.id,
                    usage.prompt_tokens,
                    usage.completion_tokens,
                    usage.prompt_cached_tokens,
                    self.engine.clock.now() - self.began_at,
                    cancelled,
                    served_by(model),
                    estimated=self.usage is None and model is not None,
                )
            )

    def _take(self, chunk: object) -> None:
        if isinstance(chunk, str):
            self._note_first_token()
            self._add_text(chunk)
        elif isinstance(chunk, ChatChunk):
            self._take_chunk(chunk)
        elif isinstance(chunk, FlushSentinel):
            self._close_delivery()
        elif chunk is not None:
            raise wrong_piece(self.agent, "llm_node", chunk, "str, ChatChunk or FlushSentinel")

    def _take_chunk(self, chunk: ChatChunk) -> None:
        if chunk.usage is not None:
            self.usage = chunk.usage
        delta = chunk.delta
        if delta is None:
            return
        if delta.extra:
            self.extra.update(delta.extra)
        if delta.content:
            self._note_first_token()
            self._add_text(delta.content)
        for call in delta.tool_calls:
            self._take_call(call)

    def _take_call(self, call: FunctionToolCall | FunctionCall) -> None:
        """The model calls a tool: it runs, now or once the turn is over."""
        if self.settings.tool_choice == "none":
            logger.warning("%s calls %s, which it may not: the call is ignored", self.agent.id, call.name)
            return
        self._note_first_token()
        self._generated.append(call.name + call.arguments)
        if isinstance(call, FunctionToolCall):
            call = self._with_own_id(call)
        if self._may_run_tools:
            self.tools.start(call)
        else:
            self._waiting_calls.append(call)

    def _with_own_id(self, call: FunctionToolCall) -> FunctionToolCall:
        """Models refuse a conversation in which two calls have one id, so the second gets another."""
        if call.call_id not in self._call_ids:
            self._call_ids.add(call.call_id)
            return call
        self._failed(f"gave two calls the id {call.call_id!r}")
        return self._with_own_id(call.model_copy(update={"call_id": shortuuid("call_")}))

    def tell_silence(self) -> None:
        """An error of a model that gave nothing. A node of the agent's own may mean to be silent."""
        if self._gave_nothing and type(self.agent).llm_node is Agent.llm_node:
            self._failed("gave neither text nor a tool call")

    def _failed(self, said: str) -> None:
        self.engine.report.failed("llm", fault(self.agent, "llm_node", "llm", said), turn_id=self.speech.turn_id)

    def _note_first_token(self) -> None:
        if self.first_token_at is None:
            now = self.engine.clock.now()
            self.first_token_at = now
            self._emit(ev.LLMFirstToken(self.speech.id, now - self.began_at))

    def _add_text(self, delta: str) -> None:
        if not delta:
            return
        shown = delta if self._marks is None else self._marks.push(delta)
        if shown:
            self._emit(ev.AgentText(self.speech.id, self.item_id, shown))
        self._generated.append(delta)
        if self._open is None:
            self._open = Delivery(self, self.item_id, self._audio)
            self._deliveries.append(self._open)
            self._start_delivery()
        self._open.add(delta, shown)

    def _close_delivery(self) -> None:
        if self._open is not None:
            if self._marks is not None and (shown := self._marks.flush()):
                self._emit(ev.AgentText(self.speech.id, self.item_id, shown))
                self._open.add("", shown)
            self._open.end()
            self._open = None

    def _end_text(self) -> None:
        self._close_delivery()

    # --- where it goes -----------------------------------------------------------------------------------------------

    def allow_delivery(self) -> None:
        """Synthesis may begin; nothing is heard before the speech has the floor."""
        self._may_deliver = True
        self._start_delivery()

    def allow_tools(self) -> None:
        """Tools may run: the turn is certain and the speech has the floor."""
        self._may_run_tools = True
        calls, self._waiting_calls = self._waiting_calls, []
        for call in calls:
            self.tools.start(call)

    def _start_delivery(self) -> None:
        if self._may_deliver and self._deliver is None and (self._deliveries or self._audio is not None):
            self._deliver = self.engine.spawn(self._deliver_all(), "deliver")

    async def _deliver_all(self) -> None:
        index = 0
        if not self._deliveries:  # audio without a word
            self._deliveries.append(Delivery(self, self.item_id, self._audio))
            self._deliveries[0].end()
        running: list[asyncio.Task[None]] = []
        try:
            while index < len(self._deliveries):
                delivery, before = self._deliveries[index], running[-1] if running else None
                running.append(asyncio.create_task(delivery.run(before), name="delivery"))
                await delivery.made(running[-1])
                index += 1
                if index == len(self._deliveries) and self._source is not None and not self._source.done():
                    await asyncio.wait([self._source])
            await asyncio.gather(*running)
        finally:
            await aio.cancel_and_wait(*running)

    async def may_be_heard(self) -> bool:
        """Wait for the floor and for the user's silence. False if the speech was interrupted."""
        held_by = self.engine.floor_held_by(self.speech)
        allowed = await self.engine.may_be_heard(self.speech)
        self.waited_for_floor(held_by)
        return allowed

    def waited_for_floor(self, held_by: str | None) -> None:
        """It has the floor now; note who had it before."""
        if held_by is not None:
            self.floor_at, self._floor_held_by = self.engine.clock.now(), held_by

    def began(self, at: float) -> None:
        """The first sample (or text) is out."""
        if self.heard_from is not None:
            return
        self.heard_from = at
        engine, speech = self.engine, self.speech
        engine.feed(inputs.PlayoutBegan(speech.id))
        self._emit(ev.PlayoutStarted(speech.id))
        engine.spoke()
        clock = speech._turn_clock
        if clock is None:
            return
        self.mark_generation()
        if measured := clock.measure(engine.report.relative(at)):
            self._emit(measured)

    def mark_generation(self) -> None:
        """Note in the turn's clock where this step's time went so far."""
        clock, relative = self.speech._turn_clock, self.engine.report.relative
        if clock is None:
            return
        model = self.engine.llm
        if self.first_token_at is not None:
            clock.mark("llm", relative(self.first_token_at), name_of(model) if model else None)
        if self.first_audio_at is not None:
            if self.synthesis_at is not None:
                clock.mark("llm_sentence", relative(self.synthesis_at), name_of(model) if model else None)
            voice = self.engine.tts
            clock.mark("tts", relative(self.first_audio_at), name_of(voice) if voice else None)
        if self.floor_at is not None:
            clock.mark("floor", relative(self.floor_at), self._floor_held_by)

    def finished(self, event: PlaybackFinishedEvent) -> None:
        """A stretch of it is over."""
        self._emit(ev.PlayoutFinished(self.speech.id, event.playback_position, event.interrupted))
        self.engine.show(None)

    def heard(self, delivery: Delivery, text: str, position: float) -> None:
        """Words of it reached the listener."""
        if not self.engine.playout.wants_words():
            return
        item_id, known = delivery.item_id, self._heard_before
        earlier = self._deliveries[: self._deliveries.index(delivery)]
        whole = "".join(d.heard for d in earlier if d.item_id == item_id) + text
        if (item_id, whole) == known:
            return
        told = known[1] if known[0] == item_id else ""
        new = whole[len(told) :] if whole.startswith(told) else ""
        self._heard_before = (item_id, whole)
        self._emit(ev.AgentHeard(self.speech.id, item_id, whole, position))
        if new:
            self.engine.show(new)

    # --- its end -----------------------------------------------------------------------------------------------------

    async def played(self) -> None:
        """Wait until the text is complete and all of it was heard, or the speech was interrupted.

        Raises what a node or provider failed with.
        """
        for task in (self._source, lambda: self._deliver):
            current = task() if callable(task) else task
            if current is not None:
                await self.speech.wait_if_not_interrupted([current])
                if current.done() and not current.cancelled():
                    current.result()

    async def cancel(self) -> None:
        """Stop everything but the tools, and wait for what was heard to be known."""
        tasks = [task for task in (self._source, self._deliver) if task is not None]
        await aio.cancel_and_wait(*tasks)
        for delivery in self._deliveries:
            await delivery.settled()

    @property
    def messages(self) -> list[tuple[str, str]]:
        """The id of each message of it, and what was heard of that."""
        heard: dict[str, str] = {}
        for delivery in self._deliveries:
            heard[delivery.item_id] = heard.get(delivery.item_id, "") + delivery.heard
        return list(heard.items())

    @property
    def was_cut(self) -> bool:
        """Whether less than all of it was heard, once it is over: the output may go away too."""
        return bool(self._deliveries) and self._deliveries[-1].was_cut

    def _emit(self, data: ev.EventData, cause: str | None = None) -> None:
        self.engine.report.emit(data, cause, turn_id=self.speech.turn_id)
