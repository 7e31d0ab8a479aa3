# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.imageops.registry.plugins.module_utils._run._progress import Progress

DIGEST = "sha256:" + "1" * 64


def test_what_is_there_is_nothing_to_show() -> None:
    progress = Progress()
    progress.expect(1, 10)
    progress.skip(10)
    assert not progress.begun
    assert progress.snapshot() == {
        "blobs": 1,
        "blobs_done": 1,
        "bytes": 10,
        "bytes_done": 10,
        "bytes_moved": 0,
        "in_flight": [],
    }


def test_a_blob_in_flight_counts_and_is_named() -> None:
    progress = Progress()
    progress.expect(2, 30)
    progress.begin("a/b", DIGEST, 20).add(5)
    assert progress.begun
    assert progress.snapshot() == {
        "blobs": 2,
        "blobs_done": 0,
        "bytes": 30,
        "bytes_done": 5,
        "bytes_moved": 5,
        "in_flight": [{"repository": "a/b", "digest": DIGEST, "size": 20, "bytes": 5}],
    }


def test_what_is_sent_again_is_moved_twice_and_done_once() -> None:
    progress = Progress()
    progress.expect(1, 20)
    moving = progress.begin("a/b", DIGEST, 20)
    moving.add(15)
    moving.go_to(0)
    moving.add(20)
    moving.end(arrived=True)
    found = progress.snapshot()
    assert (found["blobs_done"], found["bytes_done"], found["bytes_moved"], found["in_flight"]) == (1, 20, 35, [])


def test_what_has_failed_is_not_done() -> None:
    progress = Progress()
    progress.expect(1, 20)
    moving = progress.begin("a/b", DIGEST, 20)
    moving.add(20)
    moving.end(arrived=False)
    found = progress.snapshot()
    assert (found["blobs_done"], found["bytes_done"], found["in_flight"]) == (0, 0, [])
