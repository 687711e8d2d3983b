"""One user turn and everything that follows of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent_runtime import (
    Agent,
    AgentSession,
    APIError,
    RunContext,
    RunResult,
    StopResponse,
    UnexpectedModelBehavior,
    function_tool,
)
from agent_runtime.testing import Answer, ScriptedLLM, UserSpeech, in_virtual_time, scripted_session

QUICK = {"ttft": 0.0, "duration": 0.0}


def said(text: str) -> Answer:
    return Answer(text, **QUICK)


def calls(*names: str, text: str = "", arguments: str = "{}") -> Answer:
    return Answer(text, [(name, arguments) for name in names], **QUICK)


@asynccontextmanager
async def started(agent: Agent, *answers: Answer) -> AsyncGenerator[AgentSession[Any], None]:
    """A session with nothing but a model: text in, text out."""
    async with AgentSession[Any](llm=ScriptedLLM(list(answers))) as session:
        await session.start(agent)
        yield session


def told(run: RunResult[Any]) -> list[tuple[str, str]]:
    """Each event's type, and its text, name or new agent."""
    entries = []
    for event in run.events:
        if event.type == "message":
            entries.append((event.type, event.item.text_content or ""))
        elif event.type == "function_call":
            entries.append((event.type, event.item.name))
        elif event.type == "function_call_output":
            entries.append((event.type, event.item.output))
        else:
            entries.append((event.type, event.new_agent.id))
    return entries


class Helper(Agent):
    """Tools of every kind."""

    def __init__(self) -> None:
        super().__init__(instructions="You help.")
        self.caught: list[str] = []

    @function_tool
    async def slow(self) -> str:
        """Slow."""
        await asyncio.sleep(3.0)
        return "slow done"

    @function_tool
    async def quick(self) -> str:
        """Quick."""
        return "quick done"

    @function_tool
    async def silent(self) -> None:
        """Say nothing afterwards."""
        raise StopResponse

    @function_tool
    async def transfer(self) -> Any:
        """Hand over with a word."""
        return Expert(), "transferring"

    @function_tool
    async def transfer_silently(self) -> Any:
        """Hand over."""
        return Expert()

    @function_tool
    async def call_expert(self, context: RunContext[Any]) -> str:
        """Have another agent take over later."""
        context.session.update_agent(Expert())
        return "called"

    @function_tool
    async def asides(self, context: RunContext[Any]) -> str:
        """Say something that isn't remembered, and something that is."""
        context.session.say("aside", add_to_chat_ctx=False)
        context.session.say("remark")
        return "spoken"

    @function_tool
    async def nests(self, context: RunContext[Any]) -> str:
        """Run a turn inside of this one."""
        result = await context.session.run(user_input="inner")
        self.caught += [text for _, text in told(result)]
        return "nested"

    @function_tool
    async def waits_for(self, context: RunContext[Any]) -> str:
        """Wait for the run that calls this."""
        try:
            await context.session.userdata
        except RuntimeError as error:
            self.caught.append(str(error))
        return "waited"

    @function_tool
    async def completes(self, context: RunContext[Any]) -> str:
        """End the task."""
        context.speech_handle._final_output = context.session.userdata
        return "completed"


class Expert(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You know.")

    async def on_enter(self) -> None:
        await asyncio.sleep(1.0)
        self.session.say("The expert is here")


@in_virtual_time
async def test_a_reply():
    async with started(Helper(), said("Hello!")) as session:
        run = session.run(user_input="Hi")
        assert not run.done()
        assert await run is run
        assert run.done()
        assert told(run) == [("message", "Hello!")]
        assert run.events[0].item.role == "assistant"
        assert [message.text_content for message in session.history.messages()] == ["Hi", "Hello!"]
        with pytest.raises(RuntimeError, match="no final output"):
            _ = run.final_output


@in_virtual_time
async def test_tools_and_the_reply_to_them_in_order():
    async with started(Helper(), calls("slow", "quick", text="One moment."), said("Done.")) as session:
        run = await session.run(user_input="Do both")
        assert told(run) == [
            ("message", "One moment."),
            ("function_call", "slow"),
            ("function_call", "quick"),
            ("function_call_output", "slow done"),
            ("function_call_output", "quick done"),
            ("message", "Done."),
        ]


@in_virtual_time
async def test_what_happens_at_the_same_instant_keeps_its_order():
    async with scripted_session(answers=[calls("quick", "transfer_silently")], speaker=False) as stage:
        await stage.session.start(Helper())
        run = await stage.session.run(user_input="At once")
        assert len({event.item.created_at for event in run.events[:5]}) == 1
        assert [kind for kind, _ in told(run)] == [
            "function_call",
            "function_call",
            "function_call_output",
            "function_call_output",
            "agent_handoff",
            "message",
        ]


@in_virtual_time
async def test_a_tool_without_a_reply_ends_the_run():
    async with started(Helper(), calls("silent")) as session:
        run = await session.run(user_input="Be quiet")
        assert told(run) == [("function_call", "silent"), ("function_call_output", "")]


@pytest.mark.parametrize(
    ("tool", "reply", "expected"),
    [
        ("transfer_silently", [], [("function_call_output", "")]),
        ("transfer", ["Bye"], [("function_call_output", "transferring"), ("message", "Bye")]),
        ("call_expert", ["Bye"], [("function_call_output", "called"), ("message", "Bye")]),
    ],
)
@in_virtual_time
async def test_a_handoff_and_what_the_new_agent_says_on_entering(tool, reply, expected):
    async with started(Helper(), calls(tool), *[said(text) for text in reply]) as session:
        old = session.current_agent
        run = await session.run(user_input="An expert, please")
        assert told(run) == [
            ("function_call", tool),
            *expected,
            ("agent_handoff", "expert"),
            ("message", "The expert is here"),
        ]
        [handoff] = [event for event in run.events if event.type == "agent_handoff"]
        assert handoff.old_agent is old
        assert handoff.new_agent is session.current_agent


@in_virtual_time
async def test_what_is_said_by_hand_is_in_the_run_and_asides_are_not():
    async with started(Helper(), calls("asides"), said("Done.")) as session:
        run = await session.run(user_input="Talk")
        assert [text for kind, text in told(run) if kind == "message"] == ["remark", "Done."]


@in_virtual_time
async def test_a_speech_that_follows_from_another_one_is_in_the_run():
    async with started(Helper(), said("First."), said("Second.")) as session:
        run = session.run(user_input="Go on")
        speech = run._speeches[0]
        speech.add_done_callback(lambda _: session.generate_reply(instructions="Go on."))
        assert told(await run) == [("message", "First."), ("message", "Second.")]


@in_virtual_time
async def test_runs_one_after_the_other_each_have_their_own_events():
    async with started(Helper(), said("One."), said("Two.")) as session:
        first = await session.run(user_input="1")
        second = await session.run(user_input="2")
        assert (told(first), told(second)) == ([("message", "One.")], [("message", "Two.")])
        await session.say("Three.")
        assert told(second) == [("message", "Two.")]
        assert not session.has_listeners("speech_created")
        assert not session.has_listeners("conversation_item_added")


@in_virtual_time
async def test_a_run_ends_when_the_last_word_was_heard():
    async with scripted_session(answers=[Answer("Hello there.")], durations=[2.0], microphone=False) as stage:
        await stage.session.start(Helper())
        run = await stage.session.run(user_input="Hi", input_modality="audio")
        assert told(run) == [("message", "Hello there.")]
        assert stage.now == pytest.approx(0.3 + 0.2 + 2.01)
        assert run._speeches[0].input_details.modality == "audio"


@in_virtual_time
async def test_an_interrupted_reply_is_told_as_far_as_it_was_heard():
    answers = [Answer("one two three four five six", ttft=0.0, duration=0.0)]
    async with scripted_session(answers=answers, durations=[6.0], microphone=False) as stage:
        await stage.session.start(Helper())
        run = stage.session.run(user_input="Count")
        await stage.run_until(3.2)
        stage.session.interrupt()
        await run
        [event] = run.events
        assert event.item.interrupted
        assert event.item.text_content.startswith("one two")
        assert "six" not in event.item.text_content
        assert "(interrupted)" in repr(run)


@in_virtual_time
async def test_voice_turns_are_none_of_the_run():
    handling = {"preemptive_generation": {"enabled": False}}
    answers = [calls("slow"), said("To the voice.")]
    speeches = [UserSpeech(1.0, 2.0, "I speak meanwhile")]
    async with scripted_session(speeches, answers=answers, turn_handling=handling) as stage:
        await stage.session.start(Helper())
        run = await stage.session.run(user_input="I type")
        assert told(run) == [("function_call", "slow"), ("function_call_output", "slow done")]
        await stage.run_until(10.0)
        assert stage.said()[-1] == ("assistant", "To the voice.")
        assert len(run.events) == 2


# --- the start of a session ------------------------------------------------------------------------------------------


@in_virtual_time
async def test_the_start_is_a_run_too_if_asked_for():
    async with AgentSession[Any](llm=ScriptedLLM([])) as session:
        run = await session.start(Expert(), capture_run=True)
        assert told(run) == [("agent_handoff", "expert"), ("message", "The expert is here")]
        assert run.events[0].old_agent is None
        assert asyncio.get_running_loop().time() == 1.0


@in_virtual_time
async def test_the_start_of_an_agent_that_says_nothing():
    async with AgentSession[Any](llm=ScriptedLLM([])) as session:
        run = await session.start(Helper(), capture_run=True)
        assert told(run) == [("agent_handoff", "helper")]
        assert repr(run) == "<RunResult>\n    [0] agent_handoff         nobody -> Helper"


@in_virtual_time
async def test_a_greeting_is_said_before_the_first_reply_and_is_not_in_its_run():
    class Greeter(Agent):
        async def on_enter(self) -> None:
            self.session.say("Welcome!")

    async with AgentSession[Any](llm=ScriptedLLM([said("Fine.")])) as session:
        assert await session.start(Greeter(instructions="Greet.")) is None
        run = await session.run(user_input="How are you?")
        assert told(run) == [("message", "Fine.")]
        texts = [message.text_content for message in session.history.messages()]
        assert texts.index("Welcome!") < texts.index("Fine.")


@in_virtual_time
async def test_a_hook_that_never_ends_holds_up_no_later_run():
    class Restless(Agent):
        async def on_enter(self) -> None:
            await asyncio.Event().wait()

    async with started(Restless(instructions="…"), said("Still here.")) as session:
        assert told(await session.run(user_input="There?")) == [("message", "Still here.")]


# --- runs inside of runs ---------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_second_run_is_refused_while_one_goes_on():
    async with started(Helper(), said("One.")) as session:
        run = session.run(user_input="1")
        with pytest.raises(RuntimeError, match="another run goes on"):
            session.run(user_input="2")
        assert told(await run) == [("message", "One.")]


@in_virtual_time
async def test_a_run_inside_of_a_tool_of_a_run_is_an_error_of_the_tool():
    async with started(Helper(), calls("nests"), said("It failed.")) as session:
        run = await session.run(user_input="Nest")
        run.expect.contains_function_call_output(is_error=True)
        assert told(run)[-1] == ("message", "It failed.")


@in_virtual_time
async def test_a_run_inside_of_a_tool_outside_of_runs():
    agent = Helper()
    async with started(agent, calls("nests"), said("Inner."), said("Outer.")) as session:
        await session.generate_reply(user_input="Nest")
        assert agent.caught == ["Inner."]
        assert session.history.messages()[-1].text_content == "Outer."


@in_virtual_time
async def test_a_handoff_by_a_run_inside_of_a_tool_comes_afterwards():
    agent = Helper()
    async with started(agent, calls("nests"), calls("transfer_silently"), said("Outer.")) as session:
        await session.generate_reply(user_input="Nest")
        await session.drain()
        assert agent.caught == ["transfer_silently", ""]
        assert session.current_agent.id == "expert"


@pytest.mark.parametrize("hook", ["on_enter", "on_exit"])
@in_virtual_time
async def test_a_run_inside_of_a_hook(hook):
    seen: list[tuple[str, str]] = []

    class Hooked(Agent):
        pass

    async def runs(self: Agent) -> None:
        seen.extend(told(await self.session.run(user_input="Hello?")))

    setattr(Hooked, hook, runs)
    async with started(Hooked(instructions="…"), said("From the hook.")) as session:
        session.update_agent(Helper())
        await session.drain()
        assert seen == [("message", "From the hook.")]


@in_virtual_time
async def test_a_tool_cannot_wait_for_its_own_run():
    agent = Helper()
    async with started(agent, calls("waits_for"), said("Done.")) as session:
        session.userdata = run = session.run(user_input="Wait")
        await run
        assert agent.caught == ["the tool 'waits_for' can't wait for the run that called it: that run waits for it"]


# --- failures --------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_run_needs_a_session_that_runs():
    session = AgentSession[Any](llm=ScriptedLLM([]))
    with pytest.raises(RuntimeError, match="isn't running"):
        session.run(user_input="Hi")


@in_virtual_time
async def test_the_models_failure_is_the_runs_and_shows_what_happened_before():
    failure = Answer(error=APIError("no credit", retryable=False), **QUICK)
    async with started(Helper(), calls("quick"), failure) as session:
        run = session.run(user_input="Try")
        with pytest.raises(APIError, match="no credit") as caught:
            await run
        assert run.done()
        assert "quick gave: 'quick done'" in caught.value.__notes__[0]


@in_virtual_time
async def test_a_run_that_recovers_is_no_failure():
    failure = Answer(error=APIError("busy", retryable=False), **QUICK)
    async with started(Helper(), failure) as session:
        session.on("error", lambda _: session.say("Sorry, once more?"))
        run = await session.run(user_input="Try")
        assert told(run) == [("message", "Sorry, once more?")]


@pytest.mark.parametrize("close", ["aclose", "shutdown"])
@in_virtual_time
async def test_a_run_whose_session_is_closed_fails(close):
    async with started(Helper(), calls("slow")) as session:
        run = session.run(user_input="Slowly")
        await asyncio.sleep(1.0)
        if close == "aclose":
            await session.aclose()
        else:
            session.shutdown(drain=False)
        with pytest.raises(RuntimeError, match="closed before the run was over"):
            await run


@in_virtual_time
async def test_a_start_that_waits_for_its_hook_fails_when_the_session_is_closed():
    class Endless(Agent):
        async def on_enter(self) -> None:
            await asyncio.sleep(1e6)

    async with AgentSession[Any](llm=ScriptedLLM([])) as session:
        asyncio.get_running_loop().call_later(5.0, session.shutdown)
        with pytest.raises(RuntimeError, match="closed before the run was over"):
            await session.start(Endless(instructions="…"), capture_run=True)


@in_virtual_time
async def test_a_run_whose_task_is_cancelled_fails_and_takes_nothing_down_any_more():
    async with started(Helper(), calls("slow"), said("Late.")) as session:
        run = session.run(user_input="Slowly")
        await asyncio.sleep(1.0)
        [task] = [task for task in asyncio.all_tasks() if task.get_name() == "run"]
        task.cancel()
        with pytest.raises(RuntimeError, match="closed before the run was over"):
            await run
        await session.drain()
        assert session.history.messages()[-1].text_content == "Late."
        assert run.events == []


# --- outputs ---------------------------------------------------------------------------------------------------------


async def run_for_output(output: Any, wanted: type[Any], answers: Sequence[Answer], **options: Any) -> RunResult[Any]:
    async with started(Helper(), *answers) as session:
        session.userdata = output
        run = session.run(user_input="Complete it", output_type=wanted, **options)
        with pytest.raises(RuntimeError, match="isn't over"):
            _ = run.final_output
        return await run


@pytest.mark.parametrize(("output", "wanted"), [("done", str), (0, int), ([], list)])
@in_virtual_time
async def test_the_output_of_the_wanted_type(output, wanted):
    run = await run_for_output(output, wanted, [calls("completes"), said("Done.")])
    assert run.final_output == output


@in_virtual_time
async def test_an_output_of_another_type():
    with pytest.raises(UnexpectedModelBehavior, match="should have given int, not 'done'"):
        await run_for_output("done", int, [calls("completes"), said("Done.")])


@in_virtual_time
async def test_an_exception_as_the_output_is_raised():
    with pytest.raises(LookupError, match="nothing found"):
        await run_for_output(LookupError("nothing found"), str, [calls("completes"), said("Done.")])


@in_virtual_time
async def test_a_missing_output_is_asked_for_again():
    run = await run_for_output("done", str, [said("Hm."), said("Well."), calls("completes"), said("Done.")])
    assert run.final_output == "done"
    assert [text for kind, text in told(run) if kind == "message"] == ["Hm.", "Well.", "Done."]


@pytest.mark.parametrize(
    ("options", "asked"), [({}, 3), ({"output_options": None}, 1), ({"output_options": {"max_retries": 1}}, 2)]
)
@in_virtual_time
async def test_an_output_that_never_comes(options, asked):
    answers = [said(f"Answer {n}.") for n in range(1, 5)]
    with pytest.raises(UnexpectedModelBehavior, match="should have given str, not None") as caught:
        await run_for_output("done", str, answers, **options)
    assert f"Answer {asked}." in caught.value.__notes__[0]
    assert f"Answer {asked + 1}." not in caught.value.__notes__[0]


@in_virtual_time
async def test_own_words_for_asking_again():
    async with started(Helper(), said("Hm."), calls("completes"), said("Done.")) as session:
        session.userdata = "x"
        await session.run(user_input="Go", output_type=str, output_options={"retry_instructions": "Call completes."})
        llm = session.llm
        assert isinstance(llm, ScriptedLLM)
        told_to = [i.text_content for i in llm.requests[1].items if i.type == "message" and i.role == "system"]
        assert "Call completes." in told_to
