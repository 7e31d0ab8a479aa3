# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""What goes back, by a record or by what a user names: a promotion within one registry, of digests that it has.

Every tag must still point to what the record put there. So the images are those of ``image_copy`` with
``expected_destination_digest``, and its guards, records and all-or-nothing tags hold for a rollback as well.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

from .._model._digest import check_digest
from .._model._errors import InvalidInput, Unverified, at_entry, printable
from .._model._reference import check_repository, check_tag, same_registry
from ._items import Plain
from ._record import BEGUN, Record, RecordedTag
from ._record_files import is_name_given_here
from ._record_reading import record_in, record_of
from ._recorded_images import returning_tags
from ._statement import read_statement

_KEYS = ("repository", "tag", "digest")
_OF_STATEMENT = ("_type", "predicateType", "predicate")
"""Keys that a statement has, and what ``promotion_info`` returns has not."""


class Rollback(t.NamedTuple):
    """What goes back, as plain data for tasks."""

    images: list[Plain]
    """The images of ``image_copy``."""
    created: list[Plain]
    """The tags that the promotion has created: ``repository``, ``tag``, ``digest``."""
    source: str = ""
    """From which registry the record says that its images came."""
    environment: str = ""
    reverts: str = ""
    """How records name the one that is reverted."""
    unfinished: bool = False
    """Whether that one's promotion was cut off."""

    @property
    def to_remove(self) -> list[Plain]:
        """``created`` as the tags of ``tag``, to be removed where they still point to that digest."""
        return [
            {"repository": tag["repository"], "tag": tag["tag"], "previous_digest": tag["digest"]}
            for tag in self.created
        ]


class _Wanted(t.NamedTuple):
    """What a user names."""

    repository: str
    tag: str = ""
    """Empty for all tags of the repository."""
    digest: str = ""


class _Way(t.NamedTuple):
    """What tags of one image have in common."""

    repository: str
    back_to: str
    expected: str | None


def rollback_of(record: t.Any, images: t.Any, registry: str, name: str = "") -> Rollback:
    """What goes back in a registry. Raises :class:`InvalidInput`, with a sentence that begins with what is wrong.

    ``record`` was read from a file of that ``name``, or is a statement, or what ``promotion_info`` returns; None where
    there is none. ``images`` select from it, or say themselves which digest each tag goes back to. ``registry`` is
    empty where it isn't known.
    """
    if not isinstance(registry, str):
        raise InvalidInput(
            f"destination: the registry {registry!r} is not a string", hint="Give host[:port], in quotes"
        )
    wanted = _wanted(images, needs_digest=record is None)
    if record is None:
        if not wanted:
            raise InvalidInput(
                "images: no tags to move back are named", hint="Give a record, or images with their digests"
            )
        return Rollback(_images([(_Way(one.repository, one.digest, None), one.tag) for one in wanted]), [])
    read = _record(record)
    if registry and not same_registry(read.destination, registry):
        raise InvalidInput(
            f"record: its promotion was to {read.destination}, and rollback_destination is {registry}",
            hint=f"Give the record of a promotion to {registry}, or {read.destination} as rollback_destination",
        )
    tags = _selected(read, wanted)
    back = [
        (_Way(repository, tag.previous_digest, tag.digest), tag.tag)
        for (repository, _tag), tag in tags.items()
        if tag.previous_digest
    ]
    created = [
        {"repository": repository, "tag": tag.tag, "digest": tag.digest}
        for (repository, _tag), tag in tags.items()
        if not tag.previous_digest
    ]
    reverts = printable(name or _name_of(record))
    return Rollback(_images(back), created, read.source, read.environment, reverts, read.outcome == BEGUN)


def recorded_where(record: t.Any, given: t.Any, rollback: Rollback) -> Plain:
    """Where a rollback is recorded, as the option ``record``: where it is said, else beside the file that was read.

    ``given`` is a directory, or the option ``record`` itself; None where nothing is said. Raises
    :class:`InvalidInput`.
    """
    if given is not None and not isinstance(given, (str, Mapping)):
        raise InvalidInput("record_to: it is neither a path nor a mapping", hint="Give a directory for the record")
    file = _file_of(record)
    beside = {"path": _directory_of(file)} if file else {}
    said = given if isinstance(given, Mapping) else {"path": given}
    # A template has null for what isn't given.
    where = {**beside, **{name: value for name, value in said.items() if value not in (None, "")}}
    if not where:
        return {}
    if "path" not in where and where.get("attach") is not True:
        raise InvalidInput(
            "record_to: it names no path, and the record that is reverted is not a file, so its directory is unknown",
            hint="Give a path for the record",
        )
    texts = {"environment": rollback.environment, "reverts": rollback.reverts}
    return {**{name: text for name, text in texts.items() if text}, **where}


def _record(given: t.Any) -> Record:
    if isinstance(given, Record):
        return given
    if not isinstance(given, Mapping):
        raise InvalidInput(
            "record: it is neither a path nor a record", hint="Give the path of a file, or what promotion_info returns"
        )
    try:
        if any(key in given for key in _OF_STATEMENT):
            return record_in(read_statement(given))
        return record_of(given)
    except (InvalidInput, Unverified) as error:
        raise InvalidInput(f"record: {error.reason}", hint=error.hint) from error


def _name_of(given: t.Any) -> str:
    """How records name it: its file without the directory, or the digest of what was attached."""
    source = _source_of(given)
    return source.rpartition("/" if source.startswith("/") else "@")[2]


def _file_of(record: t.Any) -> str:
    """The file that a record was read from; empty where it is none.

    What a mapping says comes from whoever made it: it can't choose a directory in which no record is by its name.
    """
    if isinstance(record, str):
        return record
    source = _source_of(record)
    directory, _slash, name = source.rpartition("/")
    is_file = source.startswith("/") and printable(directory) == directory and is_name_given_here(name)
    return source if is_file else ""


def _source_of(record: t.Any) -> str:
    source = record.get("source_of_record") if isinstance(record, Mapping) else None
    return source if isinstance(source, str) else ""


def _directory_of(path: str) -> str:
    directory, slash, _name = path.rpartition("/")
    return directory or slash or "."


def _wanted(images: t.Any, *, needs_digest: bool) -> list[_Wanted]:
    if not isinstance(images, list):
        raise InvalidInput("images: it is not a list", hint="Give a list of mappings with repository, tag and digest")
    found = []
    for position, entry in enumerate(images):
        with at_entry("images", position):
            found.append(_one_wanted(entry, needs_digest))
    return found


def _one_wanted(entry: t.Any, needs_digest: bool) -> _Wanted:
    if not isinstance(entry, Mapping) or any(key not in _KEYS for key in entry):
        raise InvalidInput(f"an entry is a mapping with {', '.join(_KEYS)}, and nothing else")
    tag, digest = entry.get("tag"), entry.get("digest")
    if needs_digest and (tag in (None, "") or not digest):
        raise InvalidInput("without a record, an entry needs tag and digest")
    return _Wanted(
        check_repository(entry.get("repository")),
        "" if tag in (None, "") else check_tag(tag),
        check_digest(digest) if digest else "",
    )


def _selected(record: Record, wanted: t.Sequence[_Wanted]) -> dict[tuple[str, str], RecordedTag]:
    """The tags of a record that are to go back, or those of them that are wanted."""
    moved = returning_tags(record)
    if not wanted:
        return moved
    found: dict[tuple[str, str], RecordedTag] = {}
    for position, one in enumerate(wanted):
        matching = {
            place: tag
            for place, tag in moved.items()
            if place[0] == one.repository and one.tag in ("", tag.tag) and one.digest in ("", tag.previous_digest)
        }
        if not matching:
            name = f"{one.repository}{':' if one.tag else ''}{one.tag}"
            to = f" from {one.digest}" if one.digest else ""
            raise InvalidInput(f"images[{position}]: the record has no tag {name} that was moved{to}")
        found.update(matching)
    return found


def _images(back: t.Iterable[tuple[_Way, str]]) -> list[Plain]:
    """The images of ``image_copy``: tags that go from one digest to another stand together, in their order."""
    ways: dict[_Way, list[str]] = {}
    for way, tag in back:
        ways.setdefault(way, []).append(tag)
    return [
        {
            "repository": way.repository,
            "digest": way.back_to,
            "tags": tags,
            **({} if way.expected is None else {"expected_destination_digest": way.expected}),
        }
        for way, tags in ways.items()
    ]
