"""Speech that a language model directs: what it is told of the voice's markup, and when."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from agent_runtime.llm.instructions import Instructions

if TYPE_CHECKING:
    from agent_runtime.llm import ChatContext
    from agent_runtime.tts import TTS
    from agent_runtime.tts.markup import MarkReplacer
    from agent_runtime.voice.agent import Agent
    from agent_runtime.voice.engine import Engine

GUIDE_ID: Final = "lk.expressive.instructions"
"""Id of the message that tells the model of the markup; LiveKit's."""


class NonverbalOptions(TypedDict, total=False):
    """Which sounds beside words the voice may make. Unset: each that it can."""

    laughing: bool
    breathing: bool
    sighing: bool
    crying: bool
    vocalizing: bool
    """Humming and singing."""
    mouth_sounds: bool
    """Clicks of tongue and lips."""
    reflex_sounds: bool
    """Coughs and yawns."""


class SpeechSteeringOptions(TypedDict, total=False):
    """How the agent should sound, whatever the moment."""

    disfluencies: bool
    """Whether it says "um" and "well" at times. Unset: yes."""
    nonverbal_sounds: bool | NonverbalOptions
    pace: Literal["slow", "normal", "fast"]


class ExpressiveOptions(TypedDict, total=False):
    """How the model is told to direct the voice. Unset, each is the default."""

    speech_steering: SpeechSteeringOptions
    tts_instructions_template: Instructions | str
    """In place of our own; `{tts.markup.llm_instructions}` stands for what the voice understands."""
    tts_instructions_append: str
    """Added at the end."""


DEFAULT_SPEECH_STEERING_OPTIONS: Final[SpeechSteeringOptions] = {"disfluencies": True}

DEFAULT_EXPRESSIVE_OPTIONS: Final[ExpressiveOptions] = {
    "tts_instructions_template": Instructions(
        "What you write is spoken. Say how, with these marks, where it helps:\n\n{tts.markup.llm_instructions}"
    ),
    "speech_steering": DEFAULT_SPEECH_STEERING_OPTIONS,
}


def expressive_options(engine: Engine, agent: Agent) -> ExpressiveOptions | None:
    """The agent's, else the session's, complete; None if it is off, or no voice is heard that takes markup."""
    own = agent._expressive
    wanted = engine.session._expressive if not isinstance(own, bool | dict) else own
    if wanted is False or not engine.speaks_by_voice() or engine.tts.markup.llm_instructions() is None:
        return None
    given: ExpressiveOptions = wanted if isinstance(wanted, dict) else {}
    steering: SpeechSteeringOptions = {**DEFAULT_SPEECH_STEERING_OPTIONS, **given.get("speech_steering", {})}
    return {**DEFAULT_EXPRESSIVE_OPTIONS, **given, "speech_steering": steering}


def add_guide(context: ChatContext, engine: Engine, agent: Agent, modality: Literal["text", "audio"]) -> None:
    """Tell the model how it can direct the voice, at the end of a request's `context`, if it may."""
    options = expressive_options(engine, agent)
    if options is None:
        return
    steering = options.get("speech_steering", DEFAULT_SPEECH_STEERING_OPTIONS)
    template = options.get("tts_instructions_template", "")
    template = template if isinstance(template, Instructions) else Instructions(template)
    marks = engine.tts.markup.llm_instructions(speech_steering=steering)
    texts = [
        template.render(modality=modality, data={"tts": {"markup": {"llm_instructions": marks}}}),
        _steering_text(steering),
        options.get("tts_instructions_append", ""),
    ]
    if text := "\n\n".join(text for text in texts if text.strip()):
        context.add_message(role="system", content=[text], id=GUIDE_ID, created_at=engine.report.wall())


def marks_of(engine: Engine, agent: Agent) -> MarkReplacer | None:
    """Takes the marks out of what an agent says; None where there are none."""
    if expressive_options(engine, agent) is None:
        return None
    from agent_runtime.tts.markup import stripper

    return stripper()


def directed(text: AsyncIterable[str], tts: TTS[Any], *, expressive: bool) -> AsyncIterable[str]:
    """Text on its way to a voice; marks become the voice's own, unless it does that itself, sentence by sentence."""
    tts._set_expressive(expressive)
    if not expressive or hasattr(tts, "wrapped_tts") or (dialect := tts.markup._dialect()) is None:
        return text
    from agent_runtime.tts.markup import lowered

    return lowered(text, dialect)


def _steering_text(steering: SpeechSteeringOptions) -> str:
    lines: list[str] = []
    if steering.get("disfluencies", True):
        lines.append('- Now and then a natural "um", "well" or "so", never twice in a row.')
    else:
        lines.append("- Speak fluently, without fillers.")
    if (pace := steering.get("pace", "normal")) != "normal":
        lines.append(f"- Keep a {pace} pace.")
    return "\n".join(lines)
