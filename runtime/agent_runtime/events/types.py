"""Everything that can happen, as typed, immutable events.

One stream of these serves the console, recordings, metrics, logs and remote attach; nothing else reports state. All
times are seconds on the session's clock, which starts at 0.0 when the session is made; levels are in dBFS. An event
means one thing whatever provider or device it came from, and holds plain data only, so that it can be written as JSON
and read back (`agent_runtime.events.codec`).
"""

from __future__ import annotations

from typing import Final, TypeAlias

from agent_runtime.events.context import (
    ItemAdded,
    ToolFinished,
    ToolReplyUpdated,
    ToolStarted,
    ToolUpdated,
    TurnMeasured,
)
from agent_runtime.events.event import Event
from agent_runtime.events.hearing import (
    AudioMeter,
    EndpointingCancelled,
    EndpointingLearned,
    EndpointingStarted,
    OverlappingSpeech,
    SpeechRecognized,
    TranscriptionTimedOut,
    TurnCommitted,
    TurnDiscarded,
    TurnStarted,
    UserTranscribed,
    UserTurnExceeded,
)
from agent_runtime.events.interventions import (
    BranchesChanged,
    ContextShown,
    RequestRefused,
    ToolsListed,
    ToolStoodIn,
    ToolTried,
    ToolTryFinished,
    ToolTryKept,
)
from agent_runtime.events.reply import (
    AgentHeard,
    AgentInterrupted,
    AgentText,
    HookFinished,
    LLMFinished,
    LLMFirstToken,
    LLMStarted,
    PlayoutFinished,
    PlayoutPaused,
    PlayoutResumed,
    PlayoutStarted,
    SpeechCreated,
    SpeechFinished,
    TTSFinished,
    TTSFirstByte,
    TTSStarted,
)
from agent_runtime.events.room import (
    ActiveSpeakers,
    ConnectionQuality,
    EncryptionChanged,
    ModeChanged,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantLinked,
    RoomConnected,
    RoomDisconnected,
    RoomFigures,
    RoomInvitation,
    RoomReconnected,
    RoomReconnecting,
    RoomServerMissing,
    TrackChanged,
)
from agent_runtime.events.session import (
    AgentChanged,
    AgentStateChanged,
    SessionClosed,
    SessionStarted,
    UserStateChanged,
)
from agent_runtime.events.vitals import CircuitsChanged, EchoCancellation, LoopLag, PartRestarting
from agent_runtime.events.workshop import (
    AudioDropped,
    DeviceChanged,
    ErrorOccurred,
    InputMuted,
    LogWritten,
    LoopBlocked,
    LoopStalled,
    ModelLoading,
    PushToTalkChanged,
    RecordingChanged,
    ReloadFailed,
    ReloadFinished,
    ReloadPending,
    ReloadStarted,
    TurnMarked,
)

EventData: TypeAlias = (
    SessionStarted
    | SessionClosed
    | AgentChanged
    | UserStateChanged
    | AgentStateChanged
    | AudioMeter
    | UserTranscribed
    | EndpointingStarted
    | EndpointingCancelled
    | EndpointingLearned
    | OverlappingSpeech
    | TranscriptionTimedOut
    | UserTurnExceeded
    | SpeechRecognized
    | TurnStarted
    | TurnCommitted
    | TurnDiscarded
    | SpeechCreated
    | HookFinished
    | LLMStarted
    | LLMFirstToken
    | LLMFinished
    | AgentText
    | TTSStarted
    | TTSFirstByte
    | TTSFinished
    | PlayoutStarted
    | AgentHeard
    | PlayoutPaused
    | PlayoutResumed
    | PlayoutFinished
    | SpeechFinished
    | AgentInterrupted
    | ToolStarted
    | ToolUpdated
    | ToolFinished
    | ToolReplyUpdated
    | ItemAdded
    | TurnMeasured
    | ModelLoading
    | DeviceChanged
    | InputMuted
    | PushToTalkChanged
    | AudioDropped
    | ReloadStarted
    | ReloadPending
    | ReloadFinished
    | ReloadFailed
    | LogWritten
    | ErrorOccurred
    | LoopStalled
    | LoopBlocked
    | LoopLag
    | EchoCancellation
    | CircuitsChanged
    | PartRestarting
    | RecordingChanged
    | TurnMarked
    | ToolsListed
    | ToolStoodIn
    | ToolTried
    | ToolTryFinished
    | ToolTryKept
    | ContextShown
    | BranchesChanged
    | RequestRefused
    | ModeChanged
    | RoomConnected
    | RoomReconnecting
    | RoomReconnected
    | RoomDisconnected
    | RoomInvitation
    | ParticipantJoined
    | ParticipantLeft
    | ParticipantLinked
    | ActiveSpeakers
    | TrackChanged
    | ConnectionQuality
    | RoomServerMissing
    | EncryptionChanged
    | RoomFigures
)

AnyEvent: TypeAlias = Event[EventData]

FIGURES: Final = (AudioMeter, LoopLag, RoomFigures)
"""What comes all the time and tells how things stand: nothing happened. It is for meters, and no sign of life."""
