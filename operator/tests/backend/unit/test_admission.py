from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen_triton.admission import Admission
from qwen_triton.refusals import Unavailable


def test_without_a_bound_all_may_wait() -> None:
    Admission(running=1, queued=None).check(10**6)


def test_a_full_queue_is_told_with_its_length_and_the_limit() -> None:
    admission = Admission(running=4, queued=2)
    admission.check(unfinished=5)
    with pytest.raises(Unavailable, match="queue is full: 2 requests wait for the 4 that run at"):
        admission.check(unfinished=6)
    with pytest.raises(Unavailable, match="max_queued_requests is 2;"):
        admission.check(unfinished=6)


def test_each_answer_of_a_request_takes_a_place() -> None:
    admission = Admission(running=4, queued=0)
    admission.check(unfinished=1, answers=3)
    with pytest.raises(Unavailable):
        admission.check(unfinished=1, answers=4)


def test_a_request_greater_than_all_places_is_taken_when_it_is_alone() -> None:
    Admission(running=2, queued=0).check(unfinished=0, answers=8)


def test_an_instance_says_whose_limit_it_shares() -> None:
    admission = Admission(running=4, queued=3, instance=1, instances=2)
    with pytest.raises(Unavailable, match=r"is 1 \(of 3, shared by 2 instances\)"):
        admission.check(unfinished=3)


@given(st.integers(1, 300), st.integers(0, 300), st.integers(1, 9))
def test_the_instances_together_take_what_one_would(
    running: int, queued: int, instances: int
) -> None:
    def places(instance: int) -> int:
        admission = Admission(running, queued, instance, instances)
        for taken in range(running + queued + 1):
            try:
                admission.check(taken)
            except Unavailable:
                return taken
        raise AssertionError("an instance took more than all of them may")

    # Its first request an instance always takes.
    shares = [max(1, places(instance)) for instance in range(instances)]
    firsts = sum((running // instances, queued // instances) == (0, 0) for _ in range(instances))
    assert abs(sum(shares) - (running + queued)) <= firsts
    assert max(shares) - min(shares) <= 2
