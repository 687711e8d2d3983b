"""What each vendor's voices make of marks in a text, and what a language model is told of it.

Vocabularies are the vendors' own: https://docs.cartesia.ai (Sonic 3, SSML tags), https://docs.inworld.ai (steering),
https://docs.x.ai (text to speech), https://docs.fish.audio (emotions), https://ai.google.dev (speech generation).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

Sounds = dict[str, tuple[str, ...]]

_INTRODUCTION: Final = """\
Marks have one form: <expr type="TYPE" label="LABEL"/>. Use only the types and labels below. They are never read aloud.
Let the mark fit the moment: most sentences need at most one, a sad or urgent moment needs restraint, and the same mark
twice in a row wears off. Write the words as people say them, with contractions."""

_PACE: Final = {"500ms": "a short pause", "1s": "a longer one"}


@dataclass(frozen=True)
class Dialect:
    """How one vendor's voices are directed. A template has `{}` for the label; an empty one means that it can't."""

    expression: str = ""
    emotions: tuple[str, ...] = ()
    """The labels of an expression; empty for any words."""
    sound: str = ""
    sounds: Sounds = field(default_factory=dict)
    """Field of `NonverbalOptions` → the labels that it governs."""
    sound_names: Mapping[str, str] = field(default_factory=dict)
    """What a model may call a sound that the vendor calls otherwise."""
    pauses: tuple[str, str] = ("", "")
    """Templates of a pause shorter than a second, and of a longer one."""
    points: Mapping[str, str] = field(default_factory=dict)
    """Label of `prosody` that stands alone → the vendor's."""
    spans: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Label of `prosody` around words → what comes before and after them."""
    spell: tuple[str, str] = ("", "")
    tags: tuple[str, ...] = ()
    """The vendor's own marks in angle brackets, which a model may make up."""

    def point(self, kind: str, label: str) -> str:
        """A mark that stands alone."""
        if kind == "expression":
            return self.expression.format(label)
        if kind == "sound":
            return self.sound.format(self.sound_names.get(label.lower(), label))
        if kind == "break":
            return self.pauses[_seconds(label) >= 1.0].format(label)
        return self.points.get(label.lower(), "") if kind == "prosody" else ""

    def span(self, kind: str, label: str) -> tuple[str, str]:
        """Before and after the words that a mark encloses."""
        if kind == "spell":
            return self.spell
        if kind != "prosody":
            return "", ""
        return self.spans.get(label.lower().replace(" ", "-"), (self.points.get(label.lower(), ""), ""))

    def allowed_sounds(self, nonverbal: Any) -> list[str]:
        """The labels that `SpeechSteeringOptions["nonverbal_sounds"]` leaves: a bool, or a field → bool."""
        if nonverbal is False:
            return []
        off = {name for name, on in nonverbal.items() if not on} if isinstance(nonverbal, Mapping) else set()
        return [label for name, labels in self.sounds.items() if name not in off for label in labels]

    def guide(self, nonverbal: Any = None) -> str:
        """What a language model is told."""
        parts = [_INTRODUCTION]
        if self.expression:
            labels = (
                f"one of: {', '.join(self.emotions)}" if self.emotions else 'a few words, such as "a little amused"'
            )
            parts.append(
                '- Before a sentence, <expr type="expression" label="LABEL"/> gives its mood; LABEL is ' + labels + "."
            )
        if sounds := self.allowed_sounds(nonverbal):
            parts.append(
                '- Between sentences, <expr type="sound" label="LABEL"/> makes a sound, where a person really would; '
                f"LABEL is one of: {', '.join(sounds)}."
            )
        if any(self.pauses):
            times = " and ".join(f'<expr type="break" label="{time}"/> {what}' for time, what in _PACE.items())
            parts.append(f"- {times}; punctuation makes one already.")
        if self.points:
            parts.append(
                '- <expr type="prosody" label="LABEL"/> changes the pace or loudness from there on; LABEL is one of: '
                f"{', '.join(self.points)}."
            )
        if self.spans:
            parts.append(
                '- <expr type="prosody" label="LABEL">words</expr> speaks these words so; LABEL is one of: '
                f"{', '.join(self.spans)}."
            )
        if any(self.spell):
            parts.append('- <expr type="spell">A7X9</expr> reads a code or a name letter by letter.')
        return "\n".join(parts)


def _seconds(label: str) -> float:
    """Of `500ms` or `1.5s`; 0.0 for what is neither."""
    text = label.strip().lower()
    try:
        return float(text[:-2]) / 1000 if text.endswith("ms") else float(text.removesuffix("s"))
    except ValueError:
        return 0.0


def _own_tags(names: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    return {name: (f"<{name}>", f"</{name}>") for name in names}


_CARTESIA_EMOTIONS: Final = (
    "neutral",
    "angry",
    "excited",
    "content",
    "sad",
    "scared",
    "happy",
    "enthusiastic",
    "elated",
    "triumphant",
    "amazed",
    "surprised",
    "flirtatious",
    "curious",
    "peaceful",
    "serene",
    "calm",
    "grateful",
    "affectionate",
    "sympathetic",
    "mysterious",
    "frustrated",
    "disgusted",
    "sarcastic",
    "ironic",
    "dejected",
    "melancholic",
    "disappointed",
    "apologetic",
    "hesitant",
    "confused",
    "anxious",
    "panicked",
    "proud",
    "confident",
    "contemplative",
    "determined",
)
_XAI_SPANS: Final = (
    "emphasis",
    "whisper",
    "soft",
    "loud",
    "build-intensity",
    "decrease-intensity",
    "higher-pitch",
    "lower-pitch",
    "slow",
    "fast",
    "sing-song",
    "singing",
    "laugh-speak",
)
_XAI_MOODS: Final = (
    "happy",
    "sad",
    "angry",
    "excited",
    "calm",
    "surprised",
    "sympathetic",
    "curious",
    "sarcastic",
    "confident",
    "playful",
    "nervous",
)
_FISH_EMOTIONS: Final = (
    "regretful",
    "hopeful",
    "happy",
    "excited",
    "curious",
    "surprised",
    "sad",
    "empathetic",
    "sarcastic",
    "calm",
    "angry",
    "worried",
    "nervous",
    "confident",
    "grateful",
    "delighted",
    "disappointed",
    "frustrated",
    "determined",
)
_FISH_SOUNDS: Final[Sounds] = {
    "laughing": ("laughing", "chuckling"),
    "breathing": ("gasping",),
    "sighing": ("sighing",),
    "crying": ("sobbing",),
    "vocalizing": ("groaning",),
    "reflex_sounds": ("clear throat", "yawning"),
}
_FISH_NAMES: Final = {
    "laugh": "laughing",
    "chuckle": "chuckling",
    "sigh": "sighing",
    "gasp": "gasping",
    "groan": "groaning",
    "yawn": "yawning",
    "sob": "sobbing",
    "cry": "sobbing",
}
_GEMINI_SOUNDS: Final[Sounds] = {
    "laughing": ("laugh", "chuckle", "giggle"),
    "breathing": ("breath", "gasp"),
    "sighing": ("sigh",),
    "crying": ("cry",),
    "vocalizing": ("argh",),
    "reflex_sounds": ("cough",),
}

DIALECTS: Final[dict[str, Dialect]] = {
    "cartesia": Dialect(
        expression='<emotion value="{}"/>',
        emotions=_CARTESIA_EMOTIONS,
        pauses=('<break time="{}"/>', '<break time="{}"/>'),
        points={
            "slow": '<speed ratio="0.85"/>',
            "fast": '<speed ratio="1.2"/>',
            "soft": '<volume ratio="0.9"/>',
            "loud": '<volume ratio="1.3"/>',
        },
        spell=("<spell>", "</spell>"),
        tags=("emotion", "speed", "volume", "break", "spell"),
    ),
    "inworld": Dialect(
        expression="[{}]",
        sound="[{}]",
        sounds={
            "laughing": ("laugh",),
            "breathing": ("breathe",),
            "sighing": ("sigh",),
            "reflex_sounds": ("cough", "clear throat", "yawn"),
        },
        pauses=('<break time="{}"/>', '<break time="{}"/>'),
        tags=("expression", "sound", "break"),
    ),
    "xai": Dialect(
        sound="[{}]",
        sounds={
            "laughing": ("laugh", "chuckle", "giggle"),
            "breathing": ("breath", "inhale", "exhale"),
            "sighing": ("sigh",),
            "crying": ("cry",),
            "vocalizing": ("hum-tune",),
            "mouth_sounds": ("tsk", "tongue-click", "lip-smack"),
        },
        sound_names={"breathe": "breath"},
        pauses=("[pause]", "[long-pause]"),
        spans=_own_tags(_XAI_SPANS),
        tags=(*_XAI_MOODS, *_XAI_SPANS, "sound", "break"),
    ),
    "fishaudio": Dialect(
        expression="[very {}]",
        emotions=_FISH_EMOTIONS,
        sound="[{}]",
        sounds=_FISH_SOUNDS,
        sound_names=_FISH_NAMES,
        pauses=("[break]", "[long-break]"),
        spans={tone: (f"[{tone}] ", "") for tone in ("whispering", "soft", "shouting", "hurried", "emphasis")},
        tags=("expression", "sound", "break", "emphasis"),
    ),
    "fishaudio_drama": Dialect(
        expression="[{}]",
        sound="[{}]",
        sounds=_FISH_SOUNDS,
        sound_names=_FISH_NAMES,
        pauses=("[short pause]", "[pause]"),
        spans=_own_tags(("whisper", "soft", "slow", "fast", "emphasis")),
        tags=("expression", "sound", "break", "whisper", "soft", "slow", "fast", "emphasis"),
    ),
    "gemini": Dialect(
        # Its plugins take the mood out of the text and send it beside.
        expression='<expr type="expression" label="{}"/>',
        sound="<{}>",
        sounds=_GEMINI_SOUNDS,
        sound_names={"breathe": "breath", "laughing": "laugh", "sighing": "sigh", "gasping": "gasp", "groan": "argh"},
        pauses=("<short pause>", "<short pause>"),
        tags=("short pause", *(label for labels in _GEMINI_SOUNDS.values() for label in labels)),
    ),
}
"""`TTS.Markup._provider_key` → what it stands for."""
