"""Which of our modules each of LiveKit's modules gets its names from, and what to use for what isn't there."""

from __future__ import annotations

from typing import Final

AGENTS: Final = "livekit.agents"
PLUGINS: Final = "livekit.plugins"

_EVENTS: Final = ("agent_runtime.voice.events", "agent_runtime.voice.run_context")
_SESSION: Final = (
    "agent_runtime.voice.session",
    "agent_runtime.voice.options",
    "agent_runtime.voice.turn",
    "agent_runtime.voice.video",
    "agent_runtime.voice.expressive",
    "agent_runtime.voice.stt_context",
    "agent_runtime.worker.job_recording",
)
_ROOM_IO: Final = ("agent_runtime.room",)
_JOB: Final = ("agent_runtime.compat.job",)
_CALLS: Final = ("agent_runtime.voice.amd", "agent_runtime.voice.amd_judge")
_STEERING: Final = ("agent_runtime.voice.expressive", "agent_runtime.voice.stt_context")
_SIMULATION: Final = ("agent_runtime.worker.simulation",)
_WAITING: Final = ("agent_runtime.room.waiting",)
_ENVIRONMENT: Final = ("agent_runtime.utils.environment",)
_UTILS: Final = ("agent_runtime.utils",)
_DTMF: Final = ("agent_runtime.voice.dtmf",)
_WORKER: Final = ("agent_runtime.worker.options", "agent_runtime.worker.server")
_LLM: Final = ("agent_runtime.llm",)
_STT: Final = ("agent_runtime.stt",)
_TTS: Final = ("agent_runtime.tts",)
_HOSTED_LLM: Final = ("agent_runtime.inference.llm", "agent_runtime.inference.model_names")
_METRICS: Final = ("agent_runtime.metrics",)
_TOKENIZE: Final = ("agent_runtime.tokenize",)
_TRANSFORMS: Final = ("agent_runtime.voice.transforms",)
_AIO: Final = ("agent_runtime.utils.aio",)

_AGENT_MODULES: Final[dict[str, tuple[str, ...]]] = {
    "": (
        "agent_runtime",
        *_EVENTS,
        *_LLM,
        "agent_runtime.errors",
        "agent_runtime.language",
        *_JOB,
        *_WORKER,
        *_ROOM_IO,
        *_STEERING,
        *_CALLS,
        *_SIMULATION,
        "agent_runtime.worker.job_recording",
        "agent_runtime.compat.plugin",
        "agent_runtime.compat.version",
    ),
    "_exceptions": ("agent_runtime.errors",),
    "beta": ("agent_runtime.voice.end_call", "agent_runtime.llm"),
    "beta.tools": ("agent_runtime.voice.end_call", *_DTMF),
    "beta.tools.end_call": ("agent_runtime.voice.end_call",),
    "beta.tools.send_dtmf": _DTMF,
    "beta.workflows": ("agent_runtime.voice.task_group", "agent_runtime.workflows"),
    "beta.workflows.address": ("agent_runtime.workflows",),
    "beta.workflows.credit_card": ("agent_runtime.workflows",),
    "beta.workflows.dob": ("agent_runtime.workflows",),
    "beta.workflows.dtmf_inputs": ("agent_runtime.workflows",),
    "beta.workflows.email_address": ("agent_runtime.workflows",),
    "beta.workflows.name": ("agent_runtime.workflows",),
    "beta.workflows.phone_number": ("agent_runtime.workflows",),
    "beta.workflows.utils": (*_DTMF, "agent_runtime.workflows", "agent_runtime.llm"),
    "beta.workflows.task_group": ("agent_runtime.voice.task_group",),
    "cli": ("agent_runtime.cli",),
    "evals": ("agent_runtime.evals.judges", "agent_runtime.evals.judge_group"),
    "evals.evaluation": ("agent_runtime.evals.judge_group", "agent_runtime.evals.judges"),
    "evals.judge": ("agent_runtime.evals.judges",),
    "job": (*_JOB, "agent_runtime.worker.tagger", *_WAITING),
    "language": ("agent_runtime.language",),
    "llm": _LLM,
    "llm.async_toolset": ("agent_runtime.llm.async_toolset",),
    "llm.chat_context": _LLM,
    "llm.decisions": ("agent_runtime.llm.decisions",),
    "llm.duplex": ("agent_runtime.llm.duplex",),
    "llm.duplex_adapter": ("agent_runtime.llm.duplex_adapter",),
    "llm.fallback_adapter": _LLM,
    "llm.llm": _LLM,
    "llm.mcp": ("agent_tools.mcp", "agent_tools.mcp_tools"),
    "inference": ("agent_runtime.inference",),
    "inference.llm": ("agent_runtime.compat.plugins.cloud", "agent_runtime.inference.model_options", *_HOSTED_LLM),
    "inference.stt": ("agent_runtime.inference.stt", "agent_runtime.inference.stt_models"),
    "inference.tts": ("agent_runtime.inference.tts", "agent_runtime.inference.tts_models"),
    "llm._provider_format": (),
    "llm._provider_format.utils": ("agent_runtime.compat.plugins.inner_names",),
    "llm._realtime": (),
    "llm._realtime.openai_types": ("agent_runtime.compat.plugins.openai_types",),
    "llm.realtime": ("agent_runtime.llm.realtime",),
    "llm.realtime_fallback_adapter": ("agent_runtime.llm.realtime_fallback",),
    "llm.remote_chat_context": ("agent_runtime.llm.remote_chat_context",),
    "llm.tool_context": (*_LLM, "agent_tools"),
    "llm.utils": ("agent_runtime.llm.utils",),
    "log": ("agent_runtime.compat.log",),
    "metrics": _METRICS,
    "metrics.base": _METRICS,
    "metrics.usage": _METRICS,
    "metrics.usage_collector": _METRICS,
    "metrics.utils": _METRICS,
    "observability": ("agent_runtime.worker.tagger",),
    "plugin": ("agent_runtime.compat.plugin",),
    "simulation": _SIMULATION,
    "stt": _STT,
    "stt.fallback_adapter": _STT,
    "stt.stream_adapter": _STT,
    "stt.stt": _STT,
    "telemetry": ("agent_runtime.telemetry",),
    "telemetry.traces": ("agent_runtime.telemetry",),
    "testing": ("agent_runtime.testing.fake_job",),
    "tokenize": _TOKENIZE,
    "tokenize.basic": ("agent_runtime.tokenize.basic",),
    "tokenize.blingfire": ("agent_runtime.tokenize.blingfire",),
    "tokenize.token_stream": _TOKENIZE,
    "tokenize.tokenizer": _TOKENIZE,
    "tokenize.utils": ("agent_runtime.tokenize.utils",),
    "tts": _TTS,
    "tts.fallback_adapter": _TTS,
    "tts.stream_adapter": _TTS,
    "tts.stream_pacer": _TTS,
    "tts.tts": _TTS,
    "tts._provider_format": ("agent_runtime.compat.plugins.inner_names",),
    "types": ("agent_runtime.types",),
    "utils": (*_UTILS, *_WAITING, *_ENVIRONMENT),
    "utils.aio": _AIO,
    "utils.codecs": ("agent_runtime.utils.codecs",),
    "utils.codecs.decoder": ("agent_runtime.utils.codecs",),
    "utils.images": ("agent_runtime.utils.images",),
    "utils.images.image": ("agent_runtime.utils.images",),
    "utils.audio": ("agent_runtime.utils.audio",),
    "utils.bounded_dict": _UTILS,
    "utils.connection_pool": _UTILS,
    "utils.env": _ENVIRONMENT,
    "utils.exp_filter": _UTILS,
    "utils.log": _UTILS,
    "utils.misc": (*_UTILS, "agent_runtime.types"),
    "utils.moving_average": _UTILS,
    "utils.participant": _WAITING,
    "utils.hw": ("agent_runtime.utils.hw",),
    "utils.hw.cpu": ("agent_runtime.utils.hw",),
    "utils.http_context": ("agent_runtime.utils.http_context",),
    "utils.aio.channel": _AIO,
    "utils.aio.debounce": ("agent_runtime.utils.aio.debounce",),
    "utils.aio.itertools": ("agent_runtime.utils.aio.itertools",),
    "utils.aio.task_set": _AIO,
    "utils.aio.utils": _AIO,
    "utils.aio.wait_group": _AIO,
    "vad": ("agent_runtime.vad",),
    "version": ("agent_runtime.compat.version",),
    "voice": ("agent_runtime.voice", *_EVENTS, *_STEERING, "agent_runtime.worker.job_recording"),
    "voice.amd": _CALLS,
    "voice.amd.classifier": ("agent_runtime.voice.amd_judge",),
    "voice.amd.detector": _CALLS,
    "voice.agent": ("agent_runtime.voice.agent", "agent_runtime.voice.agent_task"),
    "voice.agent_session": _SESSION,
    "voice.avatar": ("agent_runtime.room.avatar",),
    "voice.background_audio": ("agent_runtime.voice.background_audio",),
    "voice.events": (*_EVENTS, "agent_runtime.types"),
    "voice.generation": ("agent_runtime.compat.plugins.inner_names",),
    "voice.io": ("agent_runtime.io", "agent_runtime.voice.session_io", "agent_runtime.types"),
    "voice.report": ("agent_runtime.worker.session_report",),
    "voice.room_io": _ROOM_IO,
    "voice.room_io.room_io": _ROOM_IO,
    "voice.room_io.types": _ROOM_IO,
    "voice.run_result": (
        "agent_runtime.voice.run_result",
        "agent_runtime.voice.run_assert",
        "agent_runtime.voice.run_events",
        "agent_runtime.voice.tool_mocks",
    ),
    "voice.speech_handle": ("agent_runtime.voice.speech_handle",),
    "voice.text_transforms": _TRANSFORMS,
    "voice.transcription": (*_TRANSFORMS, "agent_runtime.voice.synchronizer"),
    "voice.transcription.filters": _TRANSFORMS,
    "voice.transcription.synchronizer": ("agent_runtime.voice.synchronizer",),
    "voice.transcription.text_transforms": _TRANSFORMS,
    "voice.tool_executor": ("agent_runtime.voice.tool_handling",),
    "voice.turn": ("agent_runtime.voice.turn",),
    "worker": _WORKER,
    # LiveKit has these two both here and under `voice`.
    "io": ("agent_runtime.io", "agent_runtime.voice.session_io", "agent_runtime.types"),
    "room_io": _ROOM_IO,
    "text_transforms": _TRANSFORMS,
}

_PLUGIN_MODULES: Final[dict[str, tuple[str, ...]]] = {
    "": (),
    "openai": ("agent_runtime.providers.openai",),
    "openai.llm": ("agent_runtime.providers.openai",),
    "openai.realtime": ("agent_runtime.compat.plugins.openai_realtime",),
    "openai.realtime.realtime_model": ("agent_runtime.compat.plugins.openai_realtime",),
    "silero": ("agent_runtime.compat.plugins.silero",),
    "turn_detector": (),
    "turn_detector.english": ("agent_runtime.compat.plugins.turn_detector",),
    "turn_detector.multilingual": ("agent_runtime.compat.plugins.turn_detector",),
}


def _below(root: str, modules: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {f"{root}.{name}" if name else root: sources for name, sources in modules.items()}


INSTALLED_PARTS: Final[dict[str, dict[str, str]]] = {
    f"{PLUGINS}.openai": {
        "STT": "stt",
        "TTS": "tts",
        "EmbeddingData": "embeddings",
        "create_embeddings": "embeddings",
        "DecisionModel": "decision_model",
        "responses": "",
        "tools": "",
    }
}
"""Plugins of which we have a part: further names, and the file of the installed package that has each ("": its own)."""

MODULES: Final = _below(AGENTS, _AGENT_MODULES) | _below(PLUGINS, _PLUGIN_MODULES)
"""LiveKit's module → ours, asked one after the other."""

_EMBEDDED_STT: Final = "leave `stt` out for the bundled recogniser, or write an stt.STT of your own"
_EMBEDDED_TTS: Final = "leave `tts` out for the bundled voice, or write a tts.TTS of your own"
_EMBEDDED_SPEECH: Final = "leave `stt` and `tts` out for the bundled ones, or write an stt.STT or tts.TTS of your own"
_OTHER_LLM: Final = "use openai.LLM, with base_url for a compatible server, or leave `llm` out for the bundled model"
_NO_NOISE: Final = "leave `noise_cancellation` out: the microphone's signal is cleaned already"

VENDORS: Final[dict[str, str]] = {
    "anthropic": _OTHER_LLM,
    "assemblyai": _EMBEDDED_STT,
    "aws": f"{_EMBEDDED_SPEECH}; for a model {_OTHER_LLM}",
    "azure": _EMBEDDED_SPEECH,
    "cartesia": _EMBEDDED_TTS,
    "cerebras": _OTHER_LLM,
    "deepgram": _EMBEDDED_STT,
    "elevenlabs": _EMBEDDED_TTS,
    "google": f"{_EMBEDDED_SPEECH}; for a model {_OTHER_LLM}",
    "groq": _OTHER_LLM,
    "inworld": _EMBEDDED_TTS,
    "mistralai": _OTHER_LLM,
    "noise_cancellation": _NO_NOISE,
    "rime": _EMBEDDED_TTS,
    "speechmatics": _EMBEDDED_STT,
}
"""Packages of `livekit.plugins` that files often import, and what to use while they aren't installed."""

_REALTIME: Final = "use openai.realtime.RealtimeModel, write an llm.RealtimeModel, or use stt, llm and tts"

_AVATAR_SIDE: Final = "it is for the avatar's own program, which runs on livekit-agents"

_OLD: Final = "it is from before LiveKit Agents 1.0: write an Agent, and start it in an AgentSession"

_ADVICE: Final[dict[str, str]] = {
    f"{AGENTS}.inference.AdaptiveInterruptionDetector": "leave it out: the session judges by itself what interrupts",
    **{f"{AGENTS}.inference.{name}": _REALTIME for name in ("RealtimeModel", "DuplexModel")},
    f"{AGENTS}.ipc": "jobs run in processes of our own making, which an agent's file needn't know of",
    f"{AGENTS}.beta.workflows.WarmTransferTask": "use JobContext.add_sip_participant and transfer_sip_participant",
    **{f"{AGENTS}.{name}": _OLD for name in ("pipeline", "multimodal", "voice_assistant", "transcription")},
    **{f"{AGENTS}.voice.avatar.{name}": _AVATAR_SIDE for name in ("AvatarRunner", "DataStreamAudioReceiver")},
    f"{PLUGINS}.openai.STT": _EMBEDDED_STT,
    f"{PLUGINS}.openai.TTS": _EMBEDDED_TTS,
    **{f"{PLUGINS}.openai.realtime.{name}": _REALTIME for name in ("GPTLiveModel", "InferenceRealtimeModel")},
    **{f"{PLUGINS}.{vendor}": what for vendor, what in VENDORS.items()},
}


def advice(fullname: str) -> str | None:
    """What to do about a name that isn't there, if there is something to say."""
    name = fullname
    while name:
        if name in _ADVICE:
            return _ADVICE[name]
        name = name.rpartition(".")[0]
    return None
