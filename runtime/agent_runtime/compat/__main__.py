"""`python -m agent_runtime.compat FILE start`: what `python FILE start` does where livekit-agents is installed."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

from agent_runtime import stand_ins
from agent_runtime.compat import install


def main() -> None:
    """Run a program for which `livekit.agents` and `livekit.plugins` are this runtime."""
    if len(sys.argv) < 2 or not Path(sys.argv[1]).is_file():
        raise SystemExit("usage: python -m agent_runtime.compat FILE.py [start | dev | console | connect …]")
    install()
    stand_ins.allow(sys.argv[2:3] == ["console"])
    del sys.argv[0]
    sys.path[0] = str(Path(sys.argv[0]).resolve().parent)
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
