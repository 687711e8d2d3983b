"""`python -m tests.parity`: see `tests/parity/compare.py`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.parity import compare, dump

DOC = Path(__file__).parents[2] / "docs" / "parity.md"
VERSION: str = json.loads(dump.NAMES.read_text("utf-8"))["version"]


def make_reference() -> None:
    """Dump the reference from an environment that is thrown away afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "env", "bin", "python")
        subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, python.parents[1]], check=True)
        package = f"livekit-agents[mcp]=={VERSION}"
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, package], check=True)
        done = subprocess.run([python, dump.__file__, "livekit.agents"], check=True, capture_output=True, text=True)
    (compare.HERE / "reference.json").write_text(done.stdout, "utf-8")


def main() -> None:
    """Compare and write the page."""
    if "--reference" in sys.argv[1:]:
        make_reference()
    rows = compare.compare(compare.load_reference(), dump.dump("agent_runtime"), compare.load_deviations())
    DOC.write_text(compare.as_markdown(rows, VERSION), "utf-8")
    for state in ("same", "deviation", "differs", "missing"):
        print(f"{state:10} {sum(row.state == state for row in rows)}")


if __name__ == "__main__":
    main()
