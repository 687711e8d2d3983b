"""Providers that people subclass with LiveKit's names hold a conversation on this engine."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from agent_runtime import compat
from agent_runtime.testing import ScriptedAudioOutput, run_virtual
from agent_runtime.testing.virtual_time import VirtualClock

FOLDER = Path(__file__).parents[1] / "support" / "livekit_agents"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def own():
    compat.install()
    yield load("own_providers")
    del sys.modules["own_providers"]
    compat.uninstall()


async def converse(own: ModuleType, spoken: list[tuple[float, float]], seconds: float, **providers: Any) -> Any:
    """Start a session of `livekit.agents` with these providers and let it run."""
    import asyncio

    from livekit.agents import Agent, AgentSession, function_tool

    class Waiter(Agent):
        def __init__(self) -> None:
            super().__init__(instructions="Serve.")

        @function_tool
        async def bring(self, what: str) -> str:
            """Bring something."""
            return f"here is {what}"

    clock = VirtualClock()
    session = AgentSession(**providers, turn_handling={"turn_detection": None}, aec_warmup_duration=None)
    session.errors = []
    session.on("error", lambda event: session.errors.append(event.error))
    session.input.audio = own.ToneMicrophone(spoken)
    speaker = session.output.audio = ScriptedAudioOutput(clock=clock)
    await session.start(Waiter())
    await asyncio.sleep(seconds)
    said = [(message.role, message.text_content) for message in session.history.messages()]
    await session.aclose()
    for provider in providers.values():
        if hasattr(provider, "aclose"):
            await provider.aclose()
    return session, speaker, said


def test_whole_buffer_providers(own: ModuleType):
    async def scenario() -> None:
        recogniser, voice = own.WholeSTT(["Hello there.", "Bring it please."]), own.WholeTTS()
        session, speaker, said = await converse(
            own,
            [(0.5, 2.0), (10.0, 11.5)],
            20.0,
            stt=recogniser,
            vad=own.LoudnessVAD(),
            llm=own.EchoLLM(),
            tts=voice,
        )
        assert said == [
            ("user", "Hello there."),
            ("assistant", "You said: Hello there. "),
            ("user", "Bring it please."),
            ("assistant", "You said: here is tea "),
        ]
        assert recogniser.seconds == pytest.approx([1.5, 1.5], abs=0.5)
        assert [" ".join(text.split()) for text in voice.texts] == ["You said: Hello there.", "You said: here is tea"]
        assert [played.interrupted for played in speaker.played] == [False, False]
        assert speaker.played[0].position == pytest.approx(len(voice.texts[0]) * 0.05, abs=0.1)
        assert session.errors == []
        assert session.usage.model_usage

    run_virtual(scenario())


def test_streaming_providers_and_a_barge_in(own: ModuleType):
    async def scenario() -> None:
        voice = own.LiveTTS()
        voice.prewarm()
        _, speaker, said = await converse(
            own,
            [(0.5, 2.0), (4.0, 6.0)],
            14.0,
            stt=own.LiveSTT(["One two three four five six seven eight.", "Stop that."]),
            vad=own.LoudnessVAD(),
            llm=own.EchoLLM(),
            tts=voice,
        )
        assert [role for role, _ in said] == ["user", "assistant", "user", "assistant"]
        heard = said[1][1]
        assert "You said: One two three four five six seven eight.".startswith(heard.strip())
        assert 2 <= len(heard.split()) < 10
        assert said[3] == ("assistant", "You said: Stop that. ")
        assert [played.interrupted for played in speaker.played] == [True, False]
        assert len(heard.split()) == pytest.approx(speaker.played[0].position / 0.3, abs=1.1)

    run_virtual(scenario())


@pytest.mark.parametrize(
    "parts",
    [
        {
            "stt": lambda own: own.LiveSTT(["Hello again."], failures=1),
            "llm": lambda own: own.EchoLLM(failures=1),
            "tts": lambda own: own.WholeTTS(failures=1),
        },
        {
            "stt": lambda own: own.WholeSTT(["Hello again."], failures=1),
            "llm": lambda own: own.EchoLLM(failures=1),
            "tts": lambda own: own.WholeTTS(failures=1),
        },
    ],
)
def test_failures_are_tried_again(own: ModuleType, parts: dict[str, Any]):
    async def scenario() -> None:
        session, _, said = await converse(
            own,
            [(1.0, 2.5)],
            16.0,
            **{kind: make(own) for kind, make in parts.items()},
            vad=own.LoudnessVAD(),
        )
        assert said == [("user", "Hello again."), ("assistant", "You said: Hello again. ")]
        assert [error.recoverable for error in session.errors] == [True, True, True]

    run_virtual(scenario())


async def test_a_whole_text_is_synthesized_and_collected(own: ModuleType):
    voice = own.LiveTTS()
    frame = await voice.synthesize("Good morning to you.").collect()
    assert frame.duration == pytest.approx(4 * 0.3, abs=0.01)
    await voice.aclose()


async def test_a_buffer_is_recognized(own: ModuleType):
    recogniser = own.WholeSTT(["Hi."], failures=1)
    frame = own.rtc.AudioFrame(own.tone(1.0), own.RATE, 1, own.RATE)
    event = await recogniser.recognize([frame, frame], language="de")
    assert (event.alternatives[0].text, event.alternatives[0].language) == ("Hi.", "de")
    assert recogniser.seconds == [2.0]


async def test_a_model_is_asked_by_itself(own: ModuleType):
    context = own.llm.ChatContext.empty()
    context.add_message(role="user", content="Good day")
    async with own.EchoLLM().chat(chat_ctx=context) as stream:
        text = "".join([chunk.delta.content async for chunk in stream if chunk.delta and chunk.delta.content])
    assert text == "You said: Good day "
    response = await own.EchoLLM().chat(chat_ctx=context).collect()
    assert response.text.strip() == "You said: Good day"


@pytest.mark.parametrize(
    ("spoken", "hears", "said", "cut"),
    [
        ([(1.0, 2.0)], ["Good day."], [("user", "Good day."), ("assistant", "Here you are.")], 0),
        ([(1.0, 2.0)], ["Some tea."], [("user", "Some tea."), ("assistant", "Here you are.")], 0),
        (
            [(1.0, 2.0), (3.5, 4.0)],
            ["Good day.", "Stop."],
            [("user", "Good day."), ("assistant", "Here you"), ("user", "Stop."), ("assistant", "Here you are.")],
            1,
        ),
    ],
    ids=["speech", "tool", "barge-in"],
)
def test_a_realtime_model(own: ModuleType, spoken: Any, hears: Any, said: Any, cut: int):
    realtime = load("own_realtime")
    model = realtime.ToneModel(list(hears))

    async def scenario() -> None:
        session, _, heard = await converse(own, spoken, 12.0, llm=model, stt=None, tts=None, vad=None)
        assert heard == said
        assert session.errors == []
        (talk,) = model.sessions
        assert talk.instructions == "Serve."
        assert list(talk.tools.function_tools) == ["bring"]
        assert len(talk.cuts) == cut
        outputs = [item.output for item in session.history.items if item.type == "function_call_output"]
        assert outputs == (["here is tea"] if "tea" in hears[0] else [])

    run_virtual(scenario())
    del sys.modules["own_realtime"]


def test_names_that_googles_package_takes_from_inside():
    from agent_runtime import ChatContext
    from agent_runtime.compat.plugins.cloud import LLMStream
    from agent_runtime.compat.plugins.inner_names import remove_instructions, split_expr_markup

    text, marks = split_expr_markup('<expr type="expression" label="sad"/>Oh <laugh/> no.')
    assert (text, marks) == ("Oh <laugh/> no.", [{"type": "expression", "value": "sad"}])
    context = ChatContext.empty()
    context.add_message(role="system", content="Be brief.", id="lk.agent_task.instructions")
    context.add_message(role="system", content="It's noon.", id="lk.agent_task.instructions.dynamic")
    context.add_message(role="user", content="Hi")
    remove_instructions(context)
    assert [item.text_content for item in context.messages()] == ["Hi"]
    with pytest.raises(NotImplementedError, match=r"livekit\.agents\.inference, which isn't available here"):
        LLMStream()
