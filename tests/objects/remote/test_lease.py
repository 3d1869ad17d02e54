from __future__ import annotations

import threading

import pytest

from drystone.core.errors import Conflict
from drystone.objects.remote.bucket import Bucket
from drystone.objects.remote.lease import lease


def test_one_holds_it_and_another_is_told_who_does(bucket: Bucket) -> None:
    with lease(bucket, "gc", "ada at home") as still:
        still()
        with pytest.raises(Conflict) as caught, lease(bucket, "gc", "bob"):
            pass
        assert caught.value.because == ("by ada at home",)
        still()
        with lease(bucket, "another", "bob"):
            pass
    with lease(bucket, "gc", "bob"):
        pass
    assert list(bucket.list("lease/")) == []


def test_of_many_that_come_at_once_never_two_hold_it(bucket: Bucket) -> None:
    holding, most, held = 0, 0, 0
    guard = threading.Lock()
    start = threading.Barrier(5)

    def contend() -> None:
        nonlocal holding, most, held
        start.wait()
        for _ in range(4):
            try:
                with lease(bucket, "gc", "somebody"):
                    with guard:
                        holding, held = holding + 1, held + 1
                        most = max(most, holding)
                    with guard:
                        holding -= 1
            except Conflict:
                continue

    threads = [threading.Thread(target=contend) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 1
    assert list(bucket.list("lease/")) == []


def test_who_lost_it_is_told_before_the_next_step(bucket: Bucket) -> None:
    with lease(bucket, "gc", "ada") as still:
        bucket.delete([item.key for item in bucket.list("lease/gc/")])
        with pytest.raises(Conflict, match="another took over"):
            still()
