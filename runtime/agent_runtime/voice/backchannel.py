"""Whether somebody who speaks over the agent wants the floor, or only says that they listen."""

from __future__ import annotations

from itertools import groupby
from typing import Final, Protocol, runtime_checkable

from agent_runtime.voice.words import split_words

LONGEST: Final = 1.0
"""Seconds that a sound without recognised words may last; a longer one is somebody who speaks."""
PER_WORD: Final = 0.5
"""Seconds more for each word of a backchannel."""

_LISTENING: Final = """
mm, hm, mhm, mm hm, m hm, uh, uh huh, um, aha, ah, oh, ooh, wow, huh, yeah, yes, yep, yup, ok, okay, right, sure
alright, all right, i see, got it, gotcha, makes sense, that makes sense, of course, true, exactly, cool
nice, great, good, fine, absolutely, definitely, totally, indeed, fair enough, that's right, that's true, sounds good
really, understood, go on, go ahead, keep going, i know, i understand, i hear you, very good, interesting, perfect
ja, genau, stimmt, klar, alles klar, verstehe, ach so, achso, gut, sehr gut, naja, richtig, natürlich, na klar
oui, ouais, d'accord, bien sûr, tout à fait, je vois, c'est ça, exactement, super, très bien, ah bon, voilà
si, sí, claro, vale, ya, ajá, bueno, bien, de acuerdo, entiendo, ya veo, perfecto, exacto, eso es, por supuesto
sì, certo, esatto, va bene, capisco, giusto, bene, perfetto, ho capito, già
sim, tá, tá bom, certo, entendi, isso, pois é, está bem, tudo bem, beleza
oké, precies, klopt, goed, inderdaad, snap ik, natuurlijk, okej, just det, precis, visst, nettopp, akkurat
tak, dobrze, jasne, rozumiem, racja, oczywiście, no tak
да, ага, угу, понятно, ясно, хорошо, конечно, точно, верно, понимаю, так, добре, зрозуміло, звісно
evet, tamam, hı hı, anladım, tabii, peki, हाँ, हां, जी, ठीक है, अच्छा, बिल्कुल, सही
نعم, اه, ايوه, تمام, طيب, صحيح, مفهوم, حسنا
うん, はい, ええ, そう, そうですね, そうですか, なるほど, そっか, へえ, わかりました, ふーん
嗯, 对, 是, 好, 好的, 是的, 对的, 明白, 知道了, 没错, 哦, 啊, 嗯哼, 行, 可以
네, 예, 응, 그래, 그래요, 그렇군요, 맞아요, 알겠어요, 아, 음, 좋아요
"""  # noqa: RUF001  # letters of other scripts, meant as they are
"""Phrases of listeners, of any language: what they say when they don't want the floor."""


@runtime_checkable
class InterruptionDetector(Protocol):
    """Judges speech over the agent's; give one as `turn_handling["interruption"]["mode"]`.

    One that has a `provider` is named with it in `InterruptionMetrics`.
    It is asked at every window of voice and every transcript, on the session's loop, so it must answer at once. A model
    that runs elsewhere answers with the latest that it knows.
    """

    @property
    def model(self) -> str:
        """Name of the model."""
        ...

    @property
    def threshold(self) -> float:
        """From this probability on the agent stops."""
        ...

    def probability(self, text: str, voiced: float) -> float:
        """How likely, 0 to 1, a user wants the floor who said `text` (empty: nothing yet) in `voiced` seconds."""
        ...


class WordsAndLength:
    """Goes by the words where they are recognised, and by the length of the sound where they aren't.

    A backchannel is made of nothing but the phrases of a short list in some 15 languages ("mm-hm", "okay", "I see",
    "genau", "d'accord", "うん"). One word beside them ("yeah, stop") makes it an interruption.
    """

    model = "words-and-length"
    provider = "embedded"
    threshold = 0.5

    def probability(self, text: str, voiced: float) -> float:
        """See the class and `InterruptionDetector`."""
        if text and not is_backchannel(text):
            return 0.95
        allowed = LONGEST + PER_WORD * len(_words(text))
        return min(0.9, self.threshold * voiced / allowed)


def is_backchannel(text: str) -> bool:
    """Whether `text` says no more than "I'm listening", in any of the languages of the list."""
    words, place = _words(text), 0
    while place < len(words):
        for length in range(min(_LONGEST_PHRASE, len(words) - place), 0, -1):
            if tuple(words[place : place + length]) in _PHRASES:
                place += length
                break
        else:
            return False
    return bool(words)


def _words(text: str) -> list[str]:
    # Drawn-out letters are one: "mmm", "yeahhh", "okaay".
    return [
        "".join(letter for letter, _ in groupby(word)) for word in split_words(text.casefold().replace("\u2019", "'"))
    ]


_PHRASES: Final = frozenset(tuple(_words(phrase)) for phrase in _LISTENING.replace("\n", ",").split(",") if phrase)
_LONGEST_PHRASE: Final = max(map(len, _PHRASES))
