"""Pictures of the console for the guide: `python -m tests.support.screenshots [FOLDER]`.

One is a film: a conversation from its first word to its timeline, as an animated SVG.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

from agent_console.app import ConsoleApp
from tests.support.backend import ScriptedBackend
from tests.support.conversation import STORIES
from tests.support.scenarios import StillScenarios, weather_book

SHOTS = [
    ("interrupted", (120, 40), "nocturne"),
    ("interrupted", (80, 24), "nocturne"),
    ("speaking", (160, 50), "nocturne"),
    ("speaking", (120, 40), "paper"),
]

PANELS = [
    ("interrupted", "timeline", (120, 40), "nocturne", ("1",)),
    ("workshop", "tools", (120, 40), "nocturne", ("3",)),
    ("workshop", "context", (120, 40), "paper", ("4",)),
    ("busy", "events", (120, 40), "nocturne", ("6",)),
    ("in_a_room", "room", (120, 40), "nocturne", ("9",)),
    ("interrupted", "scenarios", (120, 40), "nocturne", ("0",)),
]
FILM = [("starting", ()), ("listening", ()), ("counting_down", ()), ("speaking", ()), ("interrupted", ())]
FILM_SIZE = (100, 26)
FRAME = 2.2
"""Seconds that a picture of the film is seen."""


async def settle(app: ConsoleApp, timeout: float = 60.0, *, seq: int = 1) -> None:
    """Until the screen shows every event that was sent."""
    async with asyncio.timeout(timeout):
        while not (app.is_settled and app.state.seq >= seq):  # noqa: ASYNC110  # frames tell nobody that they were drawn
            await asyncio.sleep(0.01)


async def shoot(story: str, size: tuple[int, int], theme: str, keys: tuple[str, ...] = ()) -> str:
    """One screenshot as SVG."""
    app = ConsoleApp(
        ScriptedBackend(STORIES[story]().events),
        theme=theme,
        monotonic=lambda: 0.0,
        encoding="utf-8",
        scenarios=StillScenarios(weather_book()),
    )
    async with app.run_test(size=size) as pilot:
        await settle(app)
        await pilot.press(*keys)
        await pilot.pause()
        return app.export_screenshot(title=f"agent-console · {story}")


def film(frames: list[str]) -> str:
    """The pictures one after the other, over and over; one whose viewer wants no motion shows the last."""
    width, height = re.findall(r'viewBox="0 0 (\S+) (\S+)"', frames[0])[0]
    part = 100 / len(frames)
    style = [f".frame {{ animation: show {FRAME * len(frames):g}s step-end infinite; visibility: hidden }}"]
    style.append(f"@keyframes show {{ 0% {{ visibility: visible }} {part:g}% {{ visibility: hidden }} }}")
    style += [f".frame{n} {{ animation-delay: {n * FRAME:g}s }}" for n in range(len(frames))]
    still = f".frame {{ animation: none }} .frame{len(frames) - 1} {{ visibility: visible }}"
    style.append(f"@media (prefers-reduced-motion: reduce) {{ {still} }}")
    parts = [f'<g class="frame frame{n}">{_inside(frame)}</g>' for n, frame in enumerate(frames)]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">'
    return "\n".join([head, f"<style>{' '.join(style)}</style>", *parts, "</svg>", ""])


def _inside(frame: str) -> str:
    """A picture without fonts from elsewhere: those of the viewer do."""
    return re.sub(r"@font-face \{.*?\}", "", frame, flags=re.DOTALL)


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {f"{story}-{size[0]}x{size[1]}-{theme}": (story, size, theme, ()) for story, size, theme in SHOTS} | {
        f"panel-{panel}": (story, size, theme, keys) for story, panel, size, theme, keys in PANELS
    }
    for name, shot in pictures.items():
        (folder / f"{name}.svg").write_text(asyncio.run(shoot(*shot)))
        print(folder / f"{name}.svg")
    frames = [asyncio.run(shoot(story, FILM_SIZE, "nocturne", keys)) for story, keys in FILM]
    (folder / "film.svg").write_text(film(frames))
    print(folder / "film.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images"))
