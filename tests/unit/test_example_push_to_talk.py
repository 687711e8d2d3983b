"""The push-to-talk example: a turn is what is said while the button is held."""

from __future__ import annotations

from types import ModuleType

import pytest

from agent_runtime.testing import Answer, UserSpeech, in_virtual_time, scripted_session
from tests.support.examples import load_example


@pytest.fixture(scope="module")
def example() -> ModuleType:
    return load_example("push_to_talk")


@in_virtual_time
async def test_only_the_button_ends_a_turn(example: ModuleType) -> None:
    own, agent = example.push_to_talk()
    speeches = [UserSpeech(5.0, 6.0, "Turn on the light"), UserSpeech(10.0, 11.0, "in the hall")]
    answers = [Answer(tool_calls=[("switch_light", '{"room": "the hall", "on": true}')]), Answer("It is on.")]
    async with scripted_session(speeches, answers=answers, turn_handling=own._turn_handling) as stage:
        await stage.session.start(agent)
        await stage.run_until(4.9)
        stage.session.push_to_talk.press()
        await stage.run_until(12.0)
        assert stage.of("turn_committed") == []
        stage.session.push_to_talk.send()
        await stage.run_until(20.0)
        [committed] = stage.of("turn_committed")
        assert (committed.cause, committed.data.text) == ("push_to_talk", "Turn on the light in the hall")
        assert stage.said()[-1] == ("assistant", "It is on.")
        assert agent.lit == {"hall"}


@in_virtual_time
async def test_without_a_button_pressed_nothing_ends_a_turn(example: ModuleType) -> None:
    own, agent = example.push_to_talk()
    speeches = [UserSpeech(5.0, 6.0, "Turn on the light")]
    async with scripted_session(speeches, turn_handling=own._turn_handling) as stage:
        await stage.session.start(agent)
        await stage.run_until(30.0)
        assert stage.of("turn_committed", "llm_started") == []


async def test_the_home(example: ModuleType) -> None:
    home = example.PushToTalk()
    assert (
        await home.switch_light.execute({"room": "Kitchen", "on": True})
    ).output == "The light in the kitchen is on."
    assert (await home.set_heating.execute({"degrees": 21.5})).output == "The heating is set to 21.5 degrees."
    state = (await home.check_home.execute({})).output
    assert state == "The light is on in kitchen, and the heating is at 21.5 degrees."
    await home.switch_light.execute({"room": "kitchen", "on": False})
    assert home.lit == set()
    wrong = await home.switch_light.execute({"room": "garage", "on": True})
    assert wrong.output.startswith("There is no light in the garage. There is one in the kitchen, ")
    assert (await home.set_heating.execute({"degrees": 50})).is_error
