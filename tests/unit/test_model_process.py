"""The process that has the models for several: what is asked, over a real socket, of operations that the test makes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agent_runtime.errors import APIConnectionError, APIError, MissingDependencyError
from agent_runtime.llm import ChatContext, ImageContent
from agent_runtime.providers.embedded.completions import SharedLlama, shared_model
from agent_runtime.providers.embedded.hibari import Speech
from agent_runtime.providers.embedded.llm_plan import planner
from agent_runtime.providers.embedded.stt import MoonshineSTT
from agent_runtime.providers.embedded.tts import HibariTTS
from agent_runtime.providers.model_process.client import ModelsLostError, SharedModels, use_shared_models
from agent_runtime.providers.model_process.lane import Lane
from agent_runtime.providers.model_process.models import Answers
from agent_runtime.providers.model_process.server import MOST_AT_ONCE, ModelServer, Operation
from agent_runtime.providers.model_process.wire import Asked, send
from agent_runtime.types import TimedString


@pytest.fixture
def address() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        yield os.path.join(folder, "socket")


def listening_at(address: str) -> socket.socket:
    Path(address).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    return listener


@contextlib.asynccontextmanager
async def serving(address: str, **operations: Operation) -> AsyncIterator[None]:
    listener = listening_at(address)
    over = asyncio.Event()
    task = asyncio.create_task(
        ModelServer({name.replace("_", " "): one for name, one in operations.items()}).serve(listener, over)
    )
    await asyncio.sleep(0)
    try:
        yield
    finally:
        over.set()
        await task


async def ends(condition: Any) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - the other end brings it about
            await asyncio.sleep(0.001)


# --- asking ----------------------------------------------------------------------------------------------------------


async def test_questions_are_answered_side_by_side_with_what_comes_on_the_way(address: str) -> None:
    async def count(asker: Any, tell: Any, upto: int) -> str:
        for number in range(upto):
            await tell(number)
        return f"{upto} in all"

    async with serving(address, count=count):
        models, heard = SharedModels(address), []
        answers = await asyncio.gather(models.ask("count", 2, on_part=heard.append), models.ask("count", 0))
        assert (answers, heard) == (["2 in all", "0 in all"], [0, 1])
        async with aclosing(models.stream("count", 3)) as parts:
            assert [part async for part in parts] == [0, 1, 2]


async def test_failures_are_raised_where_it_was_asked(address: str) -> None:
    async def fail(asker: Any, tell: Any, exc: str) -> None:
        raise {
            "refused": APIError("too long", retryable=False),
            "lacks": MissingDependencyError("a voice", "pip install voice"),
            "other": ValueError("broken"),
        }[exc]

    async with serving(address, fail=fail):
        models = SharedModels(address)
        with pytest.raises(APIError, match="too long") as refused:
            await models.ask("fail", "refused")
        assert not refused.value.retryable
        with pytest.raises(MissingDependencyError) as lacks:
            await models.ask("fail", "lacks")
        assert (lacks.value.what, lacks.value.command) == ("a voice", "pip install voice")
        with pytest.raises(APIError, match=r"fail failed: ValueError: broken") as other:
            await models.ask("fail", "other")
        assert other.value.retryable


class Endless:
    """An operation without end."""

    def __init__(self) -> None:
        self.begun = self.cancelled = 0

    async def __call__(self, asker: Any, tell: Any) -> None:
        self.begun += 1
        try:
            await tell("it begins")
            await asyncio.Event().wait()
        finally:
            self.cancelled += 1


async def test_what_nobody_waits_for_is_dropped(address: str) -> None:
    endless = Endless()
    async with serving(address, endless=endless):
        models = SharedModels(address)
        asking = asyncio.create_task(models.ask("endless"))
        await ends(lambda: endless.begun)
        asking.cancel()
        await ends(lambda: endless.cancelled == 1)
        async with aclosing(models.stream("endless")) as parts:
            assert await anext(parts) == "it begins"
        await ends(lambda: endless.cancelled == 2)


async def test_an_asker_that_goes_away_takes_its_questions_with_it(address: str) -> None:
    endless = Endless()
    async with serving(address, endless=endless):
        _, writer = await asyncio.open_unix_connection(address)
        send(writer, Asked(1, "endless", ()))
        await ends(lambda: endless.begun)
        writer.close()
        await ends(lambda: endless.cancelled == 1)


async def test_an_asker_has_so_many_questions_worked_on_and_no_more(address: str) -> None:
    working = most = 0
    go = asyncio.Event()

    async def work(asker: Any, tell: Any) -> None:
        nonlocal working, most
        working += 1
        most = max(most, working)
        await go.wait()
        working -= 1

    async with serving(address, work=work):
        models = SharedModels(address)
        asking = [asyncio.create_task(models.ask("work")) for _ in range(MOST_AT_ONCE + 5)]
        await ends(lambda: working == MOST_AT_ONCE)
        other = asyncio.create_task(SharedModels(address).ask("work"))  # isn't held up by it
        await ends(lambda: working == MOST_AT_ONCE + 1)
        go.set()
        await asyncio.gather(*asking, other)
        assert most == MOST_AT_ONCE + 1


async def test_where_the_process_is_lost_the_next_one_is_asked_once(address: str) -> None:
    async def answer(asker: Any, tell: Any) -> str:
        return "from the second"

    endless = Endless()
    models = SharedModels(address)
    async with serving(address, ask=endless):
        asking = asyncio.create_task(models.ask("ask"))
        listening = asyncio.create_task(anext(models.stream("ask")))
        await listening
        await ends(lambda: endless.begun == 2)
    async with serving(address, ask=answer):
        assert await asking == "from the second"


async def test_parts_are_not_asked_for_again(address: str) -> None:
    models = SharedModels(address)
    async with serving(address, ask=Endless()):
        parts = models.stream("ask")
        assert await anext(parts) == "it begins"
    with pytest.raises(ModelsLostError, match="ended"):
        await anext(parts)


async def test_without_a_process_it_says_so(address: str) -> None:
    with pytest.raises(APIConnectionError, match="no process has the embedded models"):
        await SharedModels(address).ask("anything")


# --- whose turn it is ------------------------------------------------------------------------------------------------


class Holder:
    """Somebody who has things computed."""


async def served(*wanted: tuple[object, str, bool]) -> list[str]:
    """In which order a lane computes them, once it is free for any."""
    lane, done, go = Lane("test", pytest.fail), [], threading.Event()
    first = asyncio.create_task(lane.run(Holder(), go.wait, urgent=True))
    await asyncio.sleep(0)
    tasks = []
    for holder, name, urgent in wanted:
        tasks.append(asyncio.create_task(lane.run(holder, lambda name=name: done.append(name), urgent=urgent)))
        await asyncio.sleep(0)
    go.set()
    await asyncio.gather(first, *tasks)
    lane.close()
    return done


async def test_who_asks_for_much_does_not_keep_the_rest_waiting() -> None:
    much, little = Holder(), Holder()
    wanted = [(much, "a1", False), (much, "a2", False), (much, "a3", False), (little, "b1", False)]
    assert await served(*wanted) == ["a1", "b1", "a2", "a3"]


async def test_what_is_urgent_goes_first() -> None:
    one, other = Holder(), Holder()
    assert await served((one, "a", False), (other, "b", False), (one, "c", True)) == ["c", "b", "a"]


async def test_what_waits_can_be_taken_back_and_what_has_begun_is_finished() -> None:
    lane, done = Lane("test", pytest.fail), []
    begun, go = threading.Event(), threading.Event()

    def compute() -> None:
        begun.set()
        go.wait(10)
        done.append("begun")

    running = asyncio.create_task(lane.run(Holder(), compute, urgent=False))
    waiting = asyncio.create_task(lane.run(Holder(), lambda: done.append("taken back"), urgent=True))
    await asyncio.to_thread(begun.wait, 10)
    running.cancel()
    waiting.cancel()
    await asyncio.wait({running, waiting})
    last = asyncio.create_task(lane.run(Holder(), lambda: done.append("last"), urgent=False))
    await asyncio.sleep(0)
    next_one = asyncio.create_task(lane.run(Holder(), lambda: done.append("next"), urgent=True))
    await asyncio.sleep(0)
    go.set()
    await asyncio.gather(last, next_one)
    assert done == ["begun", "next", "last"]
    lane.close()


async def test_a_computation_that_fails_frees_the_thread() -> None:
    lane = Lane("test", pytest.fail)
    with pytest.raises(ZeroDivisionError):
        await lane.run(Holder(), lambda: 1 // 0, urgent=False)
    assert await lane.run(Holder(), lambda: 1, urgent=False) == 1
    lane.close()


async def test_what_computes_without_end_is_told() -> None:
    stuck, go = asyncio.Event(), threading.Event()
    told = []

    def tell(name: str) -> None:
        told.append(name)
        stuck.set()

    lane = Lane("moonshine", tell, patience=0.0)
    task = asyncio.create_task(lane.run(Holder(), lambda: go.wait(10), urgent=False))
    await asyncio.wait_for(stuck.wait(), 10)
    go.set()
    await task
    assert told == ["moonshine"]
    lane.close()


# --- answers ---------------------------------------------------------------------------------------------------------


class Generating:
    """A completion that begins when it may and ends when it is told to."""

    def __init__(self) -> None:
        self.begun = self.ended = False
        self.end = asyncio.Event()

    async def __call__(self) -> None:
        self.begun = True
        try:
            await self.end.wait()
        finally:
            self.ended = True


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_so_many_answers_are_generated_at_a_time() -> None:
    answers, all_of_them = Answers(2), [Generating() for _ in range(3)]
    tasks = [asyncio.create_task(answers.answer(one)) for one in all_of_them]
    await turns()
    assert [one.begun for one in all_of_them] == [True, True, False]
    all_of_them[1].end.set()
    await turns()
    assert all_of_them[2].begun
    for one in all_of_them:
        one.end.set()
    await asyncio.gather(*tasks)


async def test_reading_ahead_gives_way_to_answers() -> None:
    answers, early, late, answer, other = Answers(2), Generating(), Generating(), Generating(), Generating()
    reading = asyncio.create_task(answers.read_ahead(early))
    await turns()
    assert early.begun
    answering = [asyncio.create_task(answers.answer(one)) for one in (answer, other)]
    waiting = asyncio.create_task(answers.read_ahead(late))
    await turns()
    assert (early.ended, reading.done(), answer.begun, late.begun) == (True, True, True, False)
    assert reading.exception() is None
    answer.end.set()
    await turns()
    assert not late.begun  # the other one isn't done
    other.end.set()
    await turns()
    assert late.begun
    waiting.cancel()
    await asyncio.wait({waiting, *answering})
    await turns()
    assert late.ended


async def test_what_fails_when_it_is_read_ahead_is_told() -> None:
    async def fail() -> None:
        raise APIError("too long")

    with pytest.raises(APIError, match="too long"):
        await Answers(1).read_ahead(fail)


# --- the providers ---------------------------------------------------------------------------------------------------


@pytest.fixture
def shared(address: str) -> Iterator[str]:
    use_shared_models(address)
    yield address
    use_shared_models(None)


async def test_speech_is_read_there(shared: str) -> None:
    asked = []

    async def read(asker: Any, tell: Any, samples: Any, urgent: bool) -> str:
        asked.append((len(samples), samples.dtype, urgent))
        return "Hello hello,,, there"

    async with serving(shared, read=read), MoonshineSTT() as stt:
        assert await stt.read(np.ones(1600, np.int16), 0.1, urgent=False) == "Hello hello, there"
    assert asked == [(1600, np.int16, False)]


async def test_text_is_spoken_there_and_what_is_waited_for_is_urgent(shared: str) -> None:
    asked = []

    async def speak(asker: Any, tell: Any, text: str, speed: float, pause: float, urgent: bool) -> Speech:
        asked.append((text.strip(), speed, urgent))
        return Speech(np.full(2400, 7, np.int16), [TimedString(text, 0.0, 0.1)])

    async with serving(shared, speak=speak), HibariTTS(speed=1.5) as tts, tts.synthesize("One. Two.") as stream:
        frames = [audio.frame async for audio in stream]
    assert sum(frame.samples_per_channel for frame in frames) == 4800
    assert asked == [("One.", 1.5, True), ("Two.", 1.5, False)]


async def test_prompts_are_completed_there(shared: str) -> None:
    async def complete(asker: Any, tell: Any, path: Path, body: dict[str, Any], use: str) -> None:
        await tell({"is": f"{path.name} {body['prompt']} {use}"})

    llama = shared_model(Path("a.gguf"))
    assert isinstance(llama, SharedLlama)
    async with serving(shared, complete=complete), aclosing(llama.complete({"prompt": "hi"}, "turn")) as parts:
        assert [part async for part in parts] == [{"is": "a.gguf hi turn"}]


async def test_calls_are_planned_there_from_the_words_alone(shared: str) -> None:
    asked = []

    async def plan(asker: Any, tell: Any, items: Any, tools: Any, required: bool) -> None:
        asked.append(([item.content for item in items], tools, required))

    chat = ChatContext.empty()
    chat.add_message(role="user", content=["look", ImageContent(image="data:image/png;base64,AAAA")])
    async with serving(shared, plan=plan):
        assert await planner().plan(chat.items, [], required=True) is None
    assert asked == [([["look"]], [], True)]
    assert len(chat.messages()[0].content) == 2
