"""What can be configured, with its defaults; `settings_layers` finds the values.

A value comes from the first of these that has it: a flag, the environment, a `.env` beside the agent, the project's
`agent-console.toml`, the user's one, the profile, the default here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from agent_runtime.providers.registry import Part, parse_spec

Profile: TypeAlias = Literal["dev", "prod", "test"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]

HTTP: Final = r"^https?://"
HTTP_OR_WEBSOCKET: Final = r"^(wss?|https?)://"
URLS: Final = {HTTP: "begin it with https:// or http://", HTTP_OR_WEBSOCKET: "begin it with wss:// or ws://"}
"""What to do about an address that isn't written so."""

PROFILES: Final[dict[str, dict[str, Any]]] = {
    "dev": {},
    "prod": {"reload": False},
    "test": {"reload": False, "text": True, "llm": "embedded"},
}
"""What a profile sets where nothing else does, by dotted name."""


def _spec(part: Part) -> Callable[[str], str]:
    def check(value: str) -> str:
        parse_spec(part, value)
        return value

    return check


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AudioSettings(_Section):
    """Microphone, speaker, and what is done to the sound between them."""

    input_device: str | None = None
    """Microphone, by id or a part of its name (`agent-console devices`); unset is the system's own choice."""
    output_device: str | None = None
    """Speaker, by id or a part of its name; unset is the system's own choice."""
    input_wav: Path | None = None
    """A WAV file that plays the user's part in real time instead of the microphone."""
    output_wav: Path | None = None
    """A WAV file that takes the agent's speech instead of the speaker."""
    echo_cancellation: bool = True
    """Take the agent's own voice out of the microphone's signal."""
    high_pass: bool = True
    """Take rumble below 80 Hz out of the microphone's signal."""
    noise_suppression: bool = False
    """Suppress noise. Off because it costs recognition more words than it saves."""
    auto_gain: bool = False
    """Level the microphone. Off because it works against echo cancellation."""


class EndpointingSettings(_Section):
    """How long to wait after the user fell silent before answering."""

    mode: Literal["fixed", "dynamic"] | None = None
    """`dynamic` learns the wait from the user's pauses; unset is `fixed`."""
    min_delay: float | None = Field(default=None, ge=0)
    """Seconds when the turn detector thinks that the user is done; unset is 0.4 with the embedded one, which reads the
    words, 0.3 with `audio`, and else 0.5."""
    max_delay: float | None = Field(default=None, ge=0)
    """Seconds when it doesn't; unset is 2.5 with `audio`, else 3.0."""


class InterruptionSettings(_Section):
    """When the user's voice stops the agent."""

    enabled: bool = True
    """Whether it can at all."""
    mode: Literal["adaptive", "vad"] | None = None
    """`vad`: all speech does. `adaptive`: a listener's word ("mm-hm") doesn't. Unset is `vad`."""
    min_duration: float | None = Field(default=None, ge=0)
    """Seconds of speech that it takes; unset is the engine's default."""
    min_words: int | None = Field(default=None, ge=0)
    """Words that it takes; unset is the engine's default."""


class OpenAISettings(_Section):
    """OpenAI, or a server that speaks its protocol (Ollama, llama.cpp, vLLM)."""

    api_key: SecretStr | None = None
    """Key; also `OPENAI_API_KEY`."""
    base_url: str | None = Field(default=None, pattern=HTTP)
    """URL up to and including `/v1`; also `OPENAI_BASE_URL`."""


class LiveKitSettings(_Section):
    """The server whose rooms are joined."""

    url: str | None = Field(default=None, pattern=HTTP_OR_WEBSOCKET)
    """URL; also `LIVEKIT_URL`."""
    api_key: SecretStr | None = None
    """Key; also `LIVEKIT_API_KEY`."""
    api_secret: SecretStr | None = None
    """Secret; also `LIVEKIT_API_SECRET`."""
    room: str | None = Field(default=None, min_length=1)
    """The room that the conversation begins in (`--room`); unset, it begins on this machine."""
    encryption_key: SecretStr | None = None
    """Encrypts the room's sound from end to end; everybody in it needs the same key."""


class AttachSettings(_Section):
    """How consoles attach to a worker: `docs/production.md`."""

    token: SecretStr | None = Field(default=None, min_length=16)
    """What lets a console in; unset, a worker makes one up."""
    certificate: Path | None = None
    """A worker's certificate for TLS, as PEM."""
    key: Path | None = None
    """The certificate's key; unset, it is in the same file."""
    insecure: bool = False
    """Let consoles attach from other machines even without TLS: something in front brings it."""
    write: bool = False
    """Who is attached may also type, interrupt and mute."""


class BudgetSettings(_Section):
    """How long the user may wait for an answer, and for each part of it, before the console shows it in red."""

    answer: float = Field(default=1.0, gt=0)
    """Seconds from the user's last word to the agent's first sound."""
    endpointing: float | None = Field(default=None, gt=0)
    """Seconds of waiting for the end of the turn."""
    transcription: float | None = Field(default=None, gt=0)
    """Seconds that the last words come late."""
    hook: float | None = Field(default=None, gt=0)
    """Seconds in `on_user_turn_completed`."""
    llm: float | None = Field(default=None, gt=0)
    """Seconds to the model's first token."""
    tools: float | None = Field(default=None, gt=0)
    """Seconds in tools."""
    llm_sentence: float | None = Field(default=None, gt=0)
    """Seconds from the first token to the first sentence."""
    tts: float | None = Field(default=None, gt=0)
    """Seconds to the voice's first sound."""
    floor: float | None = Field(default=None, gt=0)
    """Seconds in which an answer that was ready let somebody finish."""
    playout: float | None = Field(default=None, gt=0)
    """Seconds from there to the speaker."""


_sources: ContextVar[tuple[PydanticBaseSettingsSource, ...]] = ContextVar("_sources", default=())


class Settings(BaseSettings):
    """Everything that can be configured. Made by `load_settings`."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    profile: Profile = "dev"
    """A set of defaults: `dev` to build, `prod` to serve, `test` for no devices and no reload."""
    agent: str | None = None
    """The agent to run when the command line names none: `file.py`, `file.py:Name` or `package.module`."""
    llm: Annotated[str, AfterValidator(_spec("llm"))] = "auto"
    """Language model: `auto`, `embedded`, `openai`, `openai:MODEL` or `none`."""
    stt: Annotated[str, AfterValidator(_spec("stt"))] = "embedded"
    """Speech recognition: `embedded` or `none`."""
    tts: Annotated[str, AfterValidator(_spec("tts"))] = "embedded"
    """Voice: `embedded` or `none`."""
    vad: Annotated[str, AfterValidator(_spec("vad"))] = "embedded"
    """Voice activity detection: `embedded` or `none`."""
    turn_detection: Annotated[str, AfterValidator(_spec("turn_detection"))] = "embedded"
    """What ends the user's turn: `embedded` (by the words), `audio` (by the voice), `vad`, `stt` or `manual`."""
    preemptive_generation: bool = True
    """Begin the answer while still waiting for the end of the turn."""
    text: bool = False
    """No microphone and no speaker: the conversation is typed."""
    reload: bool = True
    """Swap new code into the conversation when the agent's file is saved."""
    log_level: LogLevel = "info"
    """The least severe lines that the log shows."""
    events: Path | None = None
    """A file that gets every event as a line of JSON."""
    record: bool = False
    """Record the session into a bundle from its first moment."""
    recordings: Path | None = None
    """The folder that gets a bundle for each recorded session; unset is one of the user's own."""
    theme: str | None = None
    """The console's colours; unset is its own choice."""
    keys: dict[str, Any] = Field(default_factory=dict)
    """Other keys for the console's actions: `mute = "ctrl+t"` under `[keys]`; a list for several, `""` for none."""
    audio: AudioSettings = AudioSettings()
    endpointing: EndpointingSettings = EndpointingSettings()
    interruption: InterruptionSettings = InterruptionSettings()
    budgets: BudgetSettings = BudgetSettings()
    openai: OpenAISettings = OpenAISettings()
    livekit: LiveKitSettings = LiveKitSettings()
    attach: AttachSettings = AttachSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The layers of `settings_layers`, each knowing where its values come from, instead of the stock ones."""
        return (init_settings, *_sources.get())

    @classmethod
    def from_sources(cls, sources: tuple[PydanticBaseSettingsSource, ...]) -> Settings:
        """Validate what `sources` say, the first one first. Raises pydantic's ValidationError."""
        token = _sources.set(sources)
        try:
            return cls()
        finally:
            _sources.reset(token)
