"""/healthz: a deaf operator is not healthy, a quiet cluster is no deafness; what /metrics adds."""

from prometheus_client import generate_latest

from qwen_operator.loops.hearing import DEAF_SWEEPS, STUCK_SECONDS, Hearing
from qwen_operator.loops.meters import MeteredScraper, Meters
from qwen_operator.loops.queue import Queue
from qwen_operator.naming import Key
from qwen_operator.triton.metrics import Reading
from tests.unit.stand_ins import HandClock, ScriptedPods


def swept(*rounds: tuple[int, int]) -> str | None:
    """The complaint after rounds of (events heard, changes that the sweep found)."""
    hearing = Hearing()
    for events, changes in rounds:
        for _ in range(events):
            hearing.heard()
        hearing.swept(changes)
    return hearing.complaint(0)


def test_sweeps_that_find_what_no_watch_told_of_mean_deafness() -> None:
    assert swept(*[(0, 3)] * (DEAF_SWEEPS - 1)) is None
    assert "deaf" in str(swept(*[(0, 3)] * DEAF_SWEEPS))


def test_a_quiet_cluster_and_a_lively_one_are_no_deafness() -> None:
    assert swept(*[(0, 0)] * 9) is None
    assert swept(*[(5, 1)] * 9) is None


def test_hearing_again_ends_the_complaint() -> None:
    assert swept((0, 3), (0, 3), (1, 3)) is None


def test_a_resource_that_nobody_takes_is_a_complaint() -> None:
    assert Hearing().complaint(STUCK_SECONDS) is None
    assert "nothing is worked on" in str(Hearing().complaint(STUCK_SECONDS + 1))


def test_the_queue_tells_how_long_its_oldest_has_been_due() -> None:
    clock = HandClock()
    queue = Queue(clock)
    assert queue.oldest == 0
    queue.poke(Key("a", "b"), 5)
    clock.now += 4
    assert queue.oldest == 0
    clock.now += 4
    queue.poke(Key("a", "c"))
    assert queue.oldest == 3


def test_resources_are_counted_by_reason_at_the_moment_of_asking() -> None:
    meters, reasons = Meters(), ["Serving", "Serving", "WaitingForGPU"]
    meters.count_resources(lambda: iter(reasons))
    page = generate_latest(meters.registry).decode()
    assert 'qwen_operator_resources{reason="Serving"} 2.0' in page
    reasons.remove("WaitingForGPU")
    assert "WaitingForGPU" not in generate_latest(meters.registry).decode()


def test_requests_are_counted_by_verb_kind_and_answer() -> None:
    meters = Meters()
    meters.requested("apply", "Deployment", 200)
    page = generate_latest(meters.registry).decode()
    assert 'qwen_operator_api_requests_total{code="200",kind="Deployment",verb="apply"} 1.0' in page


async def test_readings_are_timed_and_failures_counted() -> None:
    meters, pods = Meters(), ScriptedPods()
    pods.readings["here"] = Reading(up=True, heartbeat=1.0)
    scraper = MeteredScraper(pods, meters)
    assert await scraper.read("here") == pods.readings["here"]
    assert await scraper.read("gone") is None
    page = generate_latest(meters.registry).decode()
    assert "qwen_operator_scrape_duration_seconds_count 2.0" in page
    assert "qwen_operator_scrape_failures_total 1.0" in page
