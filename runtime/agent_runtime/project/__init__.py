"""The user's project: its files, which imports which, and its modules loaded anew beside those in use."""

from agent_runtime.project.code import CodeVersion, Superseded, load_code
from agent_runtime.project.failures import explain_failure, short_path, without_place
from agent_runtime.project.finder import EntryPoint
from agent_runtime.project.watch_list import WatchList

__all__ = [
    "CodeVersion",
    "EntryPoint",
    "Superseded",
    "WatchList",
    "explain_failure",
    "load_code",
    "short_path",
    "without_place",
]
