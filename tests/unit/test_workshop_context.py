"""The conversation on the bench: shown as sent, rewritten, rewound, forked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

import pytest

from agent_runtime import Agent, AgentSession, AgentTask, ModelSettings, function_tool
from agent_runtime import events as ev
from agent_runtime.errors import RequestRefusedError
from agent_runtime.llm import ChatContext, ChatMessage
from agent_runtime.llm.token_count import TokenCount
from agent_runtime.testing import Answer, ScriptedLLM, Stage, run_virtual, scripted_session
from agent_runtime.voice.agent import INSTRUCTIONS_ID
from agent_runtime.workshop import (
    DeleteItem,
    EditItem,
    Fork,
    InsertMessage,
    Rewind,
    ShowContext,
    SwitchBranch,
    Workshop,
)


class Counter:
    """Userdata."""

    def __init__(self) -> None:
        self.seen: list[str] = []


class Clerk(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You keep the books.")

    @function_tool
    async def book(self, room: str) -> str:
        """Book a room."""
        return f"booked {room}"

    @function_tool
    async def boss(self) -> Agent:
        """Fetch the boss."""
        return Boss()


class Boss(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are the boss.")


class Preparing(Clerk):
    """Its node leaves the first message of the user out, changes the instructions and adds a fact."""

    async def llm_node(self, chat_ctx: ChatContext, tools: list[Any], model_settings: ModelSettings) -> Any:
        users = [item for item in chat_ctx.messages() if item.role == "user"]
        if len(users) != 1:
            chat_ctx.remove(users[0])
        chat_ctx.items[0] = ChatMessage(id=INSTRUCTIONS_ID, role="system", content=["You are told more."])
        chat_ctx.items.insert(1, ChatMessage(id="fact", role="system", content=["It rains."]))
        async for chunk in Agent.default.llm_node(self, chat_ctx, tools, model_settings):
            yield chunk


class Talk:
    """A session by text, its workshop and what it told."""

    def __init__(self, session: AgentSession[Any], llm: ScriptedLLM) -> None:
        self.session, self.llm = session, llm
        self.shop = Workshop(session)
        self.events: list[ev.AnyEvent] = []
        session.events.subscribe(self.events.append)

    async def say(self, text: str) -> str:
        """A turn; the id of it."""
        self.session.send_text(text)
        await self.session.wait_for_idle()
        return [event.turn_id for event in self.events if isinstance(event.data, ev.TurnStarted)][-1] or ""

    def of(self, kind: type) -> list[Any]:
        return [event.data for event in self.events if isinstance(event.data, kind)]

    @property
    def words(self) -> list[str]:
        """What is said in the conversation, without the instructions."""
        return [m.text_content or "" for m in self.session.current_agent.chat_ctx.messages() if m.role != "system"]

    @property
    def remembered(self) -> list[str]:
        """What the session's history has."""
        return [m.text_content or "" for m in self.session.history.messages() if m.role != "system"]

    def id_of(self, text: str) -> str:
        return next(m.id for m in self.session.current_agent.chat_ctx.messages() if m.text_content == text)


def talk(
    act: Callable[[Talk], Awaitable[None]],
    agent: Callable[[], Agent] = Clerk,
    userdata: Any = None,
    **by_input: Answer,
) -> Talk:
    """The talk after `act`; the model answers `A.` to `a`, and as given."""

    async def scenario() -> Talk:
        answers = {**{letter: Answer(f"{letter.upper()}.") for letter in "abcdefg"}, **by_input}
        llm = ScriptedLLM(by_input=answers)
        async with AgentSession[Any](llm=llm, vad=None) as session:
            session.userdata = userdata
            it = Talk(session, llm)
            await session.start(agent())
            await act(it)
        return it

    return run_virtual(scenario())


# --- as it is --------------------------------------------------------------------------------------------------------


def test_the_context_is_shown_with_ids_roles_turns_and_counted_tokens() -> None:
    async def act(it: Talk) -> None:
        await it.say("a")
        await it.shop.do(ShowContext())

    (shown,) = talk(act).of(ev.ContextShown)
    assert [(item.label, item.text, item.sent) for item in shown.items if item.kind == "message"] == [
        ("system", "You keep the books.", "kept"),
        ("user", "a", "kept"),
        ("assistant", "A.", "kept"),
    ]
    assert [item.turn_id for item in shown.items if item.kind == "message"] == [None, "turn_1", "turn_1"]
    assert [item.tokens for item in shown.items if item.kind == "message"] == [4 + 5, 4 + 1, 4 + 1]
    assert shown.tokens == 19
    assert shown.tool_tokens > 20
    assert (shown.counted_by, shown.exact, shown.problem) == ("4 bytes a token", False, "")


def test_a_models_own_tokenizer_counts_exactly() -> None:
    class Tokenizing(ScriptedLLM):
        async def token_count(self) -> TokenCount | None:
            return TokenCount(len, "letters", exact=True, frame=len)

    async def scenario() -> None:
        async with AgentSession[Any](llm=Tokenizing([Answer("x")]), vad=None) as session:
            shop = Workshop(session)
            await session.start(Agent(instructions="Be brief."))
            shown = await shop.context.show("request")
            assert (shown.counted_by, shown.exact, shown.tokens) == ("letters", True, len("system") + 9)

    run_virtual(scenario())


def test_what_the_node_makes_of_it_is_shown_and_no_model_is_asked() -> None:
    async def act(it: Talk) -> None:
        await it.say("a")
        await it.say("b")
        requests = len(it.llm.requests)
        await it.shop.do(ShowContext())
        assert len(it.llm.requests) == requests
        assert it.words == ["a", "A.", "b", "B."]

    (shown,) = talk(act, Preparing).of(ev.ContextShown)
    assert [(item.text, item.sent) for item in shown.items if item.kind == "message"] == [
        ("You are told more.", "changed"),
        ("It rains.", "added"),
        ("a", "left_out"),
        ("A.", "kept"),
        ("b", "kept"),
        ("B.", "kept"),
    ]
    left_out = next(item for item in shown.items if item.sent == "left_out")
    assert shown.tokens == sum(item.tokens for item in shown.items) - left_out.tokens


def test_a_node_that_fails_or_asks_another_model_leaves_the_conversation_as_it_is() -> None:
    class Own(Clerk):
        async def llm_node(
            self, chat_ctx: ChatContext, tools: list[Any], model_settings: ModelSettings
        ) -> AsyncIterable[str]:
            yield "mine"
            said.append("more than is wanted")

    said: list[str] = []

    async def act(it: Talk) -> None:
        await it.shop.do(ShowContext())

    (failed,) = talk(act, Preparing).of(ev.ContextShown)  # there is no message of the user yet
    assert failed.problem == "llm_node failed: IndexError: list index out of range"
    assert [item.text for item in failed.items if item.kind == "message"] == ["You keep the books."]
    (own,) = talk(act, Own).of(ev.ContextShown)
    assert own.problem == "llm_node doesn't ask the agent's model"
    assert said == []


# --- rewritten -------------------------------------------------------------------------------------------------------


def test_an_edit_reaches_the_next_request_and_the_history() -> None:
    async def act(it: Talk) -> None:
        await it.say("a")
        await it.shop.do(EditItem(it.id_of("A."), "Ahem."))
        await it.say("b")
        assert it.words == ["a", "Ahem.", "b", "B."]
        assert it.remembered == it.words
        assert "Ahem." in [m.text_content for m in it.llm.requests[-1].messages()]

    shown = talk(act).of(ev.ContextShown)
    assert "Ahem." in [item.text for item in shown[0].items]


def test_instructions_are_edited_as_instructions() -> None:
    async def act(it: Talk) -> None:
        await it.shop.do(EditItem(INSTRUCTIONS_ID, "Be rude."))
        assert it.session.current_agent.instructions == "Be rude."
        with pytest.raises(RequestRefusedError, match="edited, not deleted"):
            await it.shop.do(DeleteItem(INSTRUCTIONS_ID))

    talk(act)


def test_a_message_is_put_after_an_item_and_belongs_to_its_turn() -> None:
    async def act(it: Talk) -> None:
        first = await it.say("a")
        await it.say("b")
        await it.shop.do(InsertMessage("user", "between", after=it.id_of("A.")))
        assert it.words == ["a", "A.", "between", "b", "B."]
        picture = it.of(ev.ContextShown)[-1]
        assert next(item.turn_id for item in picture.items if item.text == "between") == first
        assert it.remembered == it.words
        await it.shop.do(InsertMessage("user", "last"))
        assert it.words[-1] == "last"
        await it.shop.do(Rewind(first))
        assert it.words == ["a", "A.", "between"]

    talk(act)


def test_a_call_goes_with_its_output_and_its_arguments_stay_json() -> None:
    async def act(it: Talk) -> None:
        await it.say("go")
        items = it.session.current_agent.chat_ctx.items
        call = next(item for item in items if item.type == "function_call")
        output = next(item for item in items if item.type == "function_call_output")
        with pytest.raises(RequestRefusedError, match="aren't JSON"):
            await it.shop.do(EditItem(call.id, "{room"))
        await it.shop.do(EditItem(call.id, '{"room": "red"}'))
        await it.shop.do(EditItem(output.id, "no room"))
        assert it.session.current_agent.chat_ctx.get_by_id(call.id).arguments == '{"room": "red"}'  # type: ignore[union-attr]
        await it.shop.do(DeleteItem(output.id))
        assert not any(
            i.type.startswith("function") for i in (*it.session.current_agent.chat_ctx.items, *it.session.history.items)
        )

    talk(act, go=Answer("", [("book", '{"room": "blue"}')]))


# --- rewind and fork -------------------------------------------------------------------------------------------------


def test_a_rewind_drops_what_came_after_the_turn_and_keeps_userdata() -> None:
    data = Counter()

    async def act(it: Talk) -> None:
        first = await it.say("a")
        await it.say("b")
        data.seen.append("b")
        await it.shop.do(Rewind(first))
        assert it.words == it.remembered == ["a", "A."]
        assert it.session.userdata is data
        assert data.seen == ["b"]
        await it.say("c")
        assert it.words == ["a", "A.", "c", "C."]
        assert [m.text_content for m in it.llm.requests[-1].messages()][1:] == ["a", "A.", "c"]

    it = talk(act, userdata=data)
    (changed,) = it.of(ev.BranchesChanged)
    assert (changed.current, changed.dropped) == ("main", 2)


def test_both_branches_of_a_fork_can_be_talked_to() -> None:
    async def act(it: Talk) -> None:
        first = await it.say("a")
        await it.say("b")
        await it.shop.do(Fork(first))
        assert it.words == ["a", "A."]
        await it.say("c")
        await it.shop.do(SwitchBranch())
        assert it.words == it.remembered == ["a", "A.", "b", "B."]
        await it.say("d")
        await it.shop.do(SwitchBranch("branch 2"))
        assert it.words == it.remembered == ["a", "A.", "c", "C."]

    it = talk(act)
    changed = it.of(ev.BranchesChanged)
    assert [change.current for change in changed] == ["branch 2", "main", "branch 2"]
    assert [(b.id, b.parent, b.from_turn) for b in changed[-1].branches] == [
        ("main", None, None),
        ("branch 2", "main", "turn_1"),
    ]
    causes = [event.cause for event in it.events if isinstance(event.data, ev.ContextShown)]
    assert causes == ["fork", "switch", "switch"]


def test_a_fork_copies_userdata_and_the_items_themselves() -> None:
    data = Counter()

    async def act(it: Talk) -> None:
        first = await it.say("a")
        mine = it.session.history.items[-1]
        await it.shop.do(Fork(first))
        it.session.userdata.seen.append("fork")
        assert it.session.history.items[-1].id == mine.id
        assert it.session.history.items[-1] is not mine
        await it.shop.do(SwitchBranch("main"))
        assert it.session.userdata is data
        assert data.seen == []

    it = talk(act, userdata=data)
    assert [branch.userdata for branch in it.of(ev.BranchesChanged)[0].branches] == ["own", "copied"]


def test_userdata_that_cant_be_copied_is_shared_and_said_so() -> None:
    class Locked(Counter):
        def __deepcopy__(self, memo: object) -> Any:
            raise TypeError("cannot pickle a lock")

    data = Locked()

    async def act(it: Talk) -> None:
        await it.shop.do(Fork(await it.say("a")))
        assert it.session.userdata is data

    it = talk(act, userdata=data)
    assert [branch.userdata for branch in it.of(ev.BranchesChanged)[0].branches] == ["own", "shared"]


def test_the_agent_of_the_turn_has_the_conversation_again() -> None:
    async def act(it: Talk) -> None:
        first = await it.say("a")
        await it.say("fetch")
        assert it.session.current_agent.id == "boss"
        await it.say("b")
        await it.shop.do(Fork(first))
        assert it.session.current_agent.id == "clerk"
        assert it.words == ["a", "A."]
        await it.say("c")
        await it.shop.do(SwitchBranch("main"))
        assert it.session.current_agent.id == "boss"
        await it.say("d")
        assert it.words == ["b", "B.", "d", "D."]
        await it.shop.do(Rewind(first))
        assert it.session.current_agent.id == "clerk"
        assert it.words == ["a", "A."]

    talk(act, fetch=Answer("", [("boss", "{}")]))


def test_new_code_takes_its_place_in_every_branch() -> None:
    async def act(it: Talk) -> None:
        await it.shop.do(Fork(await it.say("a")))
        newer = Clerk()
        await it.session.swap_agent(newer)
        await it.shop.do(SwitchBranch("main"))
        assert it.session.current_agent is newer
        assert it.words == ["a", "A."]
        await it.say("b")
        await it.shop.do(Rewind("turn_1"))
        assert it.session.current_agent is newer

    talk(act)


def test_new_code_has_the_turns_of_the_old_one() -> None:
    async def act(it: Talk) -> None:
        first = await it.say("a")
        await it.say("b")
        newer = Clerk()
        await it.session.swap_agent(newer)
        await it.shop.do(Rewind(first))
        assert it.session.current_agent is newer
        assert it.words == ["a", "A."]

    talk(act)


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (Rewind("turn_9"), "there is no turn 'turn_9'"),
        (Fork("turn_9"), "there is no turn 'turn_9'"),
        (SwitchBranch(), "one branch only"),
        (EditItem("nothing", "x"), "isn't in the agent's conversation"),
    ],
)
def test_what_cant_be_done_is_told(request_: Any, problem: str) -> None:
    async def act(it: Talk) -> None:
        await it.shop.ask(request_)
        assert not it.of(ev.ContextShown)

    (refused,) = talk(act).of(ev.RequestRefused)
    assert problem in refused.problem


# --- in mid-conversation ---------------------------------------------------------------------------------------------


class Slow(Clerk):
    @function_tool
    async def write(self) -> str:
        """Write for a long time."""
        await asyncio.sleep(60.0)
        return "written"


def aloud(act: Callable[[Stage, Workshop], Awaitable[None]], *answers: Answer, agent: type[Agent] = Clerk) -> Stage:
    """The stage after `act`: a session that speaks."""

    async def scenario() -> Stage:
        async with scripted_session(answers=list(answers)) as stage:
            shop = Workshop(stage.session)
            await stage.session.start(agent())
            await act(stage, shop)
        return stage

    return run_virtual(scenario())


def heard(stage: Stage) -> list[str]:
    """What was heard to its end, message by message."""
    whole: dict[str, str] = {}
    for event in stage.of("agent_heard"):
        whole[event.data.item_id] = event.data.text  # type: ignore[union-attr]
    return list(whole.values())


def test_both_branches_are_heard() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await stage.session.run(user_input="one")
        await stage.session.run(user_input="two")
        await shop.do(Fork("turn_1"))
        await stage.session.run(user_input="two, otherwise")
        await shop.do(SwitchBranch())
        await stage.session.run(user_input="three")

    stage = aloud(act, Answer("First."), Answer("Second."), Answer("Second, otherwise."), Answer("Third."))
    assert heard(stage) == ["First.", "Second.", "Second, otherwise.", "Third."]
    asked = [[m.text_content for m in request.messages() if m.role == "user"] for request in stage.llm.requests]
    assert asked[2:] == [["one", "two, otherwise"], ["one", "two", "three"]]


def test_a_rewind_stops_the_agent_and_drops_what_was_heard_of_it() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await stage.session.run(user_input="one")
        stage.session.send_text("two")
        await stage.run_until(stage.now + 2.0)
        assert stage.session.agent_state == "speaking"
        await shop.do(Rewind("turn_1"))
        assert stage.session.agent_state == "listening"
        words = [m.text_content for m in stage.session.current_agent.chat_ctx.messages()][1:]
        assert words == ["one", "First."]
        assert [m.text_content for m in stage.session.history.messages()] == ["one", "First."]

    stage = aloud(act, Answer("First."), Answer("A long sentence that takes its time to be said. " * 5))
    assert len(stage.of("agent_interrupted")) == 1


def test_a_tool_that_cant_be_cancelled_goes_on_in_the_background_and_tells_the_branch_that_talks() -> None:
    async def act(stage: Stage, shop: Workshop) -> None:
        await stage.session.run(user_input="one")
        stage.session.send_text("write")
        await stage.run_until(stage.now + 2.0)
        began = stage.now
        await shop.do(Fork("turn_1"))
        assert stage.now - began == pytest.approx(5.0)
        assert [m.text_content for m in stage.session.history.messages()] == ["one", "First."]
        await stage.run_until(stage.now + 70.0)

    stage = aloud(act, Answer("First."), Answer("", [("write", "{}")]), Answer("It is written."), agent=Slow)
    assert [event.data.output for event in stage.of("tool_finished")] == ["written"]  # type: ignore[union-attr]
    assert heard(stage) == ["First.", "It is written."]


def test_a_task_must_be_finished_first() -> None:
    class Asking(AgentTask[str]):
        def __init__(self) -> None:
            super().__init__(instructions="Ask.")

    class Asker(Clerk):
        async def on_enter(self) -> None:
            await Asking()

    async def act(stage: Stage, shop: Workshop) -> None:
        await stage.session.run(user_input="one")
        await shop.ask(Rewind("turn_1"))

    (refused,) = aloud(act, Answer("First."), agent=Asker).of("request_refused")
    assert "finish it first" in refused.data.problem  # type: ignore[union-attr]
