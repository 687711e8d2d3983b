"""New code into a running conversation: watch the agent's file, load beside the old, swap at a safe point."""

from agent_runtime.reload.differences import agent_diff, describe_agent
from agent_runtime.reload.reloader import ReloadCause, Reloader, Swap
from agent_runtime.reload.watcher import FileWatcher

__all__ = ["FileWatcher", "ReloadCause", "Reloader", "Swap", "agent_diff", "describe_agent"]
