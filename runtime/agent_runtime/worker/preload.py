"""What all of a worker's processes need, imported once by the process that they are forked from.

Nothing of it may start a thread: that wouldn't survive the fork.
"""

from __future__ import annotations

import gc
import logging
import multiprocessing.spawn
import os
import sys

import livekit.protocol.agent  # noqa: F401 (a job comes as its message)

import agent_runtime.host.tracing
import agent_runtime.room
import agent_runtime.voice.session
import agent_runtime.voice.transforms
import agent_runtime.worker.job_main  # noqa: F401  # so that no job has to import it
from agent_runtime import compat
from agent_runtime.lazy_model import build_models
from agent_runtime.worker.preload_names import COMPAT_VARIABLE, MAIN_VARIABLE, PATH_VARIABLE


def _import_main(path: str) -> None:
    sys.path[:] = os.environ.get(PATH_VARIABLE, "").split(os.pathsep)
    try:
        multiprocessing.spawn.import_main_path(path)
    except Exception:
        logging.getLogger(__name__).debug("%s isn't shared", path, exc_info=True)  # each process tells its failure


build_models()
if os.environ.get(COMPAT_VARIABLE):
    compat.install()
if found := os.environ.get(MAIN_VARIABLE):
    _import_main(found)
gc.collect()
gc.freeze()  # what is frozen is never written to by the collector: its pages stay shared
