# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The members of a tar archive: where they are in the file, and how new ones are written.

Nothing is ever unpacked: bytes are read where the archive has them.
"""

from __future__ import annotations

import os
import tarfile
import typing as t

from .._end._body import PIECE
from .._model._errors import LocalFileError

_MAXIMUM_MEMBERS = 200000
_MAXIMUM_HEADER = 64 * 1024
"""Bytes. The largest piece of a header, such as a long name; :mod:`tarfile` reads it at once."""
_MAXIMUM_RECORDS = 100
"""Of global headers (POSIX pax, "pax Extended Header")."""
_MAGIC = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_END = bytes(2 * tarfile.BLOCKSIZE)


class Member(t.NamedTuple):
    """A file in an archive, in bytes."""

    offset: int
    size: int
    regular: bool = True


class _Headers:
    """The file of an archive, as :mod:`tarfile` may read it: never much at once."""

    def __init__(self, file: t.BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MAXIMUM_HEADER:
            raise tarfile.HeaderError("a header is too large")
        return self._file.read(size)

    def seek(self, offset: int) -> int:
        return self._file.seek(offset)

    def tell(self) -> int:
        return self._file.tell()


def read_members(file: t.BinaryIO, path: str) -> dict[str, Member]:
    """The files in an archive by their names, a leading ``./`` left out; of two with one name, the last.

    What is neither a file nor a directory is there as not ``regular``. Raises :class:`LocalFileError` for what is no
    archive, compressed, cut off, or has too many members.
    """
    _check_uncompressed(file, path)
    length = os.fstat(file.fileno()).st_size
    members: dict[str, Member] = {}
    try:
        with tarfile.TarFile(fileobj=t.cast(t.IO[bytes], _Headers(file))) as archive:
            for position, found in enumerate(archive):
                # It keeps all members, and takes time for each record that a global header gives them.
                t.cast(t.Any, archive).members = []
                if len(archive.pax_headers) > _MAXIMUM_RECORDS:
                    raise LocalFileError(f"{path} has global headers of more than {_MAXIMUM_RECORDS} records")
                if position >= _MAXIMUM_MEMBERS:
                    raise LocalFileError(f"{path} has more than {_MAXIMUM_MEMBERS} members")
                if found.isdir():
                    continue
                regular = found.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not found.issparse()
                if regular and (found.size < 0 or found.offset_data + found.size > length):
                    raise LocalFileError(f"{path} is cut off: it ends within {found.name[:200]}")
                name = found.name[2:] if found.name.startswith("./") else found.name
                members[name] = Member(found.offset_data, found.size, regular)
            _check_end(file, archive.offset, path)
    except (tarfile.TarError, ValueError, IndexError, OverflowError, RecursionError) as error:
        # Beside its own errors, tarfile lets those of the numbers and texts in a damaged header through.
        raise LocalFileError(f"{path} is not a tar archive, or is damaged: {error}") from error
    except OSError as error:
        raise LocalFileError(f"{path} cannot be read: {error.strerror or error}") from error
    return members


def _check_end(file: t.BinaryIO, offset: int, path: str) -> None:
    """Raise :class:`LocalFileError` where an archive isn't at its end: tarfile takes a damaged header for it."""
    file.seek(offset)
    if file.read(len(_END)).strip(b"\0"):
        raise LocalFileError(f"{path} is damaged: there is no valid header at its byte {offset}")


def _check_uncompressed(file: t.BinaryIO, path: str) -> None:
    file.seek(0)
    start = file.read(8)
    file.seek(0)
    for magic, name in _MAGIC.items():
        if start.startswith(magic):
            raise LocalFileError(
                f"{path} is compressed with {name}, and a compressed archive cannot be read where it is",
                hint="Uncompress it first; layers are compressed already",
            )


def member_pieces(file: t.BinaryIO, path: str, member: Member, offset: int = 0) -> t.Iterator[bytes]:
    """The bytes of a member from ``offset`` on, in pieces; many threads may read at a time."""
    place, end = member.offset + offset, member.offset + member.size
    while place < end:
        try:
            piece = os.pread(file.fileno(), min(PIECE, end - place), place)
        except OSError as error:
            raise LocalFileError(f"{path} cannot be read: {error.strerror}") from error
        if not piece:
            raise LocalFileError(f"{path} has become shorter meanwhile")
        place += len(piece)
        yield piece


def archive_pieces(files: t.Iterable[tuple[str, int, t.Iterable[bytes]]], path: str) -> t.Iterator[bytes]:
    """The bytes of an archive of files, given as name, size and content: the same for the same files, whenever.

    Directories stand before what is in them: skopeo can only unpack those as an ordinary user that the archive has.

    Raises :class:`LocalFileError` where a content hasn't the size that it was given with.
    """
    directories: set[str] = set()
    for name, size, content in files:
        for directory in _parents(name):
            if directory not in directories:
                directories.add(directory)
                yield _header(directory, type=tarfile.DIRTYPE, mode=0o755)
        yield _header(name, size=size)
        written = 0
        for piece in content:
            written += len(piece)
            yield piece
        if written != size:
            raise LocalFileError(f"{name} in {path} has {written} bytes, not {size}")
        yield bytes(-size % tarfile.BLOCKSIZE)
    yield _END


def _parents(name: str) -> list[str]:
    """The directories above a file, the outermost first."""
    parts = name.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _header(name: str, **fields: t.Any) -> bytes:
    header = tarfile.TarInfo(name)
    for field, value in fields.items():
        setattr(header, field, value)
    return header.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
