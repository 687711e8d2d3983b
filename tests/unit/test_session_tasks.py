"""`AgentTask`: who has the conversation, what is said, remembered and told, and who waits for whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from agent_runtime import Agent, AgentSession, AgentTask, RunContext, ToolError, function_tool
from agent_runtime.testing import Answer, ScriptedLLM, Stage, UserSpeech, in_virtual_time
from agent_runtime.voice.run_events import describe
from tests.support.play import HELLO, causes, play

LOG: list[str] = []


@pytest.fixture(autouse=True)
def _fresh_log() -> None:
    LOG.clear()


def said(text: str) -> Answer:
    return Answer(text)


def calls(*names: str, text: str = "", arguments: str = "{}") -> Answer:
    return Answer(text, [(name, arguments) for name in names])


@asynccontextmanager
async def started(agent: Agent, *answers: Answer) -> AsyncGenerator[AgentSession[Any], None]:
    async with AgentSession[Any](llm=ScriptedLLM(list(answers))) as session:
        await session.start(agent)
        yield session


class AskName(AgentTask[str]):
    """Says a question when it begins; the tool `answer` completes it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(instructions="Ask for the name.", **options)

    async def on_enter(self) -> None:
        LOG.append("enter task")
        self.session.say("Your name?")

    async def on_exit(self) -> None:
        LOG.append("exit task")

    @function_tool
    async def answer(self, name: str) -> None:
        """The user told the name."""
        self.complete(name)

    @function_tool
    async def refuse(self) -> None:
        """The user doesn't tell."""
        self.complete(ToolError("the user refused"))

    @function_tool
    async def leave(self) -> Any:
        """Go to somebody else."""
        return Other(), "leaving"


class Other(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="other")

    async def on_enter(self) -> None:
        LOG.append("enter other")


class Clerk(Agent):
    """`book` awaits the task."""

    def __init__(self, task: Callable[[], AgentTask[Any]] = AskName) -> None:
        super().__init__(instructions="You are a clerk.")
        self.make = task
        self.task: AgentTask[Any] | None = None

    async def on_enter(self) -> None:
        LOG.append("enter clerk")

    async def on_exit(self) -> None:
        LOG.append("exit clerk")

    @function_tool
    async def book(self) -> str:
        """Book a table."""
        self.task = self.make()
        name = await self.task
        LOG.append(f"got {name}, current {self.session.current_agent.id}")
        return f"booked for {name}"

    @function_tool
    async def quick(self) -> str:
        """Something else."""
        return "quick"


NAME = UserSpeech(8.0, 9.0, "Bob")
ANSWER_BOB = calls("answer", arguments='{"name": "Bob"}')


def roles(stage_or_context: Any) -> list[tuple[str, str]]:
    return [(m.role, m.text_content or "") for m in stage_or_context.messages()]


# --- the way in and out ----------------------------------------------------------------------------------------------


def test_a_tool_awaits_a_task_and_goes_on_with_its_result() -> None:
    answers = [calls("book", text="One question."), ANSWER_BOB, said("Booked.")]
    stage = play(30.0, HELLO, NAME, agent=Clerk, answers=answers, durations=[1.0, 1.0, 1.0])
    assert LOG == ["enter clerk", "enter task", "exit task", "got Bob, current clerk", "exit clerk"]
    assert stage.said() == [
        ("user", HELLO.text),
        ("assistant", "One question."),
        ("assistant", "Your name?"),
        ("user", "Bob"),
        ("assistant", "Booked."),
    ]
    assert [(e.data.old, e.data.new, e.cause) for e in stage.of("agent_changed")] == [
        (None, "clerk", "start"),
        ("clerk", "ask_name", "task"),
        ("ask_name", "clerk", "task_completed"),
    ]
    handoffs = [(i.old_agent_id, i.new_agent_id) for i in stage.session.history.items if i.type == "agent_handoff"]
    assert handoffs == [(None, "clerk"), ("clerk", "ask_name"), ("ask_name", "clerk")]
    assert stage.of("error_occurred") == []


def test_the_instants_of_a_task() -> None:
    answers = [calls("book", text="One question."), ANSWER_BOB, said("Booked.")]
    stage = play(30.0, HELLO, NAME, agent=Clerk, answers=answers, durations=[1.0, 1.0, 1.0])
    # The task begins when the words before the call were heard, and ends as soon as its tool has.
    assert stage.times("agent_changed") == [0.0, 4.21, 9.5]
    states = [entry for entry in stage.timeline("agent_state_changed") if entry[0] > 0]
    assert states == [
        (3.0, "agent thinking"),
        (3.2, "agent speaking"),
        (4.21, "agent thinking"),
        (4.41, "agent speaking"),
        (5.42, "agent listening"),
        (9.5, "agent thinking"),
        (9.5, "agent listening"),
        (9.5, "agent thinking"),
        (10.0, "agent speaking"),
        (11.01, "agent listening"),
    ]


def test_a_task_that_says_nothing_listens() -> None:
    class Quiet(AskName):
        async def on_enter(self) -> None:
            """Nothing."""

    stage = play(7.0, HELLO, agent=lambda: Clerk(Quiet), answers=[calls("book")])
    assert stage.timeline("agent_state_changed")[1:] == [(3.0, "agent thinking"), (3.0, "agent listening")]
    assert stage.session.agent_state == "listening"


@pytest.mark.parametrize("preserve", [False, True])
@in_virtual_time
async def test_what_was_said_meanwhile_is_remembered_and_tool_calls_if_asked_for(preserve):
    clerk = Clerk(lambda: AskName(preserve_function_call_history=preserve))
    async with started(clerk, calls("book"), ANSWER_BOB, said("Booked.")) as session:
        await session.run(user_input="Book")
        await session.run(user_input="Bob")
        assert roles(session.llm.requests[-1]) == [
            ("system", "You are a clerk."),
            ("user", "Book"),
            ("assistant", "Your name?"),
            ("user", "Bob"),
        ]
        called = [item.name for item in clerk.chat_ctx.items if item.type == "function_call"]
        assert called == (["book", "answer"] if preserve else ["book"])
        # The task knows only its own part, but for what it is given.
        assert roles(session.llm.requests[1]) == [
            ("system", "Ask for the name."),
            ("assistant", "Your name?"),
            ("user", "Bob"),
        ]


@in_virtual_time
async def test_a_task_that_is_given_the_conversation_doubles_nothing():
    clerk = Clerk(lambda: AskName(chat_ctx=clerk.chat_ctx.copy(exclude_instructions=True)))
    async with started(clerk, calls("book"), ANSWER_BOB, said("Booked.")) as session:
        await session.run(user_input="Book")
        await session.run(user_input="Bob")
        assert [text for _, text in roles(session.llm.requests[1])][1:] == ["Book", "Your name?", "Bob"]
        assert [text for _, text in roles(clerk.chat_ctx)][1:] == ["Book", "Your name?", "Bob", "Booked."]


@in_virtual_time
async def test_an_exception_is_raised_where_the_task_is_awaited():
    async with started(Clerk(), calls("book"), calls("refuse"), said("A pity.")) as session:
        changes: list[Any] = []
        session.events.subscribe(changes.append)
        await session.run(user_input="Book")
        run = await session.run(user_input="No")
        run.expect.contains_function_call_output(output="the user refused", is_error=True)
        assert [e.cause for e in changes if e.data.type == "agent_changed"] == ["task", "task_failed"]


@in_virtual_time
async def test_on_enter_awaits_a_task():
    class Greeter(Agent):
        async def on_enter(self) -> None:
            LOG.append(await AskName())
            await self.session.say("Hello Bob")

    async with started(Greeter(instructions=""), ANSWER_BOB) as session:
        await asyncio.sleep(1.0)
        assert session.current_agent.id == "ask_name"
        run = await session.run(user_input="Bob")
        assert LOG == ["enter task", "exit task", "Bob"]
        assert session.current_agent.id == "greeter"
        run.expect.contains_message(role="assistant").event()
        assert session.history.messages()[-1].text_content == "Hello Bob"


def test_on_exit_awaits_a_task_and_the_user_can_answer_it() -> None:
    class Leaving(Agent):
        async def on_exit(self) -> None:
            LOG.append(await AskName())

    async def act(stage: Stage) -> None:
        stage.session.update_agent(Other())

    speech = UserSpeech(2.0, 3.0, "Bob")
    stage = play(20.0, speech, agent=lambda: Leaving(instructions=""), answers=[ANSWER_BOB], act=act)
    # The hook ran in the middle of the handoff; the task's own hooks did too.
    assert LOG == ["enter task", "exit task", "Bob", "enter other"]
    assert [e.data.new for e in stage.of("agent_changed")] == ["leaving", "ask_name", "leaving", "other"]
    assert causes(stage, "agent_changed") == ["start", "task", "task_completed", "update_agent"]


class AskAll(AgentTask[list[str]]):
    """Awaits tasks itself."""

    def __init__(self) -> None:
        super().__init__(instructions="all")

    async def on_enter(self) -> None:
        self.complete([await AskName(), await AskName()])


@in_virtual_time
async def test_tasks_that_await_tasks():
    clerk = Clerk(AskAll)
    async with started(clerk, calls("book"), ANSWER_BOB, ANSWER_BOB, said("Booked.")) as session:
        changes: list[Any] = []
        session.events.subscribe(changes.append)
        await session.run(user_input="Book")
        await session.run(user_input="Bob")
        await session.run(user_input="Bob again")
        news = [e.data.new for e in changes if e.data.type == "agent_changed"]
        assert news == ["ask_all", "ask_name", "ask_all", "ask_name", "ask_all", "clerk"]
        assert session.history.messages()[-1].text_content == "Booked."
        texts = [text for _, text in roles(clerk.chat_ctx)]
        assert texts[1:] == ["Book", "Your name?", "Bob", "Your name?", "Bob again", "Booked."]


@in_virtual_time
async def test_tasks_of_parallel_tools_come_one_after_the_other():
    class Two(Clerk):
        @function_tool
        async def other(self) -> str:
            """Book another one."""
            return f"other for {await AskName()}"

    async with started(Two(), calls("book", "other"), ANSWER_BOB, ANSWER_BOB, said("Both.")) as session:
        first = await session.run(user_input="Book twice")
        assert [e.type for e in first.events] == ["agent_handoff", "message"]
        await session.run(user_input="Bob")
        assert session.current_agent.id == "ask_name"
        last = await session.run(user_input="Bob")
        outputs = [e.item.output for e in last.events if e.type == "function_call_output" and e.item.name != "answer"]
        assert outputs == ["booked for Bob", "other for Bob"]


# --- runs ------------------------------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_run_ends_when_the_task_waits_for_the_user_and_the_next_one_goes_on():
    async with started(Clerk(), calls("book"), ANSWER_BOB, said("Booked.")) as session:
        first = await session.run(user_input="Book")
        first.expect.next_event().is_agent_handoff(new_agent_type=AskName)
        first.expect.next_event().is_message(role="assistant")
        first.expect.no_more_events()
        second = await session.run(user_input="Bob")
        assert [describe(event).split("  ")[-1].strip() for event in second.events] == [
            "book({})",
            'answer({"name": "Bob"})',
            "answer gave: ''",
            "AskName -> Clerk",
            "book gave: 'booked for Bob'",
            "assistant: 'Booked.'",
        ]


@in_virtual_time
async def test_a_task_as_the_first_agent_gives_the_runs_output():
    async with started(AskName(), ANSWER_BOB) as session:
        run = await session.run(user_input="Bob", output_type=str)
        assert run.final_output == "Bob"


@in_virtual_time
async def test_a_failed_task_as_the_first_agent_fails_the_run():
    async with started(AskName(), calls("refuse")) as session:
        with pytest.raises(ToolError, match="refused"):
            await session.run(user_input="No", output_type=str)


# --- handing over in the middle --------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_task_that_hands_over_waits_for_somebody_to_complete_it():
    clerk = Clerk()
    async with started(clerk, calls("book"), calls("leave"), said("Leaving."), said("Hm?")) as session:
        await session.run(user_input="Book")
        await session.run(user_input="Somebody else, please")
        assert session.current_agent.id == "other"
        assert LOG == ["enter clerk", "enter task", "exit task", "enter other"]
        assert clerk.task is not None
        clerk.task.complete("Bob")
        await session.drain()
        # The tool has its result, but the conversation stays where it is.
        assert LOG[-1] == "got Bob, current other"
        assert session.current_agent.id == "other"
        outputs = [i.output for i in clerk.chat_ctx.items if i.type == "function_call_output"]
        assert outputs == ["booked for Bob"]
        await session.run(user_input="Still there?")
        assert session.history.messages()[-1].text_content == "Hm?"


@in_virtual_time
async def test_a_task_that_was_left_for_ever_ends_with_the_session():
    errors: list[Any] = []
    async with started(Clerk(), calls("book"), calls("leave"), said("Leaving.")) as session:
        session.events.subscribe(errors.append)
        await session.run(user_input="Book")
        await session.run(user_input="Somebody else, please")
    (output,) = [e.data for e in errors if e.data.type == "tool_finished" and e.data.name == "book"]
    assert output.output == "AgentTask ask_name was not completed: the session is closed"


@in_virtual_time
async def test_nobody_hands_over_to_an_agent_that_awaits_a_task():
    clerk = Clerk()
    async with started(clerk, calls("book")) as session:
        await session.run(user_input="Book")
        with pytest.raises(RuntimeError, match=r"clerk awaits a task .* call the task's complete\(\)"):
            session.update_agent(clerk)


@in_virtual_time
async def test_a_task_that_is_completed_while_somebody_waits_to_take_over_still_gives_its_result():
    clerk = Clerk()
    async with started(clerk, calls("book"), said("Booked.")) as session:
        await session.run(user_input="Book")
        assert clerk.task is not None
        session.update_agent(Other())
        clerk.task.complete("Bob")
        await session.drain()
        assert LOG == ["enter clerk", "enter task", "exit task", "got Bob, current clerk", "exit clerk", "enter other"]
        assert session.history.messages()[-1].text_content == "Booked."


@in_virtual_time
async def test_no_task_begins_while_somebody_is_about_to_take_over():
    class Leaving(Clerk):
        @function_tool
        async def go(self) -> str:
            """Leave, and ask all the same."""
            self.session.update_agent(Other())
            return await AskName()

    async with started(Leaving(), calls("go"), said("No.")) as session:
        run = await session.run(user_input="Go")
        expected = "AgentTask ask_name can't begin: another agent is about to take over from leaving"
        run.expect.contains_function_call_output(output=expected, is_error=True)
        assert session.current_agent.id == "other"


# --- cancelling, interrupting, closing -------------------------------------------------------------------------------


@in_virtual_time
async def test_cancelling_a_task_tells_whoever_awaits_it():
    clerk = Clerk()
    async with started(clerk, calls("book"), said("Never mind.")) as session:
        await session.run(user_input="Book")
        assert clerk.task is not None
        clerk.task.cancel()
        clerk.task.cancel()
        assert clerk.task.done()
        with pytest.raises(RuntimeError, match="is done already"):
            clerk.task.complete("Bob")
        await session.drain()
        (output,) = [i for i in clerk.chat_ctx.items if i.type == "function_call_output"]
        assert (output.output, output.is_error) == ("AgentTask ask_name is cancelled", True)
        assert session.current_agent is clerk


@in_virtual_time
async def test_cancelling_a_task_cancels_what_it_awaits():
    clerk = Clerk(AskAll)
    async with started(clerk, calls("book"), said("Never mind.")) as session:
        await session.run(user_input="Book")
        assert session.current_agent.id == "ask_name"
        assert clerk.task is not None
        clerk.task.cancel()
        await session.drain()
        assert session.current_agent is clerk
        assert session.history.messages()[-1].text_content == "Never mind."


@in_virtual_time
async def test_a_tool_that_is_cancelled_ends_its_task():
    class Impatient(Clerk):
        @function_tool
        async def hurry(self) -> str:
            """Ask, but not for long."""
            async with asyncio.timeout(5.0):
                return await AskName()

    agent = Impatient()
    async with started(agent, calls("hurry"), said("Too late.")) as session:
        await session.run(user_input="Hurry")
        await asyncio.sleep(6.0)
        assert session.current_agent is agent
        assert LOG == ["enter clerk", "enter task", "exit task"]
        assert session.history.messages()[-1].text_content == "Too late."


def test_the_user_interrupts_the_task_and_not_the_tool_that_awaits_it() -> None:
    class Talkative(AskName):
        async def on_enter(self) -> None:
            self.session.say("What is the name that you want me to write down, please?")

    speech = UserSpeech(5.0, 6.0, "Bob")
    answers = [calls("book"), ANSWER_BOB, said("Booked.")]
    stage = play(20.0, HELLO, speech, agent=lambda: Clerk(Talkative), answers=answers, durations=[6.0, 1.0])
    assert len(stage.of("agent_interrupted")) == 1
    assert "got Bob, current clerk" in LOG
    assert stage.said()[-1] == ("assistant", "Booked.")


@in_virtual_time
async def test_interrupting_by_force_leaves_the_tool_that_awaits_a_task_alone():
    async with started(Clerk(), calls("book"), ANSWER_BOB, said("Booked.")) as session:
        await session.run(user_input="Book")
        session.say("blah")
        await session.interrupt(force=True)
        session.send_text("Bob")
        await session.drain()
        assert session.history.messages()[-1].text_content == "Booked."


@pytest.mark.parametrize("close", ["aclose", "shutdown", "drain"])
@in_virtual_time
async def test_a_session_that_closes_fails_the_task(close):
    seen: list[str] = []

    class Careful(Clerk):
        @function_tool
        async def book(self) -> str:
            """Book."""
            try:
                return await AskName()
            except ToolError as error:
                seen.append(error.message)
            try:
                return await AskName()
            except ToolError as error:
                seen.append(error.message)
                raise

    async with started(Careful(), calls("book")) as session:
        await session.run(user_input="Book")
        closed = asyncio.Event()
        session.on("close", lambda _: closed.set())
        before = asyncio.get_running_loop().time()
        if close == "aclose":
            await session.aclose()
        else:
            session.shutdown(drain=close == "drain")
            await closed.wait()
        assert asyncio.get_running_loop().time() == before
        assert seen == [
            "AgentTask ask_name was not completed: the session is closed",
            "AgentTask ask_name can't begin: the session is closing",
        ]
        # Everybody leaves, the innermost first.
        assert LOG == ["enter clerk", "enter task", "exit task", "exit clerk"]


@in_virtual_time
async def test_a_session_that_closes_in_nested_tasks():
    async with started(Clerk(AskAll), calls("book")) as session:
        await session.run(user_input="Book")
        assert session.current_agent.id == "ask_name"
    assert LOG == ["enter clerk", "enter task", "exit task", "exit clerk"]


# --- where it can't be awaited ---------------------------------------------------------------------------------------


@in_virtual_time
async def test_a_task_is_awaited_inside_of_an_agents_own_code_only():
    async with started(Clerk()):
        with pytest.raises(RuntimeError, match="'ask_name' can only be awaited inside of a tool, of on_enter or of on"):
            await AskName()


def test_a_task_is_not_awaited_in_the_hook_that_holds_the_turn_up() -> None:
    class Wrong(Agent):
        async def on_user_turn_completed(self, turn_ctx: Any, new_message: Any) -> None:
            await AskName()

    stage = play(8.0, HELLO, agent=lambda: Wrong(instructions=""))
    (error,) = stage.of("error_occurred")
    assert error.data.source == "hook on_user_turn_completed of wrong"
    assert "not in hook on_user_turn_completed of wrong" in error.data.message
    assert "test_session_tasks.py:" in error.data.message


@in_virtual_time
async def test_a_task_is_awaited_once():
    class Twice(Clerk):
        @function_tool
        async def book(self) -> str:
            """Book."""
            task = AskName()
            return await task + await task

    async with started(Twice(), calls("book"), ANSWER_BOB, said("Failed.")) as session:
        errors: list[Any] = []
        session.on("error", errors.append)
        await session.run(user_input="Book")
        await session.run(user_input="Bob")
        assert "was awaited before; make another one" in str(errors[0].error)


@in_virtual_time
async def test_a_task_that_is_done_already_gives_its_result_at_once():
    def done() -> AskName:
        task = AskName()
        task.complete("Zoe")
        return task

    async with started(Clerk(done), calls("book"), said("Booked.")) as session:
        await session.run(user_input="Book")
        assert LOG == ["enter clerk", "got Zoe, current clerk"]


@in_virtual_time
async def test_code_that_outlives_its_tool_awaits_no_task():
    seen: list[str] = []

    class Loose(Clerk):
        @function_tool
        async def book(self) -> str:
            """Leave something behind."""

            async def later() -> None:
                await asyncio.sleep(1.0)
                try:
                    await AskName()
                except RuntimeError as error:
                    seen.append(str(error))

            self.loose = asyncio.create_task(later())
            return "soon"

    agent = Loose()
    async with started(agent, calls("book"), said("Soon.")) as session:
        await session.run(user_input="Book")
        await agent.loose
    assert "can only be awaited inside" in seen[0]


# --- nobody waits for himself ----------------------------------------------------------------------------------------


class Speaking(Agent):
    """Tools that speak, and wait for what they said."""

    def __init__(self) -> None:
        super().__init__(instructions="speak")

    @function_tool
    async def says(self, context: RunContext[Any]) -> str:
        """Speak and wait."""
        await context.session.say("By the way")
        await context.session.generate_reply(user_input="More?")
        await context.wait_for_playout()
        return "said"

    @function_tool
    async def waits_for_itself(self, context: RunContext[Any]) -> str:
        """Wait for the speech that waits for it."""
        await context.speech_handle
        return "never"

    @function_tool
    async def drains(self, context: RunContext[Any]) -> str:
        """Wait for everything else."""
        context.session.say("By the way")
        await context.session.drain()
        await context.session.wait_for_idle()
        return "drained"

    @function_tool
    async def interrupts(self, context: RunContext[Any]) -> str:
        """Stop everything else."""
        context.session.say("By the way")
        await context.session.interrupt()
        return "interrupted"

    @function_tool
    async def hands_over(self, context: RunContext[Any]) -> str:
        """Have another agent take over and wait for a word."""
        context.session.update_agent(Other())
        await context.session.say("Somebody else comes")
        return "said"


@pytest.mark.parametrize(
    ("tool", "output"),
    [
        ("says", "said"),
        ("waits_for_itself", "An internal error occurred"),
        ("drains", "drained"),
        ("interrupts", "interrupted"),
        ("hands_over", "said"),
    ],
)
def test_a_tool_never_waits_for_itself(tool: str, output: str) -> None:
    async def act(stage: Stage) -> None:
        stage.llm.by_input.update({"More?": said("More."), output: said("End.")})

    stage = play(40.0, HELLO, agent=Speaking, answers=[calls(tool, text="Well.")], durations=[1.0] * 5, act=act)
    (finished,) = stage.of("tool_finished")
    assert finished.data.output == output
    assert finished.data.duration < 5.0
    assert (stage.said()[-1] == ("assistant", "End.")) is (tool != "interrupts")
    assert stage.session.history.items[-1].type != "function_call"


@pytest.mark.parametrize("hook", ["on_enter", "on_exit"])
@in_virtual_time
async def test_a_hook_waits_for_what_it_says(hook):
    class Hooked(Agent):
        pass

    async def speak(self: Agent) -> None:
        await self.session.generate_reply(instructions="Greet.")
        await self.session.say("There.")
        await self.session.drain()
        LOG.append("spoken")

    setattr(Hooked, hook, speak)
    async with started(Hooked(instructions=""), said("Hello.")) as session:
        session.update_agent(Other())
        await session.drain()
        await asyncio.sleep(1.0)
        assert sorted(LOG) == ["enter other", "spoken"]


# --- what is measured ------------------------------------------------------------------------------------------------


def test_the_turns_latency_ends_with_the_tasks_first_word() -> None:
    stage = play(30.0, HELLO, NAME, agent=Clerk, answers=[calls("book"), ANSWER_BOB, said("Booked.")])
    first, second = stage.of("turn_measured")
    # The user's words ended at 2.5; the model and its tool had answered at 3.0, and "Your name?" is heard from 3.2 on.
    assert (first.turn_id, first.data.start, round(first.data.end, 6)) == ("turn_1", 2.5, 3.2)
    assert (second.turn_id, second.data.start) == ("turn_2", 9.0)
    spoken = [e.turn_id for e in stage.of("playout_started")]
    assert spoken == ["turn_1", "turn_2"]
