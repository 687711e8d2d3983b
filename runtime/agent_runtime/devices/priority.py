"""Let the threads that move sound run before others."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

NICENESS = -11
"""What sound servers give their own threads. A limit of `nice` for the user's group lets us do the same."""
PRIORITY = 5
"""Among threads that wait for no other: what sound servers take as well, where `rtprio` lets them."""


@contextlib.contextmanager
def first_in_line() -> Iterator[None]:
    """Threads that are made inside run before others, and the caller too until it leaves.

    A sound library makes several: PortAudio one that calls back, ALSA's way to PulseAudio one that talks to the server.
    Whichever is late makes a gap. macOS and Windows do that by themselves, Linux only where it is allowed.
    """
    if sys.platform != "linux":
        yield
        return
    thread = threading.get_native_id()
    niceness = os.getpriority(os.PRIO_PROCESS, thread)
    policy, parameters = os.sched_getscheduler(thread), os.sched_getparam(thread)
    with contextlib.ExitStack() as afterwards:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, NICENESS)
            afterwards.callback(os.setpriority, os.PRIO_PROCESS, thread, niceness)
        with contextlib.suppress(OSError):
            os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(PRIORITY))
            afterwards.callback(os.sched_setscheduler, thread, policy, parameters)
        yield
