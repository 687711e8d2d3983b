"""New code into a running conversation: watch the project's files, load beside the old, swap at a safe point."""

from agent_runtime.reload.differences import AgentChanges, agent_diff, compare_agents, describe_agent
from agent_runtime.reload.kept import keep
from agent_runtime.reload.reloader import Conversation, ReloadCause, Reloader
from agent_runtime.reload.watcher import FileWatcher

__all__ = [
    "AgentChanges",
    "Conversation",
    "FileWatcher",
    "ReloadCause",
    "Reloader",
    "agent_diff",
    "compare_agents",
    "describe_agent",
    "keep",
]
