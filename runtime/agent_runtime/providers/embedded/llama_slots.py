"""Which of a language model's slots a prompt goes to: the one that has read the most of it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable


class Slots:
    """Slots for prompts of one kind. From any thread.

    Args:
        numbers: llama.cpp's numbers of them.
        may_be_lost: characters of a slot's prompt that may be read anew; for more, a prompt takes another slot.
    """

    def __init__(self, numbers: Iterable[int], may_be_lost: int) -> None:
        self._may_be_lost = may_be_lost
        self._lock = threading.Lock()
        self._prompts = dict.fromkeys(numbers, "")
        self._holders: dict[int, object] = {}

    def take(self, prompt: str, holder: object = None) -> int:
        """The slot for a conversation's next prompt: the one that holds its last, else the one unused for longest.

        A slot holds it if little of what was read there is lost: a user who is still speaking changes the end of the
        prompt, another conversation nearly all. Those of different holders never take turns on one slot while another
        is free, however alike they begin.
        """

        def lost(slot: int) -> int:
            before = self._prompts[slot]
            pairs = zip(before, prompt, strict=False)
            return len(before) - sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))

        with self._lock:
            used = [slot for slot, before in self._prompts.items() if before and self._holders[slot] is holder]
            slot = min(used, key=lost, default=None)
            if slot is None or lost(slot) > self._may_be_lost:
                slot = next(iter(self._prompts))
            self._prompts.pop(slot)  # and to the end: the order is that of use
            self._prompts[slot] = prompt
            self._holders[slot] = holder
            return slot
