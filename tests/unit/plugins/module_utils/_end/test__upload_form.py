# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._end._upload_form import SMALLEST_CHUNK, UploadForm
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import (
    AccessDenied,
    BodyTooLarge,
    ChunksRefused,
    RegistryError,
)

MIB = 1024 * 1024
TOO_LARGE = BodyTooLarge("too large")
REFUSED = ChunksRefused("no chunks")
STANDING = ChunksRefused("the range stands still", by_range=True)


def test_blobs_are_sent_whole_until_one_is_refused() -> None:
    form = UploadForm()
    assert form.chunk_for(100 * MIB, 0) == 0
    assert form.adapt(TOO_LARGE, 100 * MIB, 0, 0)
    assert (form.chunk_for(100 * MIB, 0), form.chunk_for(8 * MIB, 0)) == (8 * MIB, 0)


def test_chunks_are_halved_where_they_are_too_large_and_not_forever() -> None:
    form = UploadForm()
    size, sizes = 300 * 1024, []
    assert form.adapt(TOO_LARGE, size, 0, 0)
    while form.adapt(TOO_LARGE, size, form.chunk_for(size, 0), 0):
        sizes.append(form.chunk_for(size, 0))
    assert sizes == [75 * 1024]
    assert not form.adapt(TOO_LARGE, SMALLEST_CHUNK, 0, 0)


def test_chunks_are_not_smaller_than_the_registry_asks_for() -> None:
    form = UploadForm(MIB)
    assert (form.chunk_for(9 * MIB, 3 * MIB), form.chunk_for(3 * MIB, 3 * MIB)) == (3 * MIB, 0)
    assert not form.adapt(TOO_LARGE, 9 * MIB, 3 * MIB, 3 * MIB)
    # No larger than can be sent again with good conscience, whatever it asks for.
    assert form.chunk_for(2**50, 2**40) == 2**30


def test_a_blob_is_not_sent_whole_again_where_the_smallest_chunk_is_all_of_it() -> None:
    form = UploadForm()
    for _time in range(2):
        assert form.chunk_for(4 * MIB, 4 * MIB) == 0
        assert not form.adapt(TOO_LARGE, 4 * MIB, 0, 4 * MIB)
    # A larger one has chunks that may fit.
    assert form.adapt(TOO_LARGE, 9 * MIB, 0, 4 * MIB)
    assert form.chunk_for(9 * MIB, 4 * MIB) == 4 * MIB


def test_what_another_thread_has_found_out_is_not_halved_again() -> None:
    form = UploadForm()
    assert form.adapt(TOO_LARGE, 100 * MIB, 0, 0)
    assert form.adapt(TOO_LARGE, 90 * MIB, 0, 0)
    assert form.chunk_for(100 * MIB, 0) == 8 * MIB
    assert form.adapt(TOO_LARGE, 100 * MIB, 8 * MIB, 0)
    assert form.adapt(TOO_LARGE, 100 * MIB, 8 * MIB, 0)
    assert form.chunk_for(100 * MIB, 0) == 4 * MIB


@pytest.mark.parametrize("refusal", [REFUSED, STANDING])
def test_where_chunks_are_refused_blobs_are_sent_whole(refusal: RegistryError) -> None:
    form = UploadForm(MIB)
    assert form.adapt(refusal, 9 * MIB, MIB, 0)
    assert form.chunk_for(9 * MIB, 0) == 0
    assert form.trusts_range
    # Then that is the end of it.
    assert not form.adapt(TOO_LARGE, 9 * MIB, 0, 0)


def test_where_nothing_but_chunks_is_left_the_range_is_ignored_once() -> None:
    form = UploadForm()
    assert form.adapt(TOO_LARGE, 9 * MIB, 0, 0)
    chunk = form.chunk_for(9 * MIB, 0)
    assert not form.adapt(REFUSED, 9 * MIB, chunk, 0)


def test_a_range_that_stands_still_is_ignored_where_nothing_but_chunks_is_left() -> None:
    form = UploadForm()
    assert form.adapt(TOO_LARGE, 9 * MIB, 0, 0)
    chunk = form.chunk_for(9 * MIB, 0)
    assert form.adapt(STANDING, 9 * MIB, chunk, 0)
    assert (form.chunk_for(9 * MIB, 0), form.trusts_range) == (chunk, False)
    assert not form.adapt(STANDING, 9 * MIB, chunk, 0)
    # A blob that is smaller than what was too large may still be sent whole.
    assert form.adapt(REFUSED, 9 * MIB - 1, chunk, 0)


def test_another_error_says_nothing_about_the_form() -> None:
    assert not UploadForm(MIB).adapt(AccessDenied("no"), 9 * MIB, MIB, 0)
