"""A job for code that asks for one."""

from importlib import import_module

import pytest
from livekit import rtc

from agent_runtime import Agent, AgentSession, compat, get_job_context
from agent_runtime.testing import Answer, ScriptedLLM, fake_job_context


async def test_code_that_asks_for_its_job_gets_one():
    with fake_job_context(job_id="AJ_1", job_metadata='{"table": 4}', agent_identity="waiter") as job:
        assert get_job_context() is job
        assert job.is_fake_job()
        assert (job.job.id, job.job.metadata) == ("AJ_1", '{"table": 4}')
        assert job.info.accept_arguments.identity == "waiter"
        assert job.room.name == ""
        assert job.job.room.name == "fake-room"
    with pytest.raises(RuntimeError):
        get_job_context()


async def test_its_room_is_the_given_one_and_is_left_as_it_is():
    room = rtc.Room()
    with fake_job_context(room=room) as job:
        await job.connect()
        assert job.room is room
        assert not room.isconnected()


async def test_a_session_of_it_is_in_its_report():
    with fake_job_context() as job:
        async with AgentSession(llm=ScriptedLLM([Answer("Soup.")]), stt=None, tts=None, vad=None) as session:
            await session.start(Agent(instructions="Be brief."))
            await session.run(user_input="What is there?")
            job.tagger.add("soup")
            report = job.make_session_report()
    assert job.primary_session is session
    assert [item.text_content for item in report.chat_history.messages() if item.role != "system"][-1] == "Soup."
    assert report.tags == ["soup"]
    assert report.to_dict()["room"] == "fake-room"


async def test_files_find_it_where_livekit_has_it():
    compat.install()
    try:
        assert import_module("livekit.agents.testing").fake_job_context is fake_job_context
    finally:
        compat.uninstall()
