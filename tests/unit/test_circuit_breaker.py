from agent_runtime.utils.circuit_breaker import CircuitBreaker


class HandClock:
    def __init__(self):
        self.time = 100.0

    def now(self):
        return self.time

    def wall(self):
        raise AssertionError("a pause isn't measured by the calendar")


def breaker(**options):
    clock = HandClock()
    return CircuitBreaker(clock=clock, **options), clock


def test_it_starts_closed():
    circuit, _ = breaker()
    assert circuit.available
    assert circuit.state == "closed"
    assert not circuit.begin_probe()
    assert not circuit.record_success()


def test_one_failure_opens_it():
    circuit, _ = breaker()
    assert circuit.record_failure()
    assert not circuit.available
    assert not circuit.record_failure()


def test_the_first_probe_comes_at_once_and_closes_it():
    circuit, _ = breaker()
    circuit.record_failure()
    assert circuit.begin_probe()
    assert circuit.state == "half_open"
    assert not circuit.available
    assert circuit.record_success()
    assert circuit.available


def test_there_is_one_probe_at_a_time():
    circuit, _ = breaker()
    circuit.record_failure()
    assert circuit.begin_probe()
    assert not circuit.begin_probe()


def test_pauses_between_probes_double_up_to_a_limit():
    circuit, clock = breaker(cooldown=1.0, max_cooldown=5.0)
    circuit.record_failure()
    pauses = []
    for _ in range(5):
        assert circuit.begin_probe()
        assert not circuit.record_failure()
        failed_at = clock.time
        while not circuit.begin_probe():
            clock.time += 0.25
        pauses.append(clock.time - failed_at)
        circuit.abandon_probe()
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]


def test_success_forgets_the_pauses():
    circuit, clock = breaker(cooldown=1.0)
    circuit.record_failure()
    for _ in range(3):
        clock.time += 60
        assert circuit.begin_probe()
        circuit.record_failure()
    circuit.record_success()
    circuit.record_failure()
    assert circuit.begin_probe()
    circuit.record_failure()
    clock.time += 1.0
    assert circuit.begin_probe()


def test_a_probe_that_was_given_up_may_be_made_again():
    circuit, _ = breaker()
    circuit.record_failure()
    circuit.begin_probe()
    circuit.abandon_probe()
    assert circuit.state == "open"
    assert circuit.begin_probe()


def test_giving_up_without_a_probe_changes_nothing():
    circuit, _ = breaker()
    circuit.abandon_probe()
    assert circuit.available
