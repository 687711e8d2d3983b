"""Names of languages, brought to one form."""

from __future__ import annotations

from typing import Any, Final

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

_TABLE: Final = """
af afr afrikaans|am amh amharic|ar ara arabic|az aze azerbaijani|be bel belarusian|bg bul bulgarian|bn ben bengali
bs bos bosnian|ca cat catalan|cs ces czech|cy cym welsh|da dan danish|de deu german|el ell greek|en eng english
es spa spanish|et est estonian|eu eus basque|fa fas persian|fi fin finnish|fr fra french|ga gle irish|gl glg galician
gu guj gujarati|he heb hebrew|hi hin hindi|hr hrv croatian|hu hun hungarian|hy hye armenian|id ind indonesian
is isl icelandic|it ita italian|ja jpn japanese|ka kat georgian|kk kaz kazakh|km khm khmer|kn kan kannada|ko kor korean
lo lao lao|lt lit lithuanian|lv lav latvian|mk mkd macedonian|ml mal malayalam|mn mon mongolian|mr mar marathi
ms msa malay|mt mlt maltese|my mya burmese|ne nep nepali|nl nld dutch|no nor norwegian|pa pan punjabi|pl pol polish
pt por portuguese|ro ron romanian|ru rus russian|si sin sinhala|sk slk slovak|sl slv slovenian|so som somali
sq sqi albanian|sr srp serbian|sv swe swedish|sw swa swahili|ta tam tamil|te tel telugu|th tha thai|tl tgl tagalog
tr tur turkish|uk ukr ukrainian|ur urd urdu|uz uzb uzbek|vi vie vietnamese|zh zho chinese|zu zul zulu
"""
"""ISO 639-1, ISO 639-3 and English name of the languages that recognisers and voices know."""

_ROWS: Final = [row.split() for line in _TABLE.split("\n") for row in line.split("|") if row]
_SHORT: Final = {name: short for short, *names in _ROWS for name in names} | {"cmn": "zh", "mandarin": "zh"}
_NAMES: Final = {short: name for short, _, name in _ROWS}


class LanguageCode(str):
    """A BCP-47 tag with the usual casing: `english`, `eng` and `EN` are `en`; `EN_us` is `en-US`.

    What isn't known is kept in lower case.
    """

    def __new__(cls, code: str) -> LanguageCode:
        """Make one of a tag, an ISO 639 code or an English name."""
        first, *rest = code.strip().lower().replace("_", "-").split("-")
        if not rest:
            return super().__new__(cls, _SHORT.get(first, first))
        # A script has four letters and a capital; a region is in capitals.
        tags = [tag.capitalize() if len(tag) == 4 else tag.upper() for tag in rest]
        return super().__new__(cls, "-".join([first, *tags]))

    @property
    def language(self) -> str:
        """The language alone, as ISO 639-1 where it has such a code: `zh` of `cmn-Hans-CN`."""
        first = self.partition("-")[0]
        return _SHORT.get(first, first)

    @property
    def region(self) -> str | None:
        """The region alone: `US` of `en-US`."""
        return next((tag for tag in self.split("-")[1:] if len(tag) == 2), None)

    @property
    def iso(self) -> str:
        """Language and region, without script: `zh-CN` of `cmn-Hans-CN`."""
        return f"{self.language}-{self.region}" if self.region else self.language

    def to_language_name(self) -> str | None:
        """The language's English name, in lower case; None if it isn't known."""
        return _NAMES.get(self.language)

    @classmethod
    def __get_pydantic_core_schema__(cls, source_type: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read from any of the forms, written as a plain string."""
        return core_schema.no_info_after_validator_function(
            cls, core_schema.str_schema(), serialization=core_schema.to_string_ser_schema()
        )
