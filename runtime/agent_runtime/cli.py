"""`cli.run_app(server)`, as agents' files end with it."""

from agent_runtime.worker.run_app import run_app

__all__ = ["run_app"]
