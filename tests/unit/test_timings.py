"""The timings that a conversation must keep, to the millisecond and in this order, in virtual time.

Measured on LiveKit Agents 1.8.9 with the same fakes: speech from 0.5 to 2.5 s, its final 0.2 s after it ends, a VAD
that reports speech 0.05 s late and silence 0.5 s late, and a voice that ends each text with 10 ms of silence.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agent_runtime import Agent, function_tool
from agent_runtime.testing import Answer, Stage, UserSpeech, run_virtual, scripted_session

FIRST = UserSpeech(0.5, 2.5, "Hello, how are you?")
PREFIX = [
    (0.55, "user speaking"),
    (2.7, "final"),
    (2.7, "speech created"),
    (3.0, "user listening"),
    (3.0, "user item"),
    (3.0, "agent thinking"),
]
STORY = Answer("Here is a long story for you, and this is the end.")


class Weather(Agent):
    def __init__(self) -> None:
        super().__init__(instructions="You are helpful.")

    @function_tool
    async def get_weather(self, location: str) -> str:
        """Get the weather.

        Args:
            location: where
        """
        return f"The weather in {location} is sunny today."


def play(
    until: float,
    *speeches: UserSpeech,
    check: Callable[[Stage], None],
    act: Callable[[Stage], Awaitable[None]] | None = None,
    **options: object,
) -> None:
    async def scenario() -> None:
        async with scripted_session(speeches, **options) as stage:  # type: ignore[arg-type]
            await stage.session.start(Weather())
            if act is not None:
                await act(stage)
            await stage.run_until(until)
            check(stage)

    run_virtual(scenario())


def after_start(stage: Stage) -> list[tuple[float, str]]:
    timeline = stage.timeline()
    assert timeline[0] == (0.0, "agent listening")
    return timeline[1:]


def test_plain_turn() -> None:
    def check(stage: Stage) -> None:
        assert after_start(stage) == [
            *PREFIX,
            (3.2, "agent speaking"),
            (5.21, "played 2.01"),
            (5.21, "assistant item"),
            (5.21, "agent listening"),
        ]

    play(8.0, FIRST, check=check, answers=[Answer("I'm doing well, thank you!")], durations=[2.0])


def test_user_states_are_backdated_and_metrics_come_before_the_item() -> None:
    def check(stage: Stage) -> None:
        told = [
            (t, name, getattr(p, "new_state", None) or getattr(getattr(p, "metrics", None), "type", None))
            for t, name, p in stage.callbacks
            if name in ("user_state_changed", "agent_state_changed", "metrics_collected", "conversation_item_added")
            and getattr(getattr(p, "metrics", None), "type", None) not in ("vad_metrics", "llm_metrics")
        ]
        assert [entry for entry in told if entry[0] == 3.0] == [
            (3.0, "user_state_changed", "listening"),
            (3.0, "metrics_collected", "eou_metrics"),
            (3.0, "conversation_item_added", None),
            (3.0, "agent_state_changed", "thinking"),
        ]
        users = [p for _, name, p in stage.callbacks if name == "user_state_changed"]
        assert [round(p.created_at - 1.7e9, 3) for p in users] == [0.5, 2.5]
        eou = next(
            p.metrics
            for _, name, p in stage.callbacks
            if name == "metrics_collected" and p.metrics.type == "eou_metrics"
        )
        assert round(eou.end_of_utterance_delay, 6) == 0.5
        assert round(eou.transcription_delay, 6) == 0.2

    play(8.0, FIRST, check=check, answers=[Answer("I'm doing well, thank you!")], durations=[2.0])


def test_tool_call() -> None:
    def check(stage: Stage) -> None:
        assert after_start(stage) == [
            *PREFIX,
            (3.0, "tool started"),
            (3.0, "tool finished"),
            (3.2, "agent speaking"),
            (5.21, "played 2.01"),
            (5.21, "assistant item"),
            (5.21, "agent thinking"),
            (5.21, "speech created"),
            (5.71, "agent speaking"),
            (8.72, "played 3.01"),
            (8.72, "assistant item"),
            (8.72, "agent listening"),
        ]
        executed = [(t, p) for t, name, p in stage.callbacks if name == "function_tools_executed"]
        assert [t for t, _ in executed] == [5.21]
        names = [name for t, name, _ in stage.callbacks if t == 5.21]
        assert names.index("agent_state_changed") < names.index("function_tools_executed")
        items = [item.type for item in stage.session.current_agent.chat_ctx.items if item.type != "agent_handoff"]
        config = ["message", "agent_config_update"]
        assert items == [*config, "message", "message", "function_call", "function_call_output", "message"]

    answers = [
        Answer("Let me check the weather for you.", [("get_weather", '{"location": "Tokyo"}')]),
        Answer("The weather in Tokyo is sunny today."),
    ]
    play(12.0, FIRST, check=check, answers=answers, durations=[2.0, 3.0])


def test_interruption_when_the_output_cannot_pause() -> None:
    def check(stage: Stage) -> None:
        assert [entry for entry in after_start(stage) if entry[0] >= 5.0] == [
            (5.05, "user speaking"),
            (5.5, "played 2.30 interrupted"),
            (5.5, "assistant item"),
            (5.5, "agent listening"),
            (6.2, "final"),
            (6.2, "speech created"),
            (6.5, "user listening"),
            (6.5, "user item"),
            (6.5, "agent thinking"),
            (6.7, "agent speaking"),
            (7.71, "played 1.01"),
            (7.71, "assistant item"),
            (7.71, "agent listening"),
        ]

    stop = UserSpeech(5.0, 6.0, "Stop!")
    play(10.0, FIRST, stop, check=check, answers=[STORY, Answer("OK")], durations=[10.0, 1.0], can_pause=False)


def test_interruption_when_the_output_can_pause() -> None:
    def check(stage: Stage) -> None:
        assert [entry for entry in after_start(stage) if entry[0] >= 5.0] == [
            (5.05, "user speaking"),
            (5.5, "playout paused"),
            (5.5, "agent listening"),
            (6.2, "final"),
            (6.2, "played 2.30 interrupted"),
            (6.2, "assistant item"),
            (6.5, "user listening"),
            (6.5, "speech created"),
            (6.5, "user item"),
            (6.5, "agent thinking"),
            (7.0, "agent speaking"),
            (8.01, "played 1.01"),
            (8.01, "assistant item"),
            (8.01, "agent listening"),
        ]

    stop = UserSpeech(5.0, 6.0, "Stop!")
    play(10.0, FIRST, stop, check=check, answers=[STORY, Answer("OK")], durations=[10.0, 1.0])


def test_false_interruption() -> None:
    def check(stage: Stage) -> None:
        assert [entry for entry in after_start(stage) if entry[0] >= 5.0] == [
            (5.05, "user speaking"),
            (5.5, "playout paused"),
            (5.5, "agent listening"),
            (6.3, "user listening"),
            (8.3, "agent speaking"),
            (8.3, "playout resumed"),
            (8.3, "turn discarded"),
            (16.01, "played 10.01"),
            (16.01, "assistant item"),
            (16.01, "agent listening"),
        ]
        resumed = [(t, p.resumed) for t, name, p in stage.callbacks if name == "agent_false_interruption"]
        assert resumed == [(8.3, True)]
        assert stage.said()[-1] == ("assistant", STORY.text)

    play(18.0, FIRST, UserSpeech(5.0, 5.8), check=check, answers=[STORY], durations=[10.0])


def test_interrupted_by_text() -> None:
    async def act(stage: Stage) -> None:
        await stage.run_until(5.0)
        stage.session.send_text("Stop, please")

    def check(stage: Stage) -> None:
        assert [entry for entry in after_start(stage) if entry[0] >= 5.0] == [
            (5.0, "played 1.80 interrupted"),
            (5.0, "speech created"),
            (5.0, "user item"),
            (5.0, "agent thinking"),
            (5.0, "assistant item"),
            (5.5, "agent speaking"),
            (6.51, "played 1.01"),
            (6.51, "assistant item"),
            (6.51, "agent listening"),
        ]
        # The model is asked with what was heard of the speech that was cut, in the order of time.
        asked = [m.text_content for m in stage.llm.requests[-1].messages() if m.role != "system"]
        assert asked == [FIRST.text, stage.said()[1][1], "Stop, please"]

    play(10.0, FIRST, act=act, check=check, answers=[STORY, Answer("OK")], durations=[10.0, 1.0])


def preemptive(expected: float, **options: object) -> None:
    def check(stage: Stage) -> None:
        assert stage.times("agent_state_changed", new="speaking") == [round(2.0 + expected, 6)]

    speech = UserSpeech(0.5, 2.0, "Hello, how are you?", stt_delay=0.1)
    play(
        6.0,
        speech,
        check=check,
        answers=[Answer("I'm doing great, thank you!")],
        durations=[3.0],
        ttfb=0.3,
        turn_handling={"preemptive_generation": options},
    )


def test_preemptive_generation_with_speech() -> None:
    preemptive(0.7, preemptive_tts=True)


def test_preemptive_generation() -> None:
    preemptive(0.8)


def test_preemptive_generation_off() -> None:
    preemptive(1.1, enabled=False)
