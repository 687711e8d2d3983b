"""What an agent says of its own options, and outputs that learn of their sessions."""

import pytest

from agent_runtime import NOT_GIVEN, Agent, AgentSession, io
from agent_runtime.voice.session_io import AgentOutput


def test_an_agent_tells_what_it_wants_of_turns():
    plain = Agent(instructions="")
    told = (
        plain.turn_detection,
        plain.allow_interruptions,
        plain.min_endpointing_delay,
        plain.max_endpointing_delay,
        plain.min_consecutive_speech_delay,
        plain.use_tts_aligned_transcript,
        plain.interruption_detection,
        plain.expressive,
    )
    assert told == (NOT_GIVEN,) * 8
    own = Agent(
        instructions="",
        turn_handling={
            "turn_detection": None,
            "endpointing": {"min_delay": 0.2, "max_delay": 1.5},
            "interruption": {"enabled": False, "mode": "vad"},
        },
        min_consecutive_speech_delay=0.3,
        use_tts_aligned_transcript=True,
    )
    assert own.turn_detection is None
    assert (own.allow_interruptions, own.interruption_detection) == (False, "vad")
    assert (own.min_endpointing_delay, own.max_endpointing_delay) == (0.2, 1.5)
    assert (own.min_consecutive_speech_delay, own.use_tts_aligned_transcript) == (0.3, True)
    with pytest.warns(DeprecationWarning, match="allow_interruptions is deprecated"):
        assert Agent(instructions="", allow_interruptions=True).allow_interruptions is True


async def test_a_session_tells_how_interruptions_are_known():
    session: AgentSession[None] = AgentSession(turn_handling={"interruption": {"mode": "adaptive"}})
    assert session.interruption_detection == "adaptive"
    assert AgentSession().interruption_detection is NOT_GIVEN


def test_a_text_output_is_told_when_it_is_used():
    class Transcript(io.TextOutput):
        def __init__(self) -> None:
            super().__init__(label="transcript")
            self.told: list[str] = []

        async def capture_text(self, text: str) -> None: ...
        def flush(self) -> None: ...

        def on_attached(self) -> None:
            self.told.append("attached")

        def on_detached(self) -> None:
            self.told.append("detached")

    changes: list[None] = []
    output = AgentOutput(lambda: changes.append(None))
    first, second = Transcript(), Transcript()
    output.transcription = first
    output.transcription = first
    output.transcription = second
    output.transcription = None
    assert (first.told, second.told) == (["attached", "detached"], ["attached", "detached"])
    assert len(changes) == 3


async def test_an_argument_that_a_session_does_not_have_is_named():
    with pytest.raises(TypeError, match="there is no argument 'video_smapler'"):
        AgentSession(video_smapler=None)
    with pytest.warns(DeprecationWarning, match="min_interruption_words is deprecated"):
        session = AgentSession(vad=None, min_interruption_words=2)
    assert session.options.interruption["min_words"] == 2
    await session.aclose()


async def test_what_later_versions_call_otherwise_still_works() -> None:
    from agent_tools.mcp import MCPServerStdio, MCPToolset

    server = MCPServerStdio("server", [])
    with pytest.warns(DeprecationWarning, match="MCPToolset"):
        agent = Agent(instructions="x", mcp_servers=[server])
    assert [type(tool) for tool in agent.tools] == [MCPToolset]
    assert agent.mcp_servers == [server]
    assert Agent(instructions="x", mcp_servers=[]).mcp_servers is None
    with pytest.warns(DeprecationWarning, match="MCPToolset"):
        session: AgentSession[None] = AgentSession(mcp_servers=[server])
    assert [type(tool) for tool in session.tools] == [MCPToolset]
    assert session.mcp_servers == [server]


async def test_endpointing_may_be_changed_by_its_own_argument() -> None:
    session: AgentSession[None] = AgentSession(turn_handling={"turn_detection": "vad"})
    session.update_options(endpointing_opts={"max_delay": 2.0})
    with pytest.warns(DeprecationWarning, match="min_endpointing_delay"):
        session.update_options(min_endpointing_delay=0.7, turn_handling={"turn_detection": "stt"})
    endpointing = session.options.endpointing
    assert (endpointing["min_delay"], endpointing["max_delay"], session.turn_detection) == (0.7, 2.0, "stt")
    assert session.conn_options is session.options.conn_options
