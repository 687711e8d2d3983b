"""Screenshots of the console's main states: `python -m tests.support.screenshots [FOLDER]`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from agent_console.app import ConsoleApp
from tests.support.backend import ScriptedBackend
from tests.support.conversation import STORIES

SHOTS = [
    ("interrupted", (120, 40), "nocturne"),
    ("interrupted", (80, 24), "nocturne"),
    ("speaking", (160, 50), "nocturne"),
    ("speaking", (120, 40), "paper"),
]


async def settle(app: ConsoleApp, timeout: float = 10.0, *, seq: int = 1) -> None:
    """Until the screen shows every event that was sent."""
    async with asyncio.timeout(timeout):
        while not (app.is_settled and app.state.seq >= seq):  # noqa: ASYNC110  # frames tell nobody that they were drawn
            await asyncio.sleep(0.01)


async def shoot(story: str, size: tuple[int, int], theme: str, keys: tuple[str, ...] = ()) -> str:
    """One screenshot as SVG."""
    app = ConsoleApp(ScriptedBackend(STORIES[story]().events), theme=theme, monotonic=lambda: 0.0, encoding="utf-8")
    async with app.run_test(size=size) as pilot:
        await settle(app)
        await pilot.press(*keys)
        await pilot.pause()
        return app.export_screenshot(title=f"agent-console · {story}")


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for story, size, theme in SHOTS:
        name = f"{story}-{size[0]}x{size[1]}-{theme}.svg"
        (folder / name).write_text(asyncio.run(shoot(story, size, theme)))
        print(folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
