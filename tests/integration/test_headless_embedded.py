"""An example served headless on the embedded models: a person in a room of a real server talks with it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from agent_runtime.errors import MissingDependencyError
from agent_runtime.providers.embedded.llama import find_weights
from tests.integration.test_worker import ask_for, ended, logged
from tests.support.livekit_server import livekit_server, missing
from tests.support.room import RATE, caller, until
from tests.support.speech import QUESTION, likeness, recorded, transcribe
from tests.support.worker_process import alive, worker

try:
    find_weights()
except MissingDependencyError as e:
    pytest.skip(str(e), allow_module_level=True)

pytestmark = [pytest.mark.skipif(missing() is not None, reason=str(missing())), pytest.mark.models]

EXAMPLE = Path(__file__).parents[2] / "examples" / "minimal_assistant.py"


def models_of(family: set[int]) -> tuple[int, int]:
    """The one process that has the models, and the language model's, which it started."""
    (llama,) = (pid for pid in family if b"llama_process" in Path(f"/proc/{pid}/cmdline").read_bytes())
    return int(Path(f"/proc/{llama}/stat").read_text().rpartition(")")[2].split()[1]), llama


async def test_it_greets_hears_a_question_answers_aloud_and_goes_on_where_the_models_die() -> None:
    flags = ["--headless", str(EXAMPLE), "--agent-name", "helper", "--port", "0", "--idle-processes", "1"]
    with (
        livekit_server() as server,
        worker(server, command=["-m", "agent_console", *flags, "--load-threshold", "2"]) as process,
    ):
        await logged(process, "registered")
        async with caller(server, room="help") as person:
            await ask_for(server, "help", "helper")

            def said() -> list[str]:
                agents = [one.identity for one in person.room.remote_participants.values()]
                return [words for identity in agents for words in person.words_of(identity)]

            await until(said, "the greeting")
            greeted, heard = len(said()), len(person.sound)
            await until(lambda: person.states[-1:] == ["listening"], "the greeting's end")
            await person.speak(recorded(QUESTION), then=1.5)
            await until(lambda: len(said()) > greeted, "an answer")
            await until(lambda: person.states[-1:] == ["listening"], "the answer's end")
            await asyncio.sleep(0.5)  # what is on its way to the person
            assert likeness(person.words_of("caller")[-1], QUESTION.text) > 0.7
            assert likeness(transcribe(person.sound[heard:], RATE), " ".join(said()[greeted:])) > 0.5
            family = process.family()
            models, of_models = models_of(family)
            os.kill(models, signal.SIGKILL)
            answered = len(said())
            await person.speak(recorded(QUESTION), then=1.5)
            await until(lambda: len(said()) > answered, "an answer by the models' next process")
            assert models_of(process.family())[0] != models
            await until(lambda: not alive({models, of_models}), "the end of what belonged to the first")
            family |= process.family()
        process.send(signal.SIGTERM)
        assert await ended(process) == 0
        await until(lambda: not alive(family), "the end of all that it started")
