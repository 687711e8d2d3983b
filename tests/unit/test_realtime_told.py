"""What a realtime model is told, and when: at the start, when something changes, and when another agent takes over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent_runtime import Agent, function_tool
from agent_runtime.llm import ChatContext, ChatMessage
from agent_runtime.testing import (
    Answer,
    ScriptedRealtimeSession,
    ScriptedTTS,
    ScriptedVAD,
    UserSpeech,
    in_virtual_time,
)
from agent_runtime.voice.events import UserInputTranscribedEvent
from agent_tools import Tool, ToolFlag
from tests.support.realtime import HELLO, session_of, talk

FIXED = {"mutable_chat_context": False, "mutable_instructions": False, "mutable_tools": False}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every update that a session gets, in order."""
    calls: list[Any] = []
    cls = ScriptedRealtimeSession
    instructions, context, tools, activity, everything = (
        cls.update_instructions,
        cls.update_chat_ctx,
        cls.update_tools,
        cls.start_user_activity,
        cls._update_session,
    )

    async def update_session(self: ScriptedRealtimeSession, **given: Any) -> None:
        calls.append("at once")
        await everything(self, **given)

    async def update_instructions(self: ScriptedRealtimeSession, text: str) -> None:
        calls.append(text)
        await instructions(self, text)

    async def update_chat_ctx(self: ScriptedRealtimeSession, chat_ctx: ChatContext) -> None:
        calls.append([message.text_content for message in chat_ctx.messages()])
        await context(self, chat_ctx)

    async def update_tools(self: ScriptedRealtimeSession, given: list[Tool]) -> None:
        calls.append({tool.id for tool in given})
        await tools(self, given)

    def start_user_activity(self: ScriptedRealtimeSession) -> None:
        calls.append("the user speaks")
        activity(self)

    monkeypatch.setattr(cls, "update_instructions", update_instructions)
    monkeypatch.setattr(cls, "update_chat_ctx", update_chat_ctx)
    monkeypatch.setattr(cls, "update_tools", update_tools)
    monkeypatch.setattr(cls, "start_user_activity", start_user_activity)
    monkeypatch.setattr(cls, "_update_session", update_session)
    return calls


@function_tool
async def look() -> str:
    """Look."""
    return "seen"


@in_virtual_time
async def test_each_change_is_told_alone(told: list[Any]):
    agent = Agent(instructions="Be brief.")
    async with talk([], [], agent=agent) as (stage, _):
        await stage.run_until(0.1)
        assert told == ["at once", "Be brief.", [], set()]
        told.clear()
        context = ChatContext.empty()
        context.add_message(role="user", content="Hello")
        await agent.update_chat_ctx(context)
        await stage.run_until(0.2)
        assert told == [["Hello"]]
        await agent.update_instructions("Be long.")
        await agent.update_tools([look])
        await stage.run_until(0.3)
        assert told == [["Hello"], "Be long.", {"look"}]


@in_virtual_time
async def test_a_model_that_cannot_be_told_of_the_next_agent_begins_anew(told: list[Any]):
    async with talk([], [], capabilities=FIXED) as (stage, model):
        await stage.run_until(0.1)
        told.clear()
        stage.session.update_agent(Agent(instructions="Be long.", tools=[look]))
        await stage.run_until(0.2)
        assert [session.closed for session in model.sessions] == [True, False]
        assert told == ["at once", "Be long.", [], {"look"}]
        assert stage.session.current_agent.realtime_llm_session is model.sessions[1]


@pytest.mark.parametrize(
    ("other", "mutable"),
    [
        ({"instructions": "Be long."}, "mutable_instructions"),
        ({"tools": [look]}, "mutable_tools"),
        ({"chat_ctx": ChatContext([ChatMessage(role="user", content=["Hm?"])])}, "mutable_chat_context"),
    ],
)
@in_virtual_time
async def test_what_differs_between_agents_has_to_be_mutable(other: dict[str, Any], mutable: str):
    same: dict[str, Any] = {"instructions": "Be brief."}
    for capabilities, sessions in ((FIXED, 2), ({**FIXED, mutable: True}, 1)):
        async with talk([], [], capabilities=capabilities, agent=Agent(**same)) as (stage, model):
            await stage.run_until(0.1)
            stage.session.update_agent(Agent(**{**same, **other}))
            await stage.run_until(0.2)
            assert len(model.sessions) == sessions


@in_virtual_time
async def test_a_session_that_takes_long_to_be_told_something_is_closed_too(monkeypatch: pytest.MonkeyPatch):
    async def hang(self: ScriptedRealtimeSession, tools: list[Tool]) -> None:
        await asyncio.sleep(60.0)

    monkeypatch.setattr(ScriptedRealtimeSession, "update_tools", hang)
    async with talk([], [], capabilities=FIXED) as (stage, model):
        stage.session.update_agent(Agent(instructions="Be long."))
        await stage.run_until(0.2)
    assert [session.closed for session in model.sessions] == [True, True]


@in_virtual_time
async def test_an_agent_of_whom_nothing_is_new_goes_on_untold(told: list[Any]):
    async with talk([], [], capabilities=FIXED) as (stage, model):
        await stage.run_until(0.1)
        told.clear()
        stage.session.update_agent(Agent(instructions="Be brief."))
        await stage.run_until(0.2)
        assert (len(model.sessions), told) == (1, [])


class Greeter(Agent):
    async def on_enter(self) -> None:
        self.session.generate_reply()


@pytest.mark.parametrize(("flags", "told_tools"), [(ToolFlag.NONE, 0), (ToolFlag.IGNORE_ON_ENTER, 2)])
@in_virtual_time
async def test_a_greeting_changes_the_tools_only_where_one_is_kept_from_it(
    told: list[Any], flags: ToolFlag, told_tools: int
):
    @function_tool(flags=flags)
    async def look() -> str:
        """Look."""
        return "seen"

    agent = Greeter(instructions="Be brief.", tools=[look])
    capabilities = {"per_response_tool_choice": False}
    async with talk([], [Answer("Hello.")], agent=agent, capabilities=capabilities) as (stage, _):
        await stage.run_until(4.0)
        assert [call for call in told[4:] if isinstance(call, set)] == [set(), {"look"}][:told_tools]
        assert stage.said()[-1] == ("assistant", "Hello.")


@pytest.mark.parametrize("mutable", [True, False])
@in_virtual_time
async def test_the_model_remembers_what_a_voice_said_if_it_can(told: list[Any], mutable: bool):
    voice = ScriptedTTS([1.0])
    async with talk([], [], tts=voice, capabilities={"mutable_chat_context": mutable}) as (stage, _):
        await stage.session.say("Hello.")
        await stage.run_until(3.0)
        assert told[4:] == ([["Hello."]] if mutable else [])


@in_virtual_time
async def test_a_turn_that_is_forgotten_by_hand_is_forgotten_by_the_model_too():
    async with talk([UserSpeech(0.5, 5.0, "Hello")]) as (stage, model):
        await stage.run_until(1.0)
        stage.session.clear_user_turn()
        assert session_of(model).clears == 1


@pytest.mark.parametrize("by_model", [True, False])
@in_virtual_time
async def test_a_model_that_leaves_turns_to_us_is_told_that_the_user_speaks(told: list[Any], by_model: bool):
    speeches = [HELLO, UserSpeech(5.0, 5.2, "Hm"), UserSpeech(7.0, 9.0, "And?")]
    detection: Any = {} if by_model else {"turn_handling": {"turn_detection": "vad"}}
    async with talk(speeches, [Answer("Hi."), Answer("Yes.")], vad=ScriptedVAD(speeches), **detection) as (stage, _):
        await stage.run_until(12.0)
        assert told.count("the user speaks") == (0 if by_model else 2)


@in_virtual_time
async def test_items_have_the_names_that_the_model_gave_them():
    async with talk() as (stage, model):
        heard: list[UserInputTranscribedEvent] = []
        stage.session.on("user_input_transcribed", heard.append)
        await stage.run_until(7.0)
        user, assistant = session_of(model).chat_ctx.messages()
        assert [event.item_id for event in heard] == [user.id]
        message = stage.session.history.get_by_id(assistant.id)
        assert isinstance(message, ChatMessage)
        [response] = message.metrics.get("provider_request_ids", [])
        assert response.startswith("response_")
