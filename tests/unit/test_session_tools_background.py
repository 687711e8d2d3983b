"""Tools that tell how far they are and work on in the background."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from agent_runtime import Agent, AgentTask, RunContext, ToolFlag, function_tool
from agent_runtime.llm.async_toolset import AsyncToolset
from agent_runtime.testing import Answer, Stage, UserSpeech, in_virtual_time, run_virtual, scripted_session
from agent_tools.mcp_tools import make_tool, result_text
from tests.support.play import HELLO, play
from tests.support.slow_tools import Slow, calls, last_words, outputs, replies, spoken, updates


def test_the_first_update_lets_the_reply_go_on_and_the_result_has_one_of_its_own() -> None:
    answers = [calls("book"), Answer("I am asking"), Answer("It is booked")]
    stage = play(14.0, HELLO, agent=Slow, answers=answers, durations=[1.0, 1.0])
    assert spoken(stage) == [(3.5, "I am asking"), (9.5, "It is booked")]
    (first, final) = outputs(stage)
    assert first[0] == "book"
    assert "asking the airline" in first[1]
    assert final == ("book_final", "booked", False)
    # A report is nothing to act on, a result is.
    assert [choice == "none" for choice in stage.llm.choices] == [False, True, False]
    assert "New" not in last_words(stage.llm.requests[1])
    assert "_final" in last_words(stage.llm.requests[2])
    assert replies(stage) == [(9.0, "scheduled", 1), (10.51, "completed", 1)]
    # In between it is the user's turn, and one more of the agent's afterwards.
    states = [(t, name) for t, name in stage.timeline("agent_state_changed") if t > 3]
    assert states == [
        (3.5, "agent speaking"),
        (4.51, "agent listening"),
        (9.0, "agent thinking"),
        (9.5, "agent speaking"),
        (10.51, "agent listening"),
    ]
    assert [e.turn_id for e in stage.of("speech_created")] == ["turn_1", "turn_1", "turn_2"]


def test_later_updates_wait_until_nobody_speaks_and_are_told_together() -> None:
    answers = [calls("chatty"), Answer("One"), Answer("Two, a long one"), Answer("Both")]
    stage = play(30.0, HELLO, agent=Slow, answers=answers, durations=[1.0, 4.5, 1.0])
    assert updates(stage)[1:] == ["1", "2"]
    # "two" is told at 8.0; what came at 8.5 and at 12.0 waits for its end at 13.01.
    assert replies(stage) == [
        (8.0, "scheduled", 1),
        (13.01, "completed", 1),
        (13.01, "scheduled", 2),
        (14.52, "completed", 2),
    ]
    assert [o[0] for o in outputs(stage)] == ["chatty", "chatty_update_1", "chatty_update_2", "chatty_final"]
    assert outputs(stage)[2][1] == '{"step":3}'
    assert [choice == "none" for choice in stage.llm.choices] == [False, True, True, False]
    # They came after the agent began to speak: it can't have told of them.
    assert "what is new" in last_words(stage.llm.requests[3])


def test_a_silent_update_is_for_the_model_alone() -> None:
    stage = play(12.0, HELLO, agent=Slow, answers=[calls("quiet"), Answer("Done")], durations=[1.0])
    assert spoken(stage) == [(6.5, "Done")]
    assert [(name, "secretly" in output) for name, output, _ in outputs(stage)] == [
        ("quiet", True),
        ("quiet_update_1", True),
        ("quiet_final", False),
    ]
    assert [event.data.silent for event in stage.of("tool_updated")] == [True, True]
    assert (3.0, "agent listening") in stage.timeline("agent_state_changed")


def test_a_failure_in_the_background_is_told_without_its_secrets() -> None:
    stage = play(
        12.0, HELLO, agent=Slow, answers=[calls("fails"), Answer("Trying"), Answer("Sorry")], durations=[1.0, 1.0]
    )
    assert outputs(stage)[-1] == ("fails_final", "An internal error occurred", True)
    assert spoken(stage)[-1] == (7.5, "Sorry")
    (finished,) = stage.of("tool_finished")
    assert "ZeroDivisionError: secret" in finished.data.details
    assert [event.data.source for event in stage.of("error_occurred")] == ["tool fails"]


def test_a_handoff_after_an_update_does_not_happen_and_the_model_knows() -> None:
    answers = [calls("hands_over"), Answer("Thinking"), Answer("Sorry")]
    stage = play(12.0, HELLO, agent=Slow, answers=answers, durations=[1.0, 1.0])
    name, output, is_error = outputs(stage)[-1]
    assert (name, is_error) == ("hands_over_final", True)
    assert "handoff did not happen" in output
    assert [event.data.new for event in stage.of("agent_changed")] == ["slow"]


def test_news_wait_for_the_user_who_speaks_and_for_their_answer() -> None:
    again = UserSpeech(8.0, 10.0, "And another thing")
    answers = [calls("book"), Answer("Asking"), Answer("Sure"), Answer("Booked")]
    stage = play(16.0, HELLO, again, agent=Slow, answers=answers, durations=[1.0, 1.0, 1.0])
    # The result is there at 9.0; the user's turn ends at 10.5 and its answer, which knows the result, at 11.7.
    assert spoken(stage) == [(3.5, "Asking"), (10.7, "Sure"), (12.21, "Booked")]
    known = [item.output for item in stage.llm.requests[2].items if item.type == "function_call_output"]
    assert known[-1] == "booked"
    assert replies(stage)[0] == (11.71, "scheduled", 1)
    assert "spoken since" in last_words(stage.llm.requests[3])


def test_a_reply_to_news_that_says_nothing_was_skipped() -> None:
    stage = play(12.0, HELLO, agent=Slow, answers=[calls("book"), Answer("Asking"), Answer("")], durations=[1.0])
    assert [status for _, status, _ in replies(stage)] == ["scheduled", "skipped"]


def test_an_interrupted_reply_to_news_leaves_them_in_the_conversation() -> None:
    stop = UserSpeech(9.7, 11.0, "Wait")
    answers = [calls("book"), Answer("Asking"), Answer("It is booked now for you"), Answer("Yes?")]
    stage = play(16.0, HELLO, stop, agent=Slow, answers=answers, durations=[1.0, 5.0, 1.0])
    assert [status for _, status, _ in replies(stage)] == ["scheduled", "interrupted"]
    assert [i.output for i in stage.llm.requests[-1].items if i.type == "function_call_output"][-1] == "booked"
    assert len(stage.of("tool_started")) == 1


def test_an_interruption_does_not_touch_what_runs_in_the_background() -> None:
    stop = UserSpeech(3.6, 5.0, "Wait")
    answers = [calls("book"), Answer("I am asking the airline for you"), Answer("Yes?"), Answer("Booked")]
    stage = play(16.0, HELLO, stop, agent=Slow, answers=answers, durations=[5.0, 1.0, 1.0])
    assert outputs(stage)[-1] == ("book_final", "booked", False)
    assert stage.said()[-1] == ("assistant", "Booked")


def test_updates_before_the_answer_of_their_step_come_after_it() -> None:
    class Hasty(Agent):
        @function_tool
        async def hasty(self, context: RunContext[Any]) -> str:
            """Tell everything at once."""
            await context.update("one")
            await context.update("two")
            return "three"

        @function_tool
        async def slow(self) -> str:
            """Take a second."""
            await asyncio.sleep(1.0)
            return "slow done"

    answers = [calls("hasty", "slow"), Answer("Both"), Answer("All")]
    stage = play(12.0, HELLO, agent=lambda: Hasty(instructions=""), answers=answers, durations=[1.0, 1.0])
    assert [o[0] for o in outputs(stage)] == ["hasty", "slow", "hasty_update_1", "hasty_final"]
    assert outputs(stage)[1][1] == "slow done"
    assert spoken(stage) == [(4.5, "Both"), (6.01, "All")]
    # A result beside a report may be acted on.
    assert stage.llm.choices[1] != "none"


def test_a_call_that_outlasts_its_interrupted_reply_is_not_made_again_and_not_lost() -> None:
    ran: list[str] = []

    class Books(Agent):
        @function_tool
        async def book(self) -> str:
            """Book, once, in eight seconds."""
            ran.append("book")
            await asyncio.sleep(8.0)
            return "booked"

    stop = UserSpeech(3.8, 5.0, "Wait a moment")
    answers = [calls("book", text="Let me see to that"), Answer("Yes?"), Answer("It is booked")]
    stage = play(
        16.0,
        HELLO,
        stop,
        agent=lambda: Books(instructions=""),
        answers=answers,
        durations=[5.0, 1.0, 1.0],
        can_pause=False,
    )
    # Interrupted at 4.3; the next reply, at 5.5, knows that the call runs; at 9.3 nobody waits for it any more.
    seen = [i.output for i in stage.llm.requests[1].items if i.type == "function_call_output"]
    assert seen == ["The call is still running."]
    assert [o[0] for o in outputs(stage)] == ["book", "book_final"]
    assert "don't call `book` again" in outputs(stage)[0][1]
    assert outputs(stage)[1][1] == "booked"
    assert spoken(stage)[-1] == (11.5, "It is booked")
    assert ran == ["book"]


def test_a_call_that_runs_is_marked_for_other_replies_until_it_has_ended() -> None:
    class Talks(Agent):
        @function_tool
        async def work(self, context: RunContext[Any]) -> str:
            """Have the model say something meanwhile."""
            await context.session.generate_reply(instructions="Say that it takes a moment.")
            return "worked"

    answers = [calls("work"), Answer("A moment"), Answer("Done")]
    stage = play(10.0, HELLO, agent=lambda: Talks(instructions=""), answers=answers, durations=[1.0, 1.0])
    told = [[i.output for i in r.items if i.type == "function_call_output"] for r in stage.llm.requests]
    assert told == [[], ["The call is still running."], ["worked"]]
    assert [i for i in stage.session.history.items if i.id.endswith("_running")] == []
    assert stage.said() == [("user", HELLO.text), ("assistant", "A moment"), ("assistant", "Done")]


def test_a_marked_call_is_there_once_when_its_reply_goes_on() -> None:
    class Talks(Slow):
        @function_tool
        async def work(self, context: RunContext[Any]) -> str:
            """Have the model say something meanwhile, for which it calls a tool."""
            await context.session.generate_reply(instructions="Say how long it takes.", tool_choice="auto")
            return "worked"

    answers = [calls("work"), calls("quick"), Answer("A moment"), Answer("Done")]
    stage = play(10.0, HELLO, agent=Talks, answers=answers, durations=[1.0, 1.0])
    told = [[i.output for i in r.items if i.type == "function_call_output"] for r in stage.llm.requests]
    assert told[2] == ["The call is still running.", "quick done"]
    assert sorted(told[3]) == ["quick done", "worked"]


def test_a_call_that_protects_itself_is_not_cancelled() -> None:
    class Protected(Agent):
        @function_tool(flags=ToolFlag.CANCELLABLE)
        async def pay(self, context: RunContext[Any]) -> str:
            """Pay."""
            context.disallow_interruptions()
            await context.update("paying")
            await asyncio.sleep(6.0)
            return "paid"

    async def act(stage: Stage) -> None:
        await stage.run_until(6.0)
        (call,) = [e.data.call_id for e in stage.of("tool_started")]
        cancel = Answer("", [("lk_agents_cancel_task", f'{{"call_id": "{call}"}}')])
        stage.llm.answers += [cancel, Answer("Sorry"), Answer("Paid")]
        await stage.session.send_text("Stop that")

    answers = [calls("pay"), Answer("Paying")]
    stage = play(14.0, HELLO, agent=lambda: Protected(instructions=""), answers=answers, durations=[1.0] * 3, act=act)
    assert "may not be interrupted now" in outputs(stage)[1][1]
    assert outputs(stage)[-1] == ("pay_final", "paid", False)


def test_the_model_lists_and_cancels_what_may_be_cancelled() -> None:
    cancelled: list[Slow] = []

    def make() -> Slow:
        cancelled.append(Slow())
        return cancelled[0]

    async def act(stage: Stage) -> None:
        await stage.run_until(6.0)
        (call,) = [e.data.call_id for e in stage.of("tool_started")]
        stage.llm.answers += [
            Answer("", [("lk_agents_get_running_tasks", "{}")]),
            Answer("", [("lk_agents_cancel_task", f'{{"call_id": "{call}"}}')]),
            Answer("", [("lk_agents_cancel_task", f'{{"call_id": "{call}"}}')]),
            Answer("Stopped"),
        ]
        await stage.session.send_text("Stop that")
        assert call in outputs(stage)[1][1]

    stage = play(12.0, HELLO, agent=make, answers=[calls("stoppable"), Answer("Begun")], durations=[1.0, 1.0], act=act)
    assert [(o[1], o[2]) for o in outputs(stage)][2:] == [
        (f"The call {stage.of('tool_started')[0].data.call_id} was cancelled.", False),
        (f"No call {stage.of('tool_started')[0].data.call_id} is running; it may be over already.", True),
    ]
    assert cancelled[0].ran == ["stopped"]
    assert spoken(stage)[-1][1] == "Stopped"


def test_only_where_something_may_be_cancelled_the_model_has_tools_for_that() -> None:
    class Without(Agent):
        @function_tool
        async def quick(self) -> str:
            """Take no time."""
            return "quick done"

    cancel = [Answer("", [("lk_agents_cancel_task", '{"call_id": "x"}')]), Answer("Sorry")]
    stage = play(8.0, HELLO, agent=lambda: Without(instructions=""), answers=list(cancel), durations=[1.0])
    assert "Unknown function: lk_agents_cancel_task. There are: quick" in outputs(stage)[0][1]
    stage = play(8.0, HELLO, agent=Slow, answers=list(cancel), durations=[1.0])
    assert "No call x is running" in outputs(stage)[0][1]


def test_the_callbacks_follow_each_call_from_its_start_to_its_reply() -> None:
    told: list[Any] = []

    async def act(stage: Stage) -> None:
        stage.session.on("tool_execution_updated", lambda event: told.append(event.update))

    answers = [calls("book"), Answer("Asking"), Answer("Booked")]
    play(14.0, HELLO, agent=Slow, answers=answers, durations=[1.0, 1.0], act=act)
    started, updated, ended, scheduled, completed = told
    call_id = started.function_call.call_id
    assert (updated.id, updated.call_id, updated.message) == (call_id, call_id, "asking the airline")
    assert (ended.id, ended.call_id, ended.message, ended.status) == (f"{call_id}_final", call_id, "booked", "done")
    assert (scheduled.update_ids, scheduled.status) == ([f"{call_id}_final"], "scheduled")
    assert (completed.status, completed.speech_id) == ("completed", scheduled.speech_id)


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["session", "agent", "toolset", "update"])
def test_the_words_around_an_update_are_those_of_whoever_is_nearest(where: str) -> None:
    def handling(name: str) -> Any:
        given = ["session", "agent", "toolset"].index(name) <= ["session", "agent", "toolset", "update"].index(where)
        return {"async_options": {"update_template": name + ": {message}"}} if given else None

    @function_tool
    async def work(context: RunContext[Any]) -> None:
        """Work."""
        template = (lambda args: f"update: {args['message']} of {args['function_name']}") if where == "update" else None
        await context.update("begun", template=template)

    toolset = AsyncToolset(id="set", tools=[work], tool_handling=handling("toolset"))
    given = {} if (own := handling("agent")) is None else {"tool_handling": own}
    stage = play(
        8.0,
        HELLO,
        agent=lambda: Agent(instructions="", tools=[toolset], **given),
        answers=[calls("work"), Answer("Begun")],
        durations=[1.0],
        tool_handling=handling("session"),
    )
    assert outputs(stage)[0][1] == f"{where}: begun" + (" of work" if where == "update" else "")
    assert outputs(stage)[1] == ("work_final", "", False)
    assert replies(stage) == []


# --- where updates come from, and tools that aren't offered ----------------------------------------------------------


def test_what_an_mcp_server_says_of_its_progress_is_an_update() -> None:
    async def call(name: str, arguments: dict[str, Any], progress: Any) -> Any:
        await asyncio.sleep(1.0)
        await progress(1, 2, "halfway")
        await progress(1.5, 2, None)  # without words there is nothing to tell
        await asyncio.sleep(4.0)
        return SimpleNamespace(content=[SimpleNamespace(text="cooked")], structured_content=None, is_error=False)

    remote: Any = SimpleNamespace(name="cook", description="Cook.", input_schema={"type": "object"}, meta=None)
    tool = make_tool(remote, call, {"report_progress": True}, result_text)
    stage = play(
        14.0,
        HELLO,
        agent=lambda: Agent(instructions="", tools=[tool]),
        answers=[calls("cook"), Answer("Halfway"), Answer("Cooked")],
        durations=[1.0, 1.0],
    )
    assert [event.data.message for event in stage.of("tool_updated")] == ["halfway"]
    assert outputs(stage)[-1] == ("cook_final", "cooked", False)
    assert spoken(stage) == [(4.5, "Halfway"), (8.5, "Cooked")]


def test_what_is_ignored_on_enter_is_offered_afterwards() -> None:
    class Greets(Agent):
        async def on_enter(self) -> None:
            self.session.generate_reply(instructions="Greet.")

        @function_tool(flags=ToolFlag.IGNORE_ON_ENTER)
        async def finish(self) -> str:
            """Finish."""
            return "finished"

        @function_tool
        async def look(self) -> str:
            """Look."""
            return "seen"

    answers = [calls("finish"), Answer("Hello"), calls("finish"), Answer("Bye")]
    says = UserSpeech(5.0, 6.0, "That's all")
    stage = play(12.0, says, agent=lambda: Greets(instructions=""), answers=answers, durations=[1.0, 1.0])
    assert [(o[1], o[2]) for o in outputs(stage)] == [
        ("Unknown function: finish. There are: look", True),
        ("finished", False),
    ]


# --- runs ------------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_run_waits_for_news_that_are_about_to_be_told_but_for_no_call() -> None:
    class Two(Agent):
        @function_tool
        async def hasty(self, context: RunContext[Any]) -> str:
            """Tell and end."""
            await context.update("begun")
            return "ended"

    answers = [calls("hasty"), Answer("Begun"), Answer("Ended"), calls("book"), Answer("Asking")]
    async with scripted_session(answers=answers, microphone=False, speaker=False) as stage:
        await stage.session.start(Two(instructions=""))
        run = await stage.session.run(user_input="Go")
        assert [e.type for e in run.events] == ["function_call", "function_call_output", "message", "message"]
        run.expect.contains_message(role="assistant")
        await stage.session.current_agent.update_tools(Slow().tools)
        before = stage.now
        run = await stage.session.run(user_input="Go")
        assert stage.now - before < 2.0
        assert stage.llm.answers == []
        stage.llm.answers.append(Answer("Booked"))
        await stage.run_until(before + 10)
        assert stage.said()[-1] == ("assistant", "Booked")


def test_outside_of_a_session_updates_are_kept_with_the_result() -> None:
    from agent_runtime.llm import FunctionToolCall, ToolContext, execute_function_call

    async def scenario() -> None:
        async with scripted_session(microphone=False) as stage:
            from agent_runtime import SpeechHandle
            from agent_runtime.llm import FunctionCall

            call = FunctionCall(call_id="call_1", name="chatty", arguments="{}")
            context: RunContext[Any] = RunContext(
                session=stage.session, speech_handle=SpeechHandle.create(), function_call=call
            )
            request = FunctionToolCall(call_id="call_1", name="chatty", arguments="{}")
            result = await execute_function_call(request, ToolContext(Slow().tools), call_ctx=context)
            assert result.fnc_call_out.output == "chatted"
            ids = [output.call_id for _, output in result.fnc_call_updates]
            assert ids == ["call_1", "call_1_update_1", "call_1_update_2"]

    run_virtual(scenario())


def away(stage: Stage) -> list[float]:
    return stage.times("user_state_changed", new="away")


def test_while_a_tool_works_on_the_user_waits_and_is_not_away() -> None:
    answers = [calls("book"), Answer("I am asking"), Answer("It is booked")]
    stage = play(30.0, HELLO, agent=Slow, answers=answers, durations=[1.0, 1.0], user_away_timeout=3.0)
    # It tells its result at 9.0, and that is heard to 10.51; the silence counts from there.
    assert away(stage) == [13.51]


def test_silence_counts_from_the_end_of_a_tool_of_which_nothing_is_told() -> None:
    answers = [calls("stoppable"), Answer("On it"), calls("cancel_task"), Answer("Stopped")]

    async def act(stage: Stage) -> None:
        await stage.run_until(20.0)
        (running,) = stage.session._engine.calls.cancellable
        running.cancel()

    stage = play(40.0, HELLO, agent=Slow, act=act, answers=answers, durations=[1.0, 1.0], user_away_timeout=3.0)
    assert away(stage) == [23.0]


def test_a_tool_of_an_agent_that_waits_for_its_task_does_not_hold_the_silence_off() -> None:
    class Asks(Slow):
        @function_tool
        async def ask(self, context: RunContext[Any]) -> str:
            """Work on, and have somebody else talk meanwhile."""
            await AgentTask[str](instructions="Wait.")
            return "asked"

    answers = [calls("stoppable", "ask"), Answer("On it")]
    stage = play(30.0, HELLO, agent=Asks, answers=answers, durations=[1.0], user_away_timeout=3.0)
    assert len(away(stage)) == 1
