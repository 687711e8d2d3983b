"""What the process with the models can do: the embedded providers' operations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from agent_runtime.providers.embedded.hibari import HibariVoice, Speech, load_hibari
from agent_runtime.providers.embedded.llama import CONTEXT, LlamaModel, Sizes, Use
from agent_runtime.providers.embedded.llm_plan import load_planner
from agent_runtime.providers.embedded.moonshine import Moonshine, load_moonshine
from agent_runtime.providers.loading import Weights
from agent_runtime.providers.model_process.lane import Lane
from agent_runtime.providers.model_process.server import Asker, Operation, Tell

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from agent_runtime.llm import ChatItem
    from agent_runtime.providers.embedded.llm_calls import Call, CallPlanner, Reply
    from agent_runtime.providers.embedded.llm_tools import ToolSpec

ANSWERS_AT_ONCE: Final = 3
"""Answers that are generated at a time; more would each be slower, on the few threads that all share."""
SHARED: Final = Sizes(tokens=(ANSWERS_AT_ONCE + 1) * CONTEXT, chats=8, turns=4)
"""So that no answer lacks room beside the others: the fourth part is for the short prompts about turns."""


class Models:
    """The embedded models, each loaded when it is first asked for.

    Args:
        stuck: is called with a model's name where it computes without end.
    """

    def __init__(self, stuck: Callable[[str], None]) -> None:
        self._moonshine: Weights[Moonshine] = Weights(load_moonshine)
        self._hibari: Weights[HibariVoice] = Weights(load_hibari)
        self._planner: Weights[CallPlanner] = Weights(load_planner)
        self._reading, self._speaking = Lane("moonshine", stuck), Lane("hibari", stuck)
        self._llamas: dict[Path, LlamaModel] = {}
        self._answers = Answers(ANSWERS_AT_ONCE)

    @property
    def operations(self) -> dict[str, Operation]:
        """By the names under which the embedded providers ask."""
        return {
            "load recogniser": partial(self._load, self._moonshine),
            "load voice": partial(self._load, self._hibari),
            "load planner": partial(self._load, self._planner),
            "load llama": self._load_llama,
            "read": self._read,
            "speak": self._speak,
            "plan": self._plan,
            "complete": self._complete,
        }

    async def _load(self, weights: Weights[Any], asker: Asker, tell: Tell) -> None:
        progress: asyncio.Queue[float] = asyncio.Queue()
        telling = asyncio.create_task(_tell_all(progress, tell))
        try:
            await weights.get(progress.put_nowait)
        finally:
            telling.cancel()

    async def _load_llama(self, asker: Asker, tell: Tell, path: Path) -> None:
        await self._llama(path).load()

    async def _read(self, asker: Asker, tell: Tell, samples: NDArray[np.int16], urgent: bool) -> str:
        model = await self._moonshine.get()
        return await self._reading.run(asker, partial(model.transcribe, samples), urgent=urgent)

    async def _speak(self, asker: Asker, tell: Tell, text: str, speed: float, pause: float, urgent: bool) -> Speech:
        voice = await self._hibari.get()
        say = partial(voice.speak, text, speed=speed, pause=pause)
        return await self._speaking.run(asker, say, urgent=urgent)

    async def _plan(
        self, asker: Asker, tell: Tell, items: Sequence[ChatItem], tools: Sequence[ToolSpec], required: bool
    ) -> Call | Reply | None:
        return (await self._planner.get()).plan(items, tools, required=required)

    async def _complete(self, asker: Asker, tell: Tell, path: Path, body: dict[str, Any], use: Use) -> None:
        async def generate() -> None:
            async with aclosing(self._llama(path).complete(body, use, asker)) as parts:
                async for part in parts:
                    await tell(part)

        if use == "turn":
            await generate()
        elif use == "ahead":
            await self._answers.read_ahead(generate)
        else:
            await self._answers.answer(generate)

    def _llama(self, path: Path) -> LlamaModel:
        if path not in self._llamas:
            self._llamas[path] = LlamaModel(path, sizes=SHARED)
        return self._llamas[path]


class Answers:
    """So many answers at a time, and nothing is read ahead while somebody waits for one.

    Args:
        most: answers at a time.
    """

    def __init__(self, most: int) -> None:
        self._places = asyncio.Semaphore(most)
        self._wanted = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._reading: set[asyncio.Task[None]] = set()

    async def answer(self, generate: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Generate an answer, when it is its turn. What is being read ahead is left as far as it got."""
        self._wanted += 1
        self._quiet.clear()
        for reading in self._reading:
            reading.cancel()
        try:
            async with self._places:
                await generate()
        finally:
            self._wanted -= 1
            if not self._wanted:
                self._quiet.set()

    async def read_ahead(self, generate: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Read a prompt, once nobody waits for an answer and until somebody does."""
        await self._quiet.wait()
        reading = asyncio.create_task(generate(), name="read ahead")
        self._reading.add(reading)
        try:
            await asyncio.wait({reading})
        finally:
            reading.cancel()
            self._reading.discard(reading)
        if not reading.cancelled():
            reading.result()


async def _tell_all(progress: asyncio.Queue[float], tell: Tell) -> None:
    while True:
        await tell(await progress.get())
