"""The queue: no wish is lost, none is worked on twice at once, the earliest wish counts."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from qwen_operator.loops.queue import TOGETHER_SECONDS, Queue
from qwen_operator.naming import Key
from tests.unit.stand_ins import HandClock

A, B = Key("models", "a"), Key("models", "b")
KEYS = st.sampled_from([Key("models", name) for name in "abcd"])
STEPS = st.lists(
    st.tuples(st.sampled_from(["poke", "again"]), KEYS, st.sampled_from([0.0, 1.0, 5.0]))
    | st.tuples(st.just("done"), KEYS, st.just(0.0))
    | st.tuples(st.just("take"), KEYS, st.just(0.0))
    | st.tuples(st.just("wait"), KEYS, st.sampled_from([0.5, 1.0, 7.0])),
    max_size=40,
)


@given(STEPS)
async def test_every_wish_is_served_once_it_is_due_and_never_twice_at_once(
    steps: list[tuple[str, Key, float]],
) -> None:
    clock = HandClock()
    queue = Queue(clock)
    wishes: dict[Key, float] = {}
    busy: set[Key] = set()
    later: set[Key] = set()
    for what, key, seconds in steps:
        match what:
            case "poke" | "again":
                queue.poke(key, seconds, again=what == "again")
                if what == "poke":
                    later.discard(key)
                elif wishes.get(key, clock.now + seconds + 1) > clock.now + seconds:
                    later.add(key)
                wishes[key] = min(wishes.get(key, clock.now + seconds), clock.now + seconds)
            case "done" if key in busy:
                queue.done(key)
                busy.discard(key)
            case "wait":
                clock.now += seconds
            case "take":
                taken, _ = queue._pop()
                due = [each for each in wishes if wishes[each] <= clock.now and each not in busy]
                assert (taken in due) if due else taken is None
                if taken is not None:
                    asked = [each for each in due if each not in later] or due
                    assert taken in asked
                    assert wishes[taken] == min(wishes[each] for each in asked)
                    later.discard(taken)
                    del wishes[taken]
                    busy.add(taken)
    assert len(queue) == len(wishes)
    assert queue.busy == len(busy)
    for key in busy:
        queue.done(key)
    clock.now += 100
    assert {queue._pop()[0] for _ in wishes} == set(wishes)
    assert queue._pop() == (None, None)


async def test_what_is_asked_for_goes_before_what_is_only_looked_at_again() -> None:
    queue = Queue(HandClock())
    keys = [Key("models", str(number)) for number in range(4)]
    for key in keys:
        queue.poke(key, again=True)
    queue.poke(keys[3])
    queue.poke(A)
    queue.poke(A, again=True)
    assert [await queue.get() for _ in range(5)] == [keys[3], A, *keys[:3]]


async def test_a_later_wish_does_not_lose_an_earlier_one_of_the_other_sort() -> None:
    clock = HandClock()
    queue = Queue(clock)
    queue.poke(A, 1.0, again=True)
    queue.poke(A, 5.0)
    queue.poke(B, 2.0)
    clock.now += 2.0
    assert [await queue.get() for _ in range(2)] == [A, B]
    assert len(queue) == 0


async def test_what_is_for_later_becomes_due_together_and_what_is_asked_for_at_once() -> None:
    clock = HandClock()
    clock.now += TOGETHER_SECONDS / 4
    queue = Queue(clock)
    queue.poke(A, TOGETHER_SECONDS / 4)
    queue.poke(B, TOGETHER_SECONDS / 2)
    clock.now += TOGETHER_SECONDS / 2
    assert queue._pop()[0] is None
    queue.poke(asked := Key("models", "now"))
    assert queue._pop()[0] == asked
    clock.now += TOGETHER_SECONDS / 3
    assert {queue._pop()[0] for _ in range(2)} == {A, B}


async def test_a_waiting_worker_wakes_for_a_new_wish() -> None:
    queue = Queue(asyncio.get_running_loop().time)
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.poke(A)
    assert await asyncio.wait_for(worker, 5) == A


async def test_an_earlier_wish_overtakes_the_one_that_a_worker_waits_for() -> None:
    queue = Queue(asyncio.get_running_loop().time)
    queue.poke(A, 1000)
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.poke(B)
    assert await asyncio.wait_for(worker, 5) == B
    queue.poke(A)
    assert await asyncio.wait_for(queue.get(), 5) == A


async def test_what_is_poked_during_its_own_pass_gets_another_one() -> None:
    queue = Queue(asyncio.get_running_loop().time)
    queue.poke(A)
    assert await queue.get() == A
    queue.poke(A)
    second = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not second.done()
    queue.done(A)
    assert await asyncio.wait_for(second, 5) == A
    queue.done(A)
    assert len(queue) == 0


async def test_several_workers_share_many_wishes_without_overlap() -> None:
    queue = Queue(asyncio.get_running_loop().time)
    keys = [Key("models", str(n)) for n in range(50)]
    running: set[Key] = set()
    served: list[Key] = []

    async def work() -> None:
        while True:
            key = await queue.get()
            assert key not in running
            running.add(key)
            await asyncio.sleep(0)
            running.discard(key)
            served.append(key)
            queue.done(key)

    workers = [asyncio.create_task(work()) for _ in range(8)]
    for key in keys * 3:
        queue.poke(key)

    async def all_served() -> None:
        while set(served) != set(keys) or len(queue):  # noqa: ASYNC110 - many events, no one
            await asyncio.sleep(0)

    await asyncio.wait_for(all_served(), 5)
    for each in workers:
        each.cancel()
    ends = await asyncio.gather(*workers, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ends)


async def test_of_several_waiting_workers_one_wakes_for_one_wish() -> None:
    queue = Queue(asyncio.get_running_loop().time)
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    queue.poke(A, 0.01)
    queue.poke(B, 0.01 + TOGETHER_SECONDS)
    done, waiting = await asyncio.wait(workers, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert [each.result() for each in done] == [A]
    done, waiting = await asyncio.wait(waiting, timeout=5, return_when=asyncio.FIRST_COMPLETED)
    assert [each.result() for each in done] == [B]
    (last,) = waiting
    last.cancel()
    await asyncio.wait({last})
    queue.done(A)
    queue.poke(A)
    assert await asyncio.wait_for(queue.get(), 5) == A, "nobody waits where the third did"


async def test_what_was_handed_to_a_worker_that_ended_meanwhile_is_not_lost() -> None:
    queue = Queue(asyncio.get_running_loop().time)
    worker = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.poke(A)
    worker.cancel()
    await asyncio.wait({worker})
    assert await asyncio.wait_for(queue.get(), 5) == A
