"""What a package of providers tells of itself when it is imported."""

from __future__ import annotations

import logging
from typing import ClassVar, Literal

from agent_runtime.utils import EventEmitter


class Plugin:
    """Subclassed by packages of providers; an instance is registered when the package is imported."""

    registered_plugins: ClassVar[list[Plugin]] = []
    emitter: ClassVar[EventEmitter[Literal["plugin_registered"]]] = EventEmitter()

    def __init__(self, title: str, version: str, package: str, logger: logging.Logger | None = None) -> None:
        self.title = title
        self.version = version
        self.package = package
        self.logger = logger

    @classmethod
    def register_plugin(cls, plugin: Plugin) -> None:
        """Add it to `registered_plugins`; any thread may do so, since an agent's file is loaded off the main one."""
        Plugin.registered_plugins.append(plugin)
        Plugin.emitter.emit("plugin_registered", plugin)

    def download_files(self) -> None:
        """Get the weights that it needs; nothing, unless a plugin overrides it."""
