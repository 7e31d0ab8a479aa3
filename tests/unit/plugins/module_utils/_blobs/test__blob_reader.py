# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.module_utils._blobs import _blob_reader
from ansible_collections.imageops.registry.plugins.module_utils._blobs._blob_reader import BlobReader
from ansible_collections.imageops.registry.plugins.module_utils._model._digest import compute_digest
from ansible_collections.imageops.registry.plugins.module_utils._model._errors import ContentMismatch


class Opened:
    """A blob that comes in pieces of 7 bytes, and from where it was read."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.offsets: list[int] = []

    def __call__(self, offset: int) -> t.Iterator[bytes]:
        self.offsets.append(offset)
        rest = self.content[offset:]
        return iter([rest[begin : begin + 7] for begin in range(0, len(rest), 7)])


CONTENT = b"0123456789" * 5


def test_chunks_are_read_one_after_the_other_in_one_go() -> None:
    opened = Opened(CONTENT)
    reader = BlobReader(opened, compute_digest(CONTENT), 50)
    assert [b"".join(reader.pieces(begin, min(16, 50 - begin))) for begin in range(0, 50, 16)] == [
        CONTENT[begin : begin + 16] for begin in range(0, 50, 16)
    ]
    reader.finish()
    assert opened.offsets == [0]


@pytest.mark.parametrize("again", [16, 20, 31, 32])
def test_a_chunk_is_read_again_from_where_it_is_needed(again: int) -> None:
    opened = Opened(CONTENT)
    reader = BlobReader(opened, compute_digest(CONTENT), 50)
    for begin in (0, 16):
        assert len(b"".join(reader.pieces(begin, 16))) == 16
    assert b"".join(reader.pieces(again, 50 - again)) == CONTENT[again:]
    reader.finish()
    # Nothing before the last chunk is read once more; right behind it, nothing at all.
    assert opened.offsets == ([0] if again == 32 else [0, 16])


def test_a_chunk_that_was_broken_off_is_read_again() -> None:
    opened = Opened(CONTENT)
    reader = BlobReader(opened, compute_digest(CONTENT), 50)
    b"".join(reader.pieces(0, 16))
    next(reader.pieces(16, 16))
    assert b"".join(reader.pieces(16, 34)) == CONTENT[16:]
    reader.finish()


def test_a_registry_that_has_lost_what_it_had_gets_all_of_it_again() -> None:
    opened = Opened(CONTENT)
    reader = BlobReader(opened, compute_digest(CONTENT), 50)
    for begin in (0, 16):
        b"".join(reader.pieces(begin, 16))
    assert b"".join(reader.pieces(3, 47)) == CONTENT[3:]
    reader.finish()
    assert opened.offsets == [0, 0]


def test_wrong_bytes_are_found_at_the_end() -> None:
    reader = BlobReader(Opened(CONTENT), compute_digest(b"other"), 50)
    b"".join(reader.pieces(0, 50))
    with pytest.raises(ContentMismatch):
        reader.finish()


def test_what_ends_early_is_no_whole_chunk() -> None:
    reader = BlobReader(Opened(CONTENT), compute_digest(CONTENT), 60)
    assert b"".join(reader.pieces(0, 60)) == CONTENT


def test_the_state_of_the_hash_is_kept_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_blob_reader, "_SMALLEST_STEP", 10)
    opened = Opened(CONTENT)
    reader = BlobReader(opened, compute_digest(CONTENT), 50)
    for _piece in zip(range(5), reader.pieces(0, 50)):
        pass
    assert b"".join(reader.pieces(30, 20)) == CONTENT[30:]
    reader.finish()
    # It was kept behind the pieces that end at 14 and 28.
    assert opened.offsets == [0, 28]


def test_the_whole_ends_with_its_last_piece_where_it_is_right() -> None:
    assert b"".join(BlobReader(Opened(CONTENT), compute_digest(CONTENT), 50).whole()) == CONTENT


@pytest.mark.parametrize(
    ("content", "size", "why"),
    [
        (CONTENT[:-1] + b"!", 50, "have the digest"),
        (CONTENT[:-1], 50, "49 bytes of .* arrived"),
        (CONTENT + b"!", 50, "more than the promised 50 bytes"),
    ],
)
def test_the_whole_lacks_its_end_where_it_is_wrong(content: bytes, size: int, why: str) -> None:
    received = []
    with pytest.raises(ContentMismatch, match=why):
        for piece in BlobReader(Opened(content), compute_digest(CONTENT), size).whole():
            received.append(piece)
    assert 0 < len(b"".join(received)) < size


def test_a_source_that_was_not_read_to_its_end_is_given_up() -> None:
    given_up = []

    def opened(offset: int) -> t.Iterator[bytes]:
        try:
            yield CONTENT
        finally:
            given_up.append(offset)

    reader = BlobReader(opened, compute_digest(CONTENT), 50)
    next(reader.pieces(0, 10))
    reader.close()
    assert given_up == [0]
    BlobReader(Opened(CONTENT), compute_digest(CONTENT), 50).close()


def test_what_fails_is_opened_anew() -> None:
    offsets = []

    def opened(offset: int) -> t.Iterator[bytes]:
        offsets.append(offset)
        yield CONTENT[offset : offset + 20]
        if len(offsets) == 1:
            raise ContentMismatch("no")
        yield CONTENT[offset + 20 :]

    reader = BlobReader(opened, compute_digest(CONTENT), 50)
    assert b"".join(reader.pieces(0, 20)) == CONTENT[:20]
    with pytest.raises(ContentMismatch):
        list(reader.pieces(20, 30))
    assert b"".join(reader.pieces(20, 30)) == CONTENT[20:]
    assert offsets == [0, 20]
    reader.finish()


def test_many_parts_keep_no_more_states() -> None:
    reader = BlobReader(Opened(CONTENT), compute_digest(CONTENT), 50)
    for begin in range(50):
        b"".join(reader.pieces(begin, 1))
    assert len(reader._saved) == 1


def test_the_whole_is_read_anew_each_time() -> None:
    opened = Opened(CONTENT)
    reader = BlobReader(opened, compute_digest(CONTENT), 50)
    next(reader.whole())
    assert b"".join(reader.whole()) == CONTENT
    assert opened.offsets == [0, 0]
