"""A screen that panels live on: what they may know and ask of it, passed on from the app."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agent_console.screens.scrolling import ScrollingScreen

if TYPE_CHECKING:
    from agent_console.app import ConsoleApp
    from agent_console.backend import Backend
    from agent_console.drawing.health import Drawing
    from agent_console.scenario_runs import ScenarioRuns
    from agent_console.state.budgets import Budgets
    from agent_console.state.spending import Prices


class HostingScreen(ScrollingScreen):
    """The part of `PanelHost` that is the app's."""

    _host: ConsoleApp

    @property
    def backend(self) -> Backend:
        """See `PanelHost.backend`."""
        return self._host.backend

    @property
    def keymap_in_use(self) -> Mapping[str, str]:
        """See `PanelHost.keymap_in_use`."""
        return self._host.keymap_in_use

    @property
    def budgets(self) -> Budgets:
        """See `PanelHost.budgets`."""
        return self._host.budgets

    @property
    def prices(self) -> Prices:
        """See `PanelHost.prices`."""
        return self._host.prices

    @property
    def scenarios(self) -> ScenarioRuns | None:
        """See `PanelHost.scenarios`."""
        return self._host.scenarios

    @property
    def drawing(self) -> Drawing:
        """See `PanelHost.drawing`."""
        return self._host.drawing
