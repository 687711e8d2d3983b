"""The minimal assistant, tested as its author would."""

from agent_runtime import AgentSession, mock_tools
from agent_runtime.testing import Answer, ScriptedLLM, in_virtual_time, scripted_session
from examples.minimal_assistant import Assistant


@in_virtual_time
async def test_it_greets_and_answers():
    async with AgentSession[None](llm=ScriptedLLM([Answer("I'm fine, thank you.")])) as session:
        greeting = await session.start(Assistant(), capture_run=True)
        greeting.expect.contains_message(role="assistant")
        result = await session.run(user_input="How are you?")
        result.expect.next_event().is_message(role="assistant")
        result.expect.no_more_events()
        said = [message.text_content for message in session.history.messages()]
        assert said[0] == "Hello! How can I help you?"
        assert said[-1] == "I'm fine, thank you."


@in_virtual_time
async def test_it_tells_the_time():
    answers = [Answer(tool_calls=[("get_time", "{}")]), Answer("It is noon.")]
    async with AgentSession[None](llm=ScriptedLLM(answers)) as session:
        await session.start(Assistant())
        with mock_tools(Assistant, {"get_time": lambda: "It is 12:00 PM on Monday, June 1."}):
            result = await session.run(user_input="What time is it?")
        result.expect.next_event().is_function_call(name="get_time")
        result.expect.next_event().is_function_call_output(output="It is 12:00 PM on Monday, June 1.")
        result.expect.next_event(type="message")
        result.expect.no_more_events()


@in_virtual_time
async def test_the_greeting_is_heard_half_a_second_after_the_start_at_the_latest():
    async with scripted_session(durations=[1.5], microphone=False) as stage:
        await stage.session.start(Assistant())
        await stage.run_until(3.0)
        [speaking] = stage.times("agent_state_changed", new="speaking")
        assert speaking <= 0.5
        assert stage.said() == [("assistant", "Hello! How can I help you?")]
