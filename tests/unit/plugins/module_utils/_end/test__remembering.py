# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end import _remembering
from ansible_collections.imageops.registry.plugins.module_utils._end._purpose import Purpose
from ansible_collections.imageops.registry.plugins.module_utils._end._remembering import remembering
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import ConnectionFailed
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, image
from ansible_collections.imageops.registry.tests.unit.support.fake_registry import FakeRegistry


@pytest.fixture
def registry() -> FakeRegistry:
    registry = FakeRegistry()
    registry.add("a/b", image(), "1")
    return registry


def test_each_question_is_asked_once(registry: FakeRegistry) -> None:
    end = remembering(registry.client)
    assert remembering(end) is end
    digest = registry.manifests["a/b", "1"].digest
    for _again in range(2):
        assert end.get_manifest("a/b", digest).digest == digest
        assert end.list_referrers("a/b", digest).descriptors == ()
        assert end.head_manifest("a/b", "1") is not None and end.head_manifest("a/b", "none") is None
    calls = [f"GET a/b {digest}", f"REFERRERS a/b {digest}", "HEAD a/b 1", "HEAD a/b none"]
    assert registry.calls == calls
    assert (end.name, end.jobs) == (registry.name, registry.jobs)


def test_what_may_change_or_must_be_sure_is_asked_again(registry: FakeRegistry) -> None:
    end = remembering(registry.client)
    for _again in range(2):
        end.get_manifest("a/b", "1")
        end.head_manifest("a/b", "1", Purpose.GUARD)
    assert registry.calls == ["GET a/b 1", "HEAD a/b 1"] * 2


def test_an_error_is_not_kept(registry: FakeRegistry) -> None:
    end = remembering(registry.client)
    registry.failing[f"REFERRERS a/b {DIGEST}"] = ConnectionFailed("no")
    with pytest.raises(ConnectionFailed):
        end.list_referrers("a/b", DIGEST)
    registry.failing.clear()
    assert end.list_referrers("a/b", DIGEST).descriptors == ()


def test_only_so_many_bytes_are_kept(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    first = registry.manifests["a/b", "1"]
    second = registry.add("a/b", image(layers=[]))
    monkeypatch.setattr(_remembering, "_MOST_BYTES", first.size)
    end = remembering(registry.client)
    for manifest in (first, second) * 2:
        end.get_manifest("a/b", manifest.digest)
    assert registry.calls == [f"GET a/b {digest}" for digest in (first.digest, second.digest, second.digest)]


def test_threads_wait_for_one_another(registry: FakeRegistry) -> None:
    end = remembering(registry.client)
    arrived = threading.Barrier(4)
    found: list[t.Any] = []

    def ask() -> None:
        arrived.wait()
        found.append(end.list_referrers("a/b", DIGEST))

    threads = [threading.Thread(target=ask) for _number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and registry.calls == [f"REFERRERS a/b {DIGEST}"]
