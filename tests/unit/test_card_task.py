"""A payment card is asked for in steps, checked, and never said back."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent_runtime import AgentTask
from agent_runtime.testing import Answer, in_virtual_time
from agent_runtime.workflows import (
    CardCaptureDeclinedError,
    CardCollectionRestartError,
    GetCardNumberResult,
    GetCardNumberTask,
    GetCreditCardResult,
    GetCreditCardTask,
    GetExpirationDateTask,
    GetSecurityCodeTask,
)
from tests.unit.test_workflows import ASK, note, outcome

VISA = "4111 1111-1111 1111"
NUMBER = "4111111111111111"


@pytest.mark.parametrize(
    ("number", "issuer"),
    [
        (VISA, "Visa"),
        ("378282246310005", "American Express"),
        ("5555555555554444", "Mastercard"),
        ("2223003122003222", "Other"),
    ],
)
@in_virtual_time
async def test_a_typed_number_is_checked_and_taken(number, issuer):
    found, _ = await outcome(GetCardNumberTask(), note("update_card_number", card_number=number))
    assert found == GetCardNumberResult(issuer, number.replace(" ", "").replace("-", ""))
    assert found.card_number not in repr(found)


@pytest.mark.parametrize(
    ("task", "tool", "arguments", "problem"),
    [
        (GetCardNumberTask, "update_card_number", {"card_number": "4111"}, "4 digits are no card's number"),
        (GetCardNumberTask, "update_card_number", {"card_number": NUMBER[:-1] + "2"}, "one digit is wrong"),
        (
            GetExpirationDateTask,
            "update_expiration_date",
            {"expiration_month": 13, "expiration_year": 40},
            "no such month",
        ),
        (GetExpirationDateTask, "update_expiration_date", {"expiration_month": 1, "expiration_year": 20}, "any more"),
        (GetSecurityCodeTask, "update_security_code", {"security_code": "12"}, "three or four digits"),
    ],
)
@in_virtual_time
async def test_what_cant_be_is_asked_for_again(task, tool, arguments, problem):
    found, outputs = await outcome(task(), note(tool, **arguments))
    assert found is None
    assert problem in outputs[0]
    assert not any(str(value) in outputs[0] for value in arguments.values() if len(str(value)) > 4)


@in_virtual_time
async def test_spoken_it_is_said_twice_and_never_read_back():
    found, outputs = await outcome(
        GetCardNumberTask(),
        note("update_card_number", card_number=NUMBER),
        Answer("Once more, please?"),
        note("confirm_card_number", repeated_card_number="4222222222222"),
        Answer("Again?"),
        note("confirm_card_number", repeated_card_number=VISA),
        said=3,
        modality="audio",
    )
    assert found.card_number == NUMBER
    assert "without saying it" in outputs[0]
    assert "another card number than before" in outputs[1]
    assert not any("4111" in output for output in outputs)


@in_virtual_time
async def test_dates_and_codes_are_said_twice_too():
    year = date.today().year + 1
    found, _ = await outcome(
        GetExpirationDateTask(require_confirmation=True),
        note("update_expiration_date", expiration_month=4, expiration_year=year),
        Answer("Once more?"),
        note("confirm_expiration_date", repeated_expiration_month=4, repeated_expiration_year=year % 100),
        said=2,
    )
    assert found.date == f"04/{year % 100:02d}"
    found, _ = await outcome(
        GetSecurityCodeTask(require_confirmation=True),
        note("update_security_code", security_code="012"),
        Answer("Once more?"),
        note("confirm_security_code", repeated_security_code="0 1 2"),
        said=2,
    )
    assert found.security_code == "012"


@pytest.mark.parametrize(
    ("tool", "error"),
    [("decline_card_capture", CardCaptureDeclinedError), ("restart_card_collection", CardCollectionRestartError)],
)
@in_virtual_time
async def test_a_step_can_be_left(tool, error):
    found, _ = await outcome(GetSecurityCodeTask(), note(tool, reason="no card here"))
    assert type(found) is error
    assert found.reason == "no card here"


def whole(*, first: list[Answer]) -> tuple[AgentTask[Any], list[Answer]]:
    answers = [
        *first,
        note("update_card_number", card_number=NUMBER),
        ASK,
        note("update_expiration_date", expiration_month=4, expiration_year=99),
        ASK,
        note("update_security_code", security_code="1234"),
        ASK,
        note("update_name", first_name="Ada", last_name="King"),
    ]
    return GetCreditCardTask(), answers


@in_virtual_time
async def test_all_of_a_card_is_collected_step_by_step():
    task, answers = whole(first=[])
    found, _ = await outcome(task, *answers, said=4)
    assert found == GetCreditCardResult("Ada King", "Visa", NUMBER, "1234", "04/99")
    assert NUMBER not in repr(found)
    assert "1234" not in repr(found)


@in_virtual_time
async def test_the_user_may_begin_again():
    mistaken = [
        note("update_card_number", card_number="5555555555554444"),
        ASK,
        note("restart_card_collection", reason="wrong card"),
        ASK,
    ]
    task, answers = whole(first=mistaken)
    found, _ = await outcome(task, *answers, said=6)
    assert found.issuer == "Visa"


@in_virtual_time
async def test_a_user_who_declines_a_step_declines_the_card():
    answers = [note("update_card_number", card_number=NUMBER), ASK, note("decline_card_capture", reason="not by phone")]
    found, _ = await outcome(GetCreditCardTask(), *answers, said=2)
    assert isinstance(found, CardCaptureDeclinedError)
    assert "not by phone" in str(found)


@given(st.text("0123456789", min_size=12, max_size=18), st.integers(0, 9))
def test_of_ten_last_digits_one_fits(number, wrong):
    task = GetCardNumberTask()
    fitting = [digit for digit in "0123456789" if task.validate_card_number(number + digit)]
    assert len(fitting) == 1
    assert not task.validate_card_number("")
    assert not task.validate_card_number(f"{number} {wrong}")
