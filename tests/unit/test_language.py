"""Names of languages come to one form."""

import pytest
from pydantic import BaseModel, ValidationError

from agent_runtime.language import _NAMES, _SHORT, LanguageCode


@pytest.mark.parametrize(
    ("given", "code", "language", "region", "iso", "name"),
    [
        ("english", "en", "en", None, "en", "english"),
        ("ENG", "en", "en", None, "en", "english"),
        (" en ", "en", "en", None, "en", "english"),
        ("EN_us", "en-US", "en", "US", "en-US", "english"),
        ("cmn-hans-cn", "cmn-Hans-CN", "zh", "CN", "zh-CN", "chinese"),
        ("zh-Hant", "zh-Hant", "zh", None, "zh", "chinese"),
        ("multi", "multi", "multi", None, "multi", None),
        ("", "", "", None, "", None),
    ],
)
def test_forms_of_a_language(given, code, language, region, iso, name):
    found = LanguageCode(given)
    assert (found, found.language, found.region, found.iso) == (code, language, region, iso)
    assert found.to_language_name() == name
    assert LanguageCode(found) == found


def test_the_table_is_whole():
    assert len(_NAMES) == 75
    for short, name in _NAMES.items():
        assert len(short) == 2
        assert _SHORT[name] == short
    assert set(_SHORT.values()) == set(_NAMES)


def test_in_a_model():
    class Heard(BaseModel):
        language: LanguageCode

    heard = Heard(language="German")
    assert heard.language == "de"
    assert isinstance(heard.language, LanguageCode)
    assert heard.model_dump_json() == '{"language":"de"}'
    with pytest.raises(ValidationError):
        Heard(language=3)
