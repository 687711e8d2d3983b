"""What processes need besides `preload` where the settings name their sessions' parts; imported once, before any fork.

As there, nothing of it may start a thread.
"""

from __future__ import annotations

import gc

import agent_runtime.host.providers
import agent_runtime.host.turn_taking
import agent_runtime.providers.embedded.llm
import agent_runtime.providers.embedded.stt
import agent_runtime.providers.embedded.tts
import agent_runtime.providers.embedded.turn_detector
import agent_runtime.worker.agent_file  # noqa: F401 (all of them are for who is forked)
from agent_runtime.lazy_model import build_models

build_models()
gc.collect()
gc.freeze()
