import functools

import pytest

from agent_runtime.utils import EventEmitter, shortuuid, time_ms


def test_callbacks_run_in_the_order_of_their_registration():
    emitter, seen = EventEmitter(), []
    emitter.on("a", lambda x: seen.append(("first", x)))
    emitter.on("a", lambda x: seen.append(("second", x)))
    emitter.on("b", lambda x: seen.append(("other", x)))
    emitter.emit("a", 1)
    emitter.emit("nobody", 2)
    assert seen == [("first", 1), ("second", 1)]


def test_a_callback_takes_as_many_arguments_as_it_wants():
    emitter, seen = EventEmitter(), []

    class Listener:
        def one(self, a):
            seen.append(("one", a))

    emitter.on("e", lambda: seen.append(()))
    emitter.on("e", Listener().one)
    emitter.on("e", lambda a, b=0: seen.append((a, b)))
    emitter.on("e", lambda *args: seen.append(args))
    emitter.on("e", functools.partial(lambda x, a: seen.append((x, a)), "bound"))
    emitter.on("e", seen.append)
    emitter.emit("e", 1, 2)
    assert seen == [(), ("one", 1), (1, 2), (1, 2), ("bound", 1), 1]


def test_decorators():
    emitter, seen = EventEmitter(), []

    @emitter.on("e")
    def always(x):
        seen.append(("always", x))

    @emitter.once("e")
    def first(x):
        seen.append(("once", x))

    emitter.emit("e", 1)
    emitter.emit("e", 2)
    assert seen == [("always", 1), ("once", 1), ("always", 2)]
    always(3)
    first(4)
    assert seen[-2:] == [("always", 3), ("once", 4)]


def test_once_is_once_even_if_it_emits_again():
    emitter, seen = EventEmitter(), []

    def callback(x):
        seen.append(x)
        emitter.emit("e", x + 1)

    emitter.once("e", callback)
    emitter.emit("e", 1)
    assert seen == [1]
    assert not emitter.has_listeners("e")


def test_off():
    emitter, seen = EventEmitter(), []
    callback = emitter.on("e", seen.append)
    registered = emitter.once("e", lambda x: seen.append(x))
    emitter.off("e", callback)
    emitter.off("e", registered)
    emitter.off("e", callback)
    emitter.off("unknown", callback)
    emitter.emit("e", 1)
    assert seen == []


def test_registering_twice_counts_once():
    emitter, seen = EventEmitter(), []
    emitter.on("e", seen.append)
    emitter.on("e", seen.append)
    emitter.emit("e", 1)
    assert seen == [1]


def test_a_callback_that_fails_is_logged_and_the_others_run(caplog):
    emitter, seen = EventEmitter(), []

    def broken(x):
        raise TypeError("oops")

    emitter.on("e", broken)
    emitter.on("e", seen.append)
    emitter.emit("e", 1)
    assert seen == [1]
    assert "the event 'e' failed" in caplog.text
    assert "oops" in caplog.text


def test_a_callback_may_change_who_listens():
    emitter, seen = EventEmitter(), []

    def callback(x):
        seen.append(x)
        emitter.off("e", callback)
        emitter.on("e", seen.append)

    emitter.on("e", callback)
    emitter.emit("e", 1)
    emitter.emit("e", 2)
    assert seen == [1, 2]


def test_a_coroutine_function_is_refused():
    async def callback():
        pass

    with pytest.raises(ValueError, match=r"'callback' is a coroutine function.*create_task"):
        EventEmitter().on("e", callback)


def test_short_ids():
    ids = {shortuuid("item_") for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(item) for item in ids} == {len("item_") + 12}
    assert all(item.startswith("item_") for item in ids)


def test_time_ms(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1.2345)
    assert time_ms() == 1234
