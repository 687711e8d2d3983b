"""The panels, a file each: whichever module in this package has a `PANEL` is one."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

from agent_console.keys import ACTIONS, Action
from agent_console.widgets.panel_view import PanelSpec


@cache
def panels() -> tuple[PanelSpec, ...]:
    """Every panel, in the order of their keys on a keyboard: 0 comes after 9."""
    modules = [import_module(f"{__name__}.{module.name}") for module in pkgutil.iter_modules(__path__)]
    return tuple(sorted((module.PANEL for module in modules), key=lambda spec: spec.key.replace("0", "9+")))


@cache
def screen_actions() -> tuple[Action, ...]:
    """What a person can do wherever the keyboard is: the console's own actions and one for each panel."""
    return (*ACTIONS, *(spec.action for spec in panels()))


@cache
def every_action() -> tuple[Action, ...]:
    """Those, and what panels do with keys of their own."""
    return (*screen_actions(), *(action for spec in panels() for action in spec.keys))
