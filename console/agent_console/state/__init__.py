"""What the screen shows, as a pure function of events. No Textual in here."""

from agent_console.state.model import (
    AgentSaid,
    Banner,
    ConsoleState,
    Device,
    Endpointing,
    Entry,
    Latency,
    Loading,
    LogLine,
    Meters,
    Note,
    Rule,
    ToolCall,
    Usage,
    UserSaid,
)
from agent_console.state.percentiles import WHOLE, Histogram
from agent_console.state.reduce import reduce, reduce_all
from agent_console.state.sequence import Seq
from agent_console.state.turns import Turn, turn_of

__all__ = [
    "WHOLE",
    "AgentSaid",
    "Banner",
    "ConsoleState",
    "Device",
    "Endpointing",
    "Entry",
    "Histogram",
    "Latency",
    "Loading",
    "LogLine",
    "Meters",
    "Note",
    "Rule",
    "Seq",
    "ToolCall",
    "Turn",
    "Usage",
    "UserSaid",
    "reduce",
    "reduce_all",
    "turn_of",
]
