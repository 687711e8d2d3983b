"""`python -m tests.parity`: see `tests/parity/compare.py`."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from agent_runtime import compat
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


def compared() -> tuple[list[compare.Row], str]:
    """The rows and the page that they make."""
    compat.install()
    try:
        ours = dump.dump("livekit.agents")
    finally:
        compat.uninstall()
    reasons = compare.load_reasons()
    rows = compare.compare(compare.load_reference(), ours, reasons)
    return rows, compare.as_markdown(rows, reasons, VERSION)


def main() -> None:
    """Compare and write the page."""
    if "--reference" in sys.argv[1:]:
        make_reference()
    rows, page = compared()
    DOC.write_text(page, "utf-8")
    for state in compare.STATES:
        print(f"{state:10} {sum(row.state == state for row in rows)}")


if __name__ == "__main__":
    main()
