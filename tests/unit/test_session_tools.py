"""Tool calls inside a conversation."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_runtime import Agent, AgentSession, RunContext, StopResponse, ToolError, ToolFlag, ToolResult, function_tool
from agent_runtime.testing import Answer, ScriptedLLM, Stage, UserSpeech, run_virtual
from tests.support.play import HELLO, causes, play


def calls(*names: str, text: str = "") -> Answer:
    return Answer(text, [(name, "{}") for name in names])


class Tools(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You have tools.")
        self.ran: list[str] = []

    @function_tool
    async def slow(self) -> str:
        """Slow."""
        await asyncio.sleep(1.0)
        self.ran.append("slow")
        return "slow done"

    @function_tool
    async def quick(self) -> str:
        """Quick."""
        self.ran.append("quick")
        return "quick done"

    @function_tool
    async def fails(self) -> str:
        """Fail."""
        raise ZeroDivisionError("secret")

    @function_tool
    async def refuses(self) -> str:
        """Refuse."""
        raise ToolError("Say please.")

    @function_tool
    async def stops(self) -> str:
        """Stop."""
        raise StopResponse

    @function_tool
    async def silent(self) -> ToolResult:
        """Nothing to answer."""
        return ToolResult("noted", reply_required=False)

    @function_tool(flags=ToolFlag.CANCELLABLE)
    async def endless(self) -> str:
        """Never ends."""
        await asyncio.sleep(1000)
        return "never"

    @function_tool
    async def talks(self, context: RunContext[Any]) -> str:
        """Talk meanwhile."""
        await context.session.say("One moment")
        return "talked"

    @function_tool
    async def talks_and_works(self, context: RunContext[Any]) -> str:
        """Talk, then go on working."""
        await context.session.say("One moment")
        await asyncio.sleep(2.0)
        return "worked"

    @function_tool
    async def waits(self, context: RunContext[Any]) -> str:
        """Wait for what was said before."""
        await context.wait_for_playout()
        self.ran.append(f"waited until {asyncio.get_running_loop().time():.2f}")
        return "ok"

    @function_tool
    async def deadlocks(self, context: RunContext[Any]) -> str:
        """Wait for itself."""
        await context.speech_handle
        return "never"

    @function_tool
    async def protects(self, context: RunContext[Any]) -> str:
        """Not to be interrupted."""
        context.disallow_interruptions()
        await asyncio.sleep(1.0)
        return "protected"


def outputs(stage: Stage) -> list[tuple[str, str, bool]]:
    return [(i.name, i.output, i.is_error) for i in stage.session.history.items if i.type == "function_call_output"]


def test_calls_run_side_by_side_and_are_answered_together() -> None:
    stage = play(8.0, HELLO, agent=Tools, answers=[calls("slow", "quick"), Answer("Both done")], durations=[1.0])
    assert stage.times("tool_started") == [3.0, 3.0]
    assert stage.times("tool_finished") == [3.0, 4.0]
    assert outputs(stage) == [("slow", "slow done", False), ("quick", "quick done", False)]
    assert stage.times("agent_state_changed", new="speaking") == [4.5]
    assert len(stage.llm.requests) == 2
    kinds = [item.type for item in stage.llm.requests[1].items if item.type.startswith("function")]
    assert kinds == ["function_call"] * 2 + ["function_call_output"] * 2


def test_the_agent_thinks_while_a_tool_works_on_after_something_it_said() -> None:
    stage = play(12.0, HELLO, agent=Tools, answers=[calls("talks_and_works"), Answer("Done")], durations=[1.0])
    spoken, done = stage.times("agent_state_changed", old="speaking")
    assert stage.times("agent_state_changed", old="speaking", new="thinking") == [spoken]
    assert stage.times("tool_finished") == [spoken + 2.0]
    assert stage.times("agent_state_changed", new="listening")[1:] == [done]


def test_the_time_of_tools_is_a_part_of_the_turn() -> None:
    stage = play(8.0, HELLO, agent=Tools, answers=[calls("slow"), Answer("Done")], durations=[1.0])
    parts = [(p.name, round(p.end - p.start, 6)) for p in stage.of("turn_measured")[0].data.parts]
    assert parts == [("endpointing", 0.5), ("tools", 1.0), ("llm", 0.1), ("llm_sentence", 0.2), ("tts", 0.2)]


def test_a_failing_tool_is_told_to_the_model_without_its_secrets() -> None:
    stage = play(8.0, HELLO, agent=Tools, answers=[calls("fails"), Answer("Sorry")], durations=[1.0])
    assert outputs(stage) == [("fails", "An internal error occurred", True)]
    (finished,) = stage.of("tool_finished")
    assert "ZeroDivisionError: secret" in finished.data.details
    (error,) = stage.of("error_occurred")
    assert error.data.source == "tool fails"
    assert "test_session_tools.py:" in error.data.message


def test_a_tool_error_reaches_the_model_as_written() -> None:
    stage = play(8.0, HELLO, agent=Tools, answers=[calls("refuses"), Answer("Sorry")], durations=[1.0])
    assert outputs(stage) == [("refuses", "Say please.", True)]


def test_an_unknown_tool_is_told_to_the_model() -> None:
    stage = play(8.0, HELLO, agent=Tools, answers=[calls("nothing"), Answer("Sorry")], durations=[1.0])
    ((name, output, is_error),) = outputs(stage)
    assert (name, is_error) == ("nothing", True)
    assert "Unknown function: nothing" in output
    assert "quick" in output


@pytest.mark.parametrize("tool", ["stops", "silent"])
def test_a_tool_may_want_no_reply(tool: str) -> None:
    stage = play(8.0, HELLO, agent=Tools, answers=[calls(tool)])
    assert len(stage.llm.requests) == 1
    assert len(outputs(stage)) == 1
    assert stage.session.agent_state == "listening"


def test_after_so_many_rounds_the_model_must_answer() -> None:
    answers = [calls("quick") for _ in range(4)] + [Answer("Enough")]
    stage = play(12.0, HELLO, agent=Tools, answers=answers, durations=[1.0], max_tool_steps=3)
    assert stage.said()[-1] == ("assistant", "Enough")
    assert [choice == "none" for choice in stage.llm.choices] == [False, False, False, False, True]


def test_an_interrupted_reply_keeps_the_results_of_its_tools() -> None:
    stop = UserSpeech(3.8, 4.6, "Stop")
    answers = [calls("slow", text="Let me look that up for you"), Answer("OK")]
    stage = play(9.0, HELLO, stop, agent=Tools, answers=answers, durations=[10.0, 1.0], can_pause=False)
    # Interrupted at 4.3 after 1.1 s of speech, the tool ended at 4.0: its effect is known to the next reply.
    assert outputs(stage) == [("slow", "slow done", False)]
    assert [i.type for i in stage.llm.requests[-1].items if i.type.startswith("function")] == [
        "function_call",
        "function_call_output",
    ]


def test_a_cancellable_tool_is_cancelled_by_an_interruption() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        await stage.session.interrupt()
        assert stage.now == 4.0

    stage = play(5.0, HELLO, agent=Tools, answers=[calls("endless", text="Let me see")], durations=[5.0], act=act)
    ((name, output, is_error),) = outputs(stage)
    assert (name, is_error) == ("endless", True)
    assert "cancelled" in output


def test_a_running_tool_is_waited_for_but_not_for_ever() -> None:
    class Endless(Agent):
        @function_tool
        async def forever(self) -> str:
            """Never ends."""
            await asyncio.sleep(1000)
            return "never"

    async def act(stage: Stage) -> None:
        await stage.run_until(4.0)
        await stage.session.interrupt()
        assert stage.now == 9.0

    stage = play(
        10.0,
        HELLO,
        agent=lambda: Endless(instructions=""),
        answers=[calls("forever", text="Let me see")],
        durations=[5.0],
        act=act,
    )
    ((name, output, is_error),) = outputs(stage)
    assert (name, is_error) == ("forever", False)
    assert output.startswith("The call is still running.")
    assert "don't call `forever` again" in output


def test_a_tool_may_speak_and_wait_for_it() -> None:
    stage = play(12.0, HELLO, agent=Tools, answers=[calls("talks"), Answer("Done")], durations=[1.0, 1.0])
    assert stage.said() == [("user", HELLO.text), ("assistant", "One moment"), ("assistant", "Done")]
    turns = {e.turn_id for e in stage.of("speech_created")}
    assert turns == {"turn_1"}


def test_a_tool_may_wait_for_what_was_said_before_it() -> None:
    agents: list[Tools] = []

    def make() -> Tools:
        agents.append(Tools())
        return agents[0]

    answers = [calls("waits", text="Listen to this"), Answer("Done")]
    play(12.0, HELLO, agent=make, answers=answers, durations=[2.0, 1.0])
    assert agents[0].ran == ["waited until 5.21"]


def test_a_tool_that_waits_for_its_own_speech_is_told() -> None:
    stage = play(12.0, HELLO, agent=Tools, answers=[calls("deadlocks"), Answer("Sorry")], durations=[1.0])
    (finished,) = stage.of("tool_finished")
    assert "wait_for_playout" in finished.data.details
    assert stage.said()[-1] == ("assistant", "Sorry")


def test_a_tool_may_protect_its_speech() -> None:
    stop = UserSpeech(3.3, 4.5, "Stop")
    answers = [calls("protects", text="Careful now"), Answer("Done")]
    stage = play(12.0, HELLO, stop, agent=Tools, answers=answers, durations=[3.0, 1.0])
    assert stage.of("agent_interrupted") == []


def test_a_listener_may_call_the_reply_off() -> None:
    async def act(stage: Stage) -> None:
        stage.session.on("function_tools_executed", lambda event: event.cancel_tool_reply())

    stage = play(8.0, HELLO, agent=Tools, answers=[calls("quick")], act=act)
    assert len(stage.llm.requests) == 1


def test_each_call_tells_of_its_start_and_end() -> None:
    told: list[Any] = []

    async def act(stage: Stage) -> None:
        stage.session.on("tool_execution_updated", lambda event: told.append(event.update))

    play(8.0, HELLO, agent=Tools, answers=[calls("quick"), Answer("Done")], act=act)
    assert [u.type for u in told] == ["tool_call_started", "tool_call_ended"]
    assert told[1].status == "done"


def test_tools_may_be_given_for_one_reply() -> None:
    async def act(stage: Stage) -> None:
        with pytest.raises(ValueError, match="no tool 'unknown'"):
            stage.session.generate_reply(tools=["unknown"])
        await stage.session.generate_reply(user_input="go", tools=["quick"])

    stage = play(5.0, agent=Tools, answers=[calls("slow"), Answer("Sorry")], act=act)
    assert "Unknown function: slow" in outputs(stage)[0][1]


def test_tools_may_be_forbidden_for_one_reply() -> None:
    async def act(stage: Stage) -> None:
        await stage.session.generate_reply(user_input="go", tool_choice="none")

    stage = play(5.0, agent=Tools, answers=[Answer("Fine")], act=act)
    assert stage.llm.choices == ["none"]


def test_a_call_that_was_forbidden_is_ignored() -> None:
    async def act(stage: Stage) -> None:
        await stage.session.generate_reply(user_input="go", tool_choice="none")

    stage = play(5.0, agent=Tools, answers=[calls("quick", text="All right")], act=act, durations=[1.0])
    assert stage.said()[-1] == ("assistant", "All right")
    assert stage.of("tool_started") == []
    assert len(stage.llm.requests) == 1


def test_the_sessions_tools_are_every_agents() -> None:
    @function_tool
    async def shared() -> str:
        """Shared."""
        return "shared done"

    stage = play(8.0, HELLO, answers=[calls("shared"), Answer("Done")], tools=[shared])
    assert outputs(stage) == [("shared", "shared done", False)]


def test_a_preemptive_reply_runs_no_tool_before_the_turn_is_over() -> None:
    patient = {"endpointing": {"min_delay": 2.0}}
    stage = play(9.0, HELLO, agent=Tools, answers=[calls("quick"), Answer("Done")], turn_handling=patient)
    assert causes(stage, "llm_started")[0] == "preemptive"
    assert stage.times("tool_started") == [4.5]


@pytest.mark.parametrize("lazily", [False, True])
def test_a_node_adds_a_tool_for_one_answer(lazily):
    class Forecaster(Agent):
        def llm_node(self, chat_ctx, tools, settings):
            def add():
                tools.append(function_tool(weather, name="weather", description="The weather."))

            async def later():
                add()
                async for chunk in Agent.default.llm_node(self, chat_ctx, tools, settings):
                    yield chunk

            if lazily:
                return later()
            add()
            return Agent.default.llm_node(self, chat_ctx, tools, settings)

    async def weather(city: str) -> str:
        return f"sunny in {city}"

    async def scenario():
        answers = [Answer(tool_calls=[("weather", '{"city": "Oslo"}')]), Answer("Sunny.")]
        session = AgentSession(llm=(model := ScriptedLLM(answers)))
        await session.start(Forecaster(instructions=""))
        result = await session.run(user_input="And in Oslo?")
        outputs = [item.output for item in session.history.items if item.type == "function_call_output"]
        assert outputs == ["sunny in Oslo"]
        assert len(model.requests) == 2
        result.expect.next_event().is_function_call(name="weather")
        await session.aclose()

    run_virtual(scenario())
