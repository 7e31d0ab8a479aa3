# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A record of a promotion read: from a file, from what is attached to an image, or from a result in the user's hands.

Reading is strict: what is there must be what the specification says. Keys that aren't known are left out, since a newer
version of the collection may have added them. Texts of people are made fit for a screen.
"""

from __future__ import annotations

import re
import sys
import typing as t
from collections.abc import Mapping

from .._model._actions import FAILED
from .._model._digest import is_digest
from .._model._errors import InvalidInput, RegistryError, Unverified, printable
from .._model._reference import check_repository, check_tag
from .._model._shown import quoted
from .._model._times import parse_time
from ._gates import SEVERITIES, GateResult
from ._items import ACTIONS
from ._record import (
    BEGUN,
    OUTCOMES,
    PREDICATE_TYPE,
    TAG_ACTIONS,
    NotReverted,
    Record,
    RecordedBytes,
    RecordedImage,
    RecordedTag,
    subjects_of,
)
from ._signatures import Signature
from ._statement import STATEMENT_TYPE, Statement, parse_statement

LARGEST = 64 * 1024 * 1024
"""Bytes of a record in a file. A thousand images with a dozen gates each take about 4 MB."""
_LARGEST_NUMBER = 2**63
_DEEPEST = 90
"""Levels of a value, as deep as one is written. Other readers follow a few hundred at most."""
_SURROGATE = re.compile("[\ud800-\udfff]")
Entry = t.TypeVar("Entry")


def parse_record(content: bytes) -> Record:
    """The record in a file. Raises :class:`InvalidInput`, which says what is wrong with it."""
    try:
        return record_in(parse_statement(content, LARGEST))
    except Unverified as error:
        raise InvalidInput(error.reason) from None


def record_in(statement: Statement, *, partly: bool = False) -> Record:
    """The record that a statement is.

    With ``partly``, what isn't there is empty: who only shows a record can do without. Raises :class:`InvalidInput`.
    """
    if statement.type != STATEMENT_TYPE:
        raise InvalidInput(f"the statement is of the type {quoted(statement.type)}, not {STATEMENT_TYPE}")
    if statement.predicate_type != PREDICATE_TYPE:
        raise InvalidInput(f"the predicate type is {quoted(statement.predicate_type)}, not {PREDICATE_TYPE}")
    record = record_of(statement.predicate, partly=partly)
    if not partly:
        _check_subjects(statement, record)
    return record


def record_of(predicate: t.Any, *, partly: bool = False) -> Record:
    """The record that a predicate is, also among other keys. ``partly`` and what it raises: :func:`record_in`."""
    try:
        return _record_of(_Part(predicate, "the predicate", partly))
    except RecursionError:
        # From showing what is in the place of something else.
        raise InvalidInput("it is nested too deeply") from None


def _record_of(found: _Part) -> Record:
    outcome = found.word("outcome", OUTCOMES)
    record = Record(
        source=found.part("source").text("registry"),
        destination=found.part("destination").text("registry"),
        images=found.each("images", _image),
        begun_at=found.moment("begun_at"),
        outcome=outcome,
        environment=found.text_or_null("environment"),
        actor=found.text_or_null("actor"),
        job=found.text_or_null("job"),
        reason=found.text_or_null("reason"),
        finished_at=found.moment_or_null("finished_at"),
        collection_version=found.text("collection_version"),
        reverts=found.text_or_null("reverts"),
        not_reverted=found.each("not_reverted", _not_reverted),
    )
    if not found.partly and (outcome == BEGUN) != (record.finished_at == ""):
        when = record.finished_at or "null"
        raise InvalidInput(f"its outcome is {outcome}, and its finished_at is {when}")
    return record


def _check_subjects(statement: Statement, record: Record) -> None:
    """The statement is about the digests that the record says were promoted."""
    named = [_digests(subject) for subject in statement.subjects]
    wanted = [_digests(subject) for subject in subjects_of(record)]
    if sorted(set(named)) != sorted(set(wanted)):
        raise InvalidInput("its subjects are not the digests of the images that it promotes")


def _digests(subject: t.Mapping[str, t.Any]) -> str:
    return ",".join(f"{algorithm}:{encoded}" for algorithm, encoded in sorted(subject["digest"].items()))


def _image(found: _Part) -> RecordedImage:
    size = found.part("bytes")
    return RecordedImage(
        reference=found.text("reference"),
        repository=found.checked("repository", check_repository),
        digest=found.digest_or_empty("digest"),
        source_digest=found.digest_or_empty("source_digest"),
        tags=found.each("tags", _tag),
        action=found.word("action", ACTIONS),
        bytes=RecordedBytes(*(size.number(name) for name in RecordedBytes._fields)),
        gates=found.each("gates", _gate),
        signatures=found.each("signatures", _signature),
    )


def _tag(found: _Part) -> RecordedTag:
    tag = RecordedTag(
        found.checked("tag", check_tag),
        found.digest_or_empty("previous_digest"),
        found.digest_or_empty("digest"),
        found.word("action", TAG_ACTIONS),
    )
    if not tag.digest and tag.action != FAILED and not found.partly:
        raise InvalidInput(f"{found.where} has no digest, and its action is {tag.action}")
    return tag


def _gate(found: _Part) -> GateResult:
    return GateResult(
        found.text("name"),
        found.truth("passed"),
        found.word("severity", SEVERITIES),
        found.anything("value"),
        found.text("message"),
    )


def _signature(found: _Part) -> Signature:
    return Signature(
        form=found.text("form"),
        digest=found.digest_or_empty("digest"),
        subject=found.digest_or_empty("subject"),
        verified=found.truth("verified"),
        by=found.text("by"),
        reason=found.text("reason"),
    )


def _not_reverted(found: _Part) -> NotReverted:
    return NotReverted(
        found.checked("repository", check_repository),
        found.checked("tag", check_tag),
        found.digest_or_empty("digest"),
        found.digest_or_empty("previous_digest"),
        found.text("reason"),
    )


class _Part:
    """An object in a record, and where it stands. Each method reads one key, and raises :class:`InvalidInput`."""

    def __init__(self, value: t.Any, where: str, partly: bool) -> None:
        if not isinstance(value, Mapping):
            raise InvalidInput(f"{where} is not an object")
        self._value = value
        self.where = where
        self.partly = partly

    def _given(self, name: str) -> bool:
        """Whether the key is there. It may only be missing where the record is read partly."""
        if name in self._value:
            return True
        if not self.partly:
            raise InvalidInput(f"{self.where} has no {name}")
        return False

    def _wrong(self, name: str, wanted: str) -> InvalidInput:
        return InvalidInput(f"{self.where} has a wrong {name}: {quoted(self._value[name])} is not a {wanted}")

    def part(self, name: str) -> _Part:
        """An object."""
        value = self._value[name] if self._given(name) else {}
        return _Part(value, f"{name} of {self.where}", self.partly)

    def each(self, name: str, read: t.Callable[[_Part], Entry]) -> tuple[Entry, ...]:
        """A list of objects."""
        if not self._given(name):
            return ()
        entries = self._value[name]
        if not isinstance(entries, (list, tuple)):
            raise self._wrong(name, "list")
        where = f"of {self.where}"
        return tuple(read(_Part(one, f"{name}[{place}] {where}", self.partly)) for place, one in enumerate(entries))

    def text(self, name: str) -> str:
        """A text."""
        if not self._given(name):
            return ""
        value = self._value[name]
        if not isinstance(value, str):
            raise self._wrong(name, "string")
        return printable(value)

    def text_or_null(self, name: str) -> str:
        """A text; empty where it is null."""
        return "" if self._given(name) and self._value[name] is None else self.text(name)

    def word(self, name: str, words: t.Collection[str]) -> str:
        """One of these words."""
        if not self._given(name):
            return ""
        value = self._value[name]
        if not isinstance(value, str) or value not in words:
            raise InvalidInput(f"{self.where} has the {name} {quoted(value)}, which is not one of {', '.join(words)}")
        return value

    def moment(self, name: str) -> str:
        """A time of RFC 3339."""
        if not self._given(name):
            return ""
        value = self._value[name]
        if parse_time(value) is None:
            raise self._wrong(name, "time of RFC 3339")
        return t.cast(str, value)

    def moment_or_null(self, name: str) -> str:
        """A time of RFC 3339; empty where it is null."""
        return "" if self._given(name) and self._value[name] is None else self.moment(name)

    def digest_or_empty(self, name: str) -> str:
        """A digest, or an empty text."""
        value = self.text(name)
        if value and not is_digest(value):
            raise self._wrong(name, "digest")
        return value

    def checked(self, name: str, check: t.Callable[[object], str]) -> str:
        """A text that a check of the grammar accepts."""
        value = self.text(name)
        if self._given(name):
            try:
                check(value)
            except RegistryError as error:
                raise InvalidInput(f"{self.where} has a wrong {name}: {error.reason}") from None
        return value

    def number(self, name: str) -> int:
        """A whole number that isn't negative."""
        if not self._given(name):
            return 0
        value = self._value[name]
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _LARGEST_NUMBER:
            raise self._wrong(name, "number of bytes")
        return value

    def truth(self, name: str) -> bool:
        """True or false."""
        if not self._given(name):
            return False
        value = self._value[name]
        if not isinstance(value, bool):
            raise self._wrong(name, "boolean")
        return value

    def anything(self, name: str) -> t.Any:
        """Whatever JSON has, for every reader of it."""
        value = self._value[name] if self._given(name) else None
        problem = _unreadable(value)
        if problem:
            raise InvalidInput(f"{name} of {self.where} {problem}")
        return value


def _unreadable(value: t.Any, depth: int = 0) -> str:
    """What other programs can't read in a value; empty where there is nothing such."""
    if depth > _DEEPEST:
        return "is nested too deeply"
    if isinstance(value, str):
        return "has half of a character in it" if _SURROGATE.search(value) else ""
    if isinstance(value, (int, float)):
        return "" if abs(value) <= sys.float_info.max else "has a number in it that is too large"
    inner: t.Iterable[t.Any] = ()
    if isinstance(value, Mapping):
        inner = (*value.keys(), *value.values())
    elif isinstance(value, (list, tuple)):
        inner = value
    return next(filter(None, (_unreadable(one, depth + 1) for one in inner)), "")
