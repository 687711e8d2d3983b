"""What a file asks of vendors that aren't here is left to the console, which says so."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from agent_console.start import load_here
from agent_runtime import Agent, AgentSession, ChatContext, compat, stand_ins
from agent_runtime.agent_loader import load_agent, parse_target
from agent_runtime.errors import AgentLoadError, ConfigError
from agent_runtime.stand_ins import StandIn
from agent_runtime.testing import Answer, ScriptedLLM, run_virtual
from agent_runtime.types import NOT_GIVEN
from agent_runtime.worker.job import JobProcess, current_job
from agent_runtime.worker.local_job import LocalJobContext

PLUGIN = {
    "__init__.py": "from livekit.agents import tts\n\nclass TTS(tts.TTS):\n    def __init__(self, *, api_key=None):\n"
    "        if not api_key:\n            raise ValueError('SINGER_API_KEY must be set')\n"
    "        super().__init__(capabilities=tts.TTSCapabilities(streaming=False), sample_rate=24000, num_channels=1)\n"
    "    def synthesize(self, text, **_):\n        raise NotImplementedError\n"
    "    @staticmethod\n    def with_other(key=None):\n        return TTS(api_key=key)\n"
}


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    caplog.set_level(logging.WARNING)
    compat.install()
    stand_ins.allow()
    yield
    stand_ins.allow(False)
    compat.uninstall()


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, files: dict[str, str]) -> None:
    import livekit

    package = folder / "livekit" / "plugins" / name
    package.mkdir(parents=True)
    for file, text in files.items():
        (package / file).write_text(text)
    monkeypatch.setattr(livekit, "__path__", [*livekit.__path__, str(folder / "livekit")])
    compat.uninstall()
    compat.install()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_an_avatar_is_left_out_where_there_is_no_room_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    code = "from livekit.agents.voice import avatar\n\nclass AvatarSession(avatar.AvatarSession): ...\n"
    installed(tmp_path, monkeypatch, "faces", {"__init__.py": code})
    from livekit.plugins import faces

    async def scenario() -> None:
        await faces.AvatarSession(avatar_id="1").start(object(), object())

    run_virtual(scenario())
    assert warnings(caplog) == [
        "an avatar needs a room that others are in; the console's own part is used instead",
    ]


def test_parts_of_a_package_that_is_not_installed_are_left_out(caplog: pytest.LogCaptureFixture):
    from livekit.agents import Agent, AgentSession
    from livekit.plugins import hedra, murf

    assert not caplog.records  # an import asks for nothing yet
    from livekit.plugins.murf.voices import Voice

    async def scenario() -> None:
        session = AgentSession(tts=murf.TTS(voice=Voice.KIM), turn_detection=murf.Detector())
        assert session._left_open == {"stt", "llm", "tts", "vad"}
        assert session._turn_handling == {}
        agent = Agent(instructions="", tts=murf.TTS(), tools=[murf.tools.Search()])
        assert (agent.tts, agent.tools) == (NOT_GIVEN, [])
        avatar = hedra.AvatarSession(avatar_id="1")
        await avatar.start(session)

    with pytest.warns(DeprecationWarning, match="turn_detection"):
        run_virtual(scenario())
    assert warnings(caplog) == [
        f"livekit-plugins-{name} isn't installed (pip install --no-deps livekit-plugins-{name}); "
        "the console's own part is used instead"
        for name in ("murf", "hedra")
    ]


def test_a_provider_that_cannot_be_made_is_left_out(tmp_path: Path, monkeypatch, caplog: pytest.LogCaptureFixture):
    installed(tmp_path, monkeypatch, "singer", PLUGIN)
    from livekit.agents import tts
    from livekit.plugins import openai, singer

    assert isinstance(singer.TTS(), StandIn)
    assert isinstance(singer.TTS.with_other(), StandIn)
    assert isinstance(openai.LLM(model="gpt-4o"), StandIn)
    assert isinstance(openai.LLM(base_url="https://api.groq.com/openai/v1", api_key=None), StandIn)
    assert not isinstance(openai.LLM(base_url="http://localhost:11434/v1", api_key=None), StandIn)
    good: Any = singer.TTS(api_key="k")
    assert isinstance(good, singer.TTS)
    assert isinstance(good, tts.TTS)
    assert isinstance(tts.FallbackAdapter([good, singer.TTS()]), StandIn)
    assert isinstance(tts.FallbackAdapter([good, good]), tts.FallbackAdapter)
    first, second, third = warnings(caplog)
    assert first == "singer.TTS can't be made: SINGER_API_KEY must be set; the console's own part is used instead"
    assert second.startswith("openai.LLM can't be made: OPENAI_API_KEY")
    assert third.startswith("openai.LLM gets no key: api_key is None")


def test_a_package_that_cannot_be_imported(tmp_path: Path, monkeypatch, caplog: pytest.LogCaptureFixture):
    installed(tmp_path, monkeypatch, "deep", {"__init__.py": "from livekit.agents.llm._inside import secret\n"})
    from livekit.plugins import deep

    assert isinstance(deep.beta.realtime.RealtimeModel(voice="x"), StandIn)
    [said] = warnings(caplog)
    assert said.startswith("livekit-plugins-deep can't be imported here: livekit.agents.llm._inside isn't available")


def test_hosted_models_without_a_key(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    from livekit.agents import inference

    for name in ("LIVEKIT_API_KEY", "LIVEKIT_API_SECRET", "LIVEKIT_INFERENCE_API_KEY", "LIVEKIT_INFERENCE_API_SECRET"):
        monkeypatch.delenv(name, raising=False)

    async def scenario() -> None:
        session = AgentSession(stt="deepgram/nova-3", llm=inference.LLM("openai/gpt-4.1-mini"))
        assert {"stt", "llm"} <= session._left_open
        assert Agent(instructions="", llm="openai/gpt-4.1").llm is NOT_GIVEN
        assert Agent(instructions="", llm="openai/gpt-realtime").llm is NOT_GIVEN
        stand_ins.allow(False)
        with pytest.raises(ConfigError, match="LiveKit Inference needs a key: set LIVEKIT_API_KEY and LIVEKIT_API_S"):
            AgentSession(tts="cartesia/sonic-3")

    run_virtual(scenario())
    without_a_key, realtime = warnings(caplog)
    assert without_a_key == (
        "LiveKit Inference needs a key: set LIVEKIT_API_KEY and LIVEKIT_API_SECRET to those of a LiveKit Cloud "
        "project, or leave stt, llm and tts out for the bundled models; the console's own part is used instead"
    )
    assert "use openai.realtime.RealtimeModel" in realtime


def test_what_our_part_of_a_package_lacks_is_not_said_to_be_for_installing(caplog: pytest.LogCaptureFixture):
    from livekit.plugins import openai

    assert isinstance(openai.realtime.GPTLiveModel(), StandIn)
    assert warnings(caplog) == ["openai.realtime.GPTLiveModel isn't there yet; the console's own part is used instead"]


def test_a_realtime_model_without_a_key_is_left_out(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    from livekit.plugins import openai

    assert isinstance(openai.realtime.RealtimeModel(voice="marin"), StandIn)
    (said,) = warnings(caplog)
    assert said.startswith("openai.realtime.RealtimeModel can't be made: OPENAI_API_KEY")
    assert isinstance(openai.realtime.RealtimeModel(api_key="sk-none"), openai.realtime.RealtimeModel)


def test_a_model_that_the_file_asks_by_itself_is_the_sessions():
    from livekit.plugins import openai

    class Careful(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="", llm=openai.LLM())
            self.moderator = openai.LLM(model="gpt-4o-mini")
            assert self.llm is NOT_GIVEN

        async def llm_node(self, chat_ctx: ChatContext, tools: Any, settings: Any) -> str:
            judged = await self.moderator.chat(chat_ctx=chat_ctx).collect()
            said = await self.llm.chat(chat_ctx=chat_ctx).collect()
            return f"{said.text} ({judged.text})"

    async def scenario() -> None:
        session = AgentSession(llm=ScriptedLLM([Answer("fine"), Answer("Hello.")]))
        job = LocalJobContext(
            proc=JobProcess(), info=None, room=None, on_connect=lambda: None, on_shutdown=lambda _: None
        )
        current_job.set(job)
        job.started.set_result((Agent(instructions=""), AgentSession()))  # another session's start was handed over
        await session.start(Careful())
        await session.run(user_input="Hi")
        assert session.history.messages()[-1].text_content == "Hello. (fine)"
        await session.aclose()

    run_virtual(scenario())


def test_names_that_are_no_vendors_are_still_missing():
    with pytest.raises(ImportError, match=r"livekit\.agents\.llm\.Nothing"):
        from livekit.agents.llm import Nothing  # noqa: F401


async def test_anything_can_be_done_with_a_stand_in():
    one = StandIn("singer.TTS")

    class Louder(one):  # type: ignore[misc]
        pass

    assert isinstance(Louder(), StandIn)
    assert not isinstance(3, one)  # type: ignore[arg-type]
    assert (await one.prewarm()) is not None
    async with one.connect() as found:
        assert [frame async for frame in found] == []
    assert (one | None) is one
    assert one["model"] is one
    assert not hasattr(one, "__len__")
    assert repr(one.voice) == "<stands in for singer.TTS.voice>"


def test_what_the_console_loads_may_stand_in_where_a_worker_gets_an_error(tmp_path: Path):
    stand_ins.allow(False)
    file = tmp_path / "their_agent.py"
    file.write_text(
        "from livekit.agents import Agent\nfrom livekit.plugins import murf\n\nVOICE = murf.TTS()\n\n\n"
        "class Theirs(Agent):\n    def __init__(self):\n        super().__init__(instructions='', tts=VOICE)\n"
    )
    target = parse_target(str(file))
    with pytest.raises(AgentLoadError, match="murf"):
        load_agent(target)
    assert load_here(target).name == "Theirs"
