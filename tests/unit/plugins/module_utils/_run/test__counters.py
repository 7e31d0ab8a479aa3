# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._run._counters import Counters


def test_every_count_starts_at_zero_and_is_named() -> None:
    assert Counters().as_dict() == {
        "requests": 0,
        "retries": 0,
        "bytes_uploaded": 0,
        "bytes_downloaded": 0,
        "bytes_mounted": 0,
        "bytes_skipped": 0,
        "sessions_left_open": 0,
    }


def test_threads_lose_no_count() -> None:
    counters = Counters()

    def work() -> None:
        for _number in range(1000):
            counters.add(requests=1, bytes_uploaded=3)

    threads = [threading.Thread(target=work) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters.as_dict()["requests"] == 8000
    assert counters.as_dict()["bytes_uploaded"] == 24000


def test_an_unknown_count_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        Counters().add(request=1)


def test_the_counts_handed_out_are_a_copy() -> None:
    counters = Counters()
    counters.as_dict()["requests"] = 7
    assert counters.as_dict()["requests"] == 0
