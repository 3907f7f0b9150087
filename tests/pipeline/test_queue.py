"""The queue: wakes its worker when it should, and drops the newest where it is full."""

import threading

from reamon.pipeline.queue import SpanQueue


def is_even(item: object) -> bool:
    """Even numbers stand for finished spans, odd ones for starts."""
    return isinstance(item, int) and item % 2 == 0


def recorded(queue: SpanQueue, item: object) -> None:
    """Append as the recorder does."""
    queue.append(item)
    if len(queue) >= queue.wake_at:
        queue.wake()


def test_a_sleeping_worker_is_woken_by_the_first_span_and_by_no_other() -> None:
    calls: list[int] = []
    queue = SpanQueue(100, lambda: calls.append(1), is_even)
    for item in range(50):
        recorded(queue, item)
    assert len(calls) == 1


def test_a_gathering_worker_is_woken_by_a_batch() -> None:
    calls: list[int] = []
    queue = SpanQueue(100, lambda: calls.append(len(queue)), is_even)
    queue.gather(10)
    for item in range(50):
        recorded(queue, item)
    assert calls == [10]


def test_what_has_come_before_the_sleep_is_seen() -> None:
    queue = SpanQueue(100, lambda: None, is_even)
    assert not queue.sleep()
    recorded(queue, 1)
    assert queue.sleep()


def test_beyond_the_capacity_the_newest_are_dropped_and_finished_ones_counted() -> None:
    queue = SpanQueue(3, lambda: None, is_even)
    for item in range(10):
        recorded(queue, item)
    assert list(queue) == [0, 1, 2]
    assert queue.finished == 2
    assert queue.dropped == 3  # 4, 6 and 8


def test_several_threads_at_a_full_queue_drop_what_they_count() -> None:
    queue = SpanQueue(100, lambda: None, is_even)

    def record() -> None:
        for _ in range(2_000):
            recorded(queue, 0)

    threads = [threading.Thread(target=record) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(queue) + queue.dropped == 8_000
    assert len(queue) <= 104


def test_a_reset_queue_is_empty_and_counts_anew() -> None:
    queue = SpanQueue(1, lambda: None, is_even)
    recorded(queue, 2)
    recorded(queue, 4)
    queue.reset()
    assert (len(queue), queue.dropped, queue.wake_at) == (0, 0, 1)


def test_what_comes_after_it_was_bequeathed_goes_to_the_heir() -> None:
    calls: list[int] = []
    queue, heir = SpanQueue(100, lambda: None, is_even), SpanQueue(100, lambda: calls.append(1), is_even)
    for item in (1, 2):  # the second does not wake it: the worker has its hands full
        recorded(queue, item)
    queue.bequeath(heir)
    for item in (3, 4):
        recorded(queue, item)
    assert list(heir) == [1, 2, 3, 4]
    assert calls


def test_a_heir_may_have_an_heir() -> None:
    queues = [SpanQueue(100, lambda: None, is_even) for _ in range(3)]
    queues[0].bequeath(queues[1])
    queues[1].bequeath(queues[2])
    recorded(queues[0], 2)
    assert list(queues[2]) == [2]


def test_who_was_waking_while_it_was_bequeathed_passes_on() -> None:
    heir = SpanQueue(100, lambda: None, is_even)

    class Overtaken(SpanQueue):
        def __len__(self) -> int:
            if self.is_overtaken:  # between the look at the queue and what follows from it
                self.is_overtaken = False
                self.bequeath(heir)
            return super().__len__()

        is_overtaken = False

    queue = Overtaken(100, lambda: None, is_even)
    queue.append(2)
    queue.is_overtaken = True
    queue.wake()
    recorded(queue, 4)
    assert list(heir) == [2, 4]
