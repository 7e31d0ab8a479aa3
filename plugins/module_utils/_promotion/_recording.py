# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A promotion recorded in a directory: begun before its first tag moves, and ended when it has.

A run that moves the same tags of the same destination to the same digests as one that was cut off continues its record.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from .._model._errors import LocalFileError
from .._model._times import format_time, utc_now
from .._model._version import VERSION
from .._run._folder import Folder
from ._outcomes import Outcomes
from ._plan import Plan
from ._record import BEGUN, DONE, Record, RecordTexts
from ._record_directory import no_tag_moved, open_record_directory
from ._record_files import (
    RecordFile,
    Unfinished,
    continue_record,
    is_running,
    is_standing,
    prepare_record,
    record_names,
    unfinished_records,
    unfinished_sentences,
)
from ._recorded import Recorded
from ._recorded_images import (
    as_if_moved,
    continued,
    covers,
    expected_size,
    gone_back,
    is_undone,
    moving_tags,
    outcome_of,
    recorded_images,
)
from ._whole import Whole


class Recording:
    """The record of one promotion, in an open directory."""

    def __init__(self, folder: Folder, texts: RecordTexts, *, check: bool) -> None:
        """With ``check``, nothing is written, and :attr:`recorded` is what would be."""
        self._folder = folder
        self._texts = texts
        self._check = check
        self._unfinished, self._problems = unfinished_records(folder)
        self._covered: list[Unfinished] = []
        self._earlier: Unfinished | None = None
        self._settled: list[str] = []
        """Files whose promotions nobody has to finish any more: this run or another one has ended them."""
        self._file: RecordFile | None = None
        self._begun_at = ""
        self._has_begun = False
        self.recorded = Recorded()
        self.ended: Record | None = None
        """What has happened, or in check mode would; None where there is nothing to record."""
        self.problem = ""
        """Why it couldn't be recorded how the promotion ended, in a sentence."""

    def prepare(self, plan: Plan) -> None:
        """Take room for the record of a plan, before anything is written to a registry.

        Raises :class:`LocalFileError` where that can't be, and where the plan reverts a promotion that still runs.
        """
        with no_tag_moved():
            self._prepare(plan)

    def _prepare(self, plan: Plan) -> None:
        self._refuse_running()
        covered = [one for one in self._unfinished if covers(plan, one.record, self._texts.reverts)]
        self._covered = [one for one in covered if self._folder.may_replace(one.name)]
        if not plan.promoted and not self._covered:
            return
        self._begun_at = format_time(utc_now())
        if not os.access(self._folder.path, os.W_OK | os.X_OK):
            raise LocalFileError(
                f"the directory of records {self._folder.path} cannot be written to",
                hint="Nothing was promoted. Give the user that the module runs as the right to write there",
            )
        self._choose_file()
        if self._file is not None:
            self._file.take_room(expected_size(plan))

    def begin(self, plan: Plan, outcomes: Outcomes, whole: Whole) -> None:
        """Record what is about to move. Raises :class:`LocalFileError` where that can't be: then it must not."""
        is_done = not outcomes.failures and not outcomes.refused and (outcomes.changed or self._earlier is not None)
        self._has_begun = bool(self._begun_at) and (is_done or bool(whole.tags or whole.artifact_tags))
        if self._has_begun and self._file is not None:
            record = self._record(plan, _expected(outcomes, whole))
            # One in which no tag moves could never be told from one that is finished.
            if moving_tags(record):
                with no_tag_moved():
                    self._file.begin(record)

    def end(self, plan: Plan, outcomes: Outcomes, *, all_or_nothing: bool) -> None:
        """Record what has happened. That this can't be is a problem, and no error: the tags have moved."""
        try:
            self._end_reverted(plan, outcomes)
        except LocalFileError as error:
            self.problem = f"The record {self._texts.reverts} does not say that its promotion was reverted: {error}"
        if not self._has_begun:
            return
        record = self._record(plan, outcomes)
        outcome = outcome_of(record, all_or_nothing=all_or_nothing)
        record = record._replace(outcome=outcome, finished_at=format_time(utc_now()))
        is_unchanged = outcome == DONE and not outcomes.changed and self._earlier is None
        self.ended = None if is_unchanged else record
        try:
            finished = self._write_end(record, is_unchanged)
        except LocalFileError as error:
            is_begun = self._file is not None and self._file.is_begun
            what = "does not say how its promotion ended" if is_begun else "is not written"
            self.problem = f"The record {self._path} {what}: {error}"
            self.recorded = Recorded(self._path, BEGUN) if is_begun else Recorded()
            return
        if not is_unchanged:
            self.recorded = Recorded(self._path, outcome, finished)

    def warnings(self) -> list[str]:
        """What people have to know of the directory: promotions that were cut off, and files that aren't records."""
        paths = [self._folder.below(one.name) for one in self._unfinished if one.name not in self._settled]
        left = [path for path in paths if path not in self.recorded.finished]
        return [*unfinished_sentences(left), *self._problems, *filter(None, [self.problem])]

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()

    @property
    def _path(self) -> str:
        if self._file is not None:
            return self._file.path
        return "" if self._earlier is None else self._folder.below(self._earlier.name)

    def _refuse_running(self) -> None:
        """Raise where what is reverted still runs: it would move its tags while they go back."""
        name = self._texts.reverts
        if name in record_names(self._folder) and is_running(self._folder, name):
            raise LocalFileError(
                f"the record {self._folder.below(name)} cannot be reverted: its promotion is still running",
                hint="Nothing was written. Wait until it has ended, or stop it, and go back then",
            )

    def _choose_file(self) -> None:
        """The file of the newest promotion that was cut off and can be continued, else one of its own."""
        for one in reversed(self._covered):
            self._file = None if self._check else self._continue(one)
            if self._check or self._file is not None:
                self._earlier = one
                return
        if not self._check:
            self._file = prepare_record(self._folder, self._begun_at)

    def _record(self, plan: Plan, outcomes: Outcomes) -> Record:
        record = record_so_far(plan, outcomes, self._begun_at, self._texts)
        if self._earlier is None:
            return record
        earlier = self._earlier.record
        texts = {name: text or getattr(earlier, name) for name, text in self._texts._asdict().items()}
        images = continued(record.images, earlier)
        return record._replace(images=images, begun_at=earlier.begun_at, **texts)

    def _end_reverted(self, plan: Plan, outcomes: Outcomes) -> None:
        """End the record that a rollback reverts, where its promotion was cut off: nobody is to finish it any more."""
        is_done = not outcomes.failures and not outcomes.refused
        for one in self._unfinished:
            if one.name != self._texts.reverts or not is_done or not is_undone(plan, one.record):
                continue
            if self._end_earlier(one, gone_back(one.record)._replace(finished_at=format_time(utc_now()))):
                self._settled.append(one.name)

    def _write_end(self, record: Record, is_unchanged: bool) -> tuple[str, ...]:
        """Write how it ended. Returns the files of all promotions that were cut off and are finished by that."""
        if self._file is not None and is_unchanged:
            self._file.remove()
        elif self._file is not None:
            self._file.end(record)
        if is_unchanged or record.outcome != DONE:
            return ()
        return tuple(
            self._folder.below(one.name)
            for one in self._covered
            if one is self._earlier
            or self._end_earlier(one, one.record._replace(outcome=DONE, finished_at=record.finished_at))
        )

    def _end_earlier(self, one: Unfinished, ended: Record) -> bool:
        """End the record of a promotion that was cut off. Returns whether that could be, in check mode whether it can.

        It can't where another run has it, or has ended it, or where it is another user's.
        """
        if self._check:
            return self._folder.may_replace(one.name)
        file = self._continue(one)
        if file is None:
            return False
        with contextlib.closing(file):
            file.end(ended)
        return True

    def _continue(self, one: Unfinished) -> RecordFile | None:
        file = continue_record(self._folder, one)
        if file is None and not is_standing(self._folder, one):
            self._settled.append(one.name)
        return file


def record_so_far(plan: Plan, outcomes: Outcomes, begun_at: str, texts: RecordTexts) -> Record:
    """What has happened of a plan so far, as a record that isn't finished."""
    return Record(
        plan.source,
        plan.destination,
        recorded_images(plan, outcomes),
        begun_at,
        not_reverted=outcomes.not_reverted,
        collection_version=VERSION,
        **texts._asdict(),
    )


@contextlib.contextmanager
def recording_in(path: str, texts: RecordTexts, *, check: bool) -> t.Iterator[Recording]:
    """The record of a promotion in a directory. Raises :class:`LocalFileError` where the directory isn't there."""
    with open_record_directory(path) as folder, contextlib.closing(Recording(folder, texts, check=check)) as recording:
        yield recording


def _expected(outcomes: Outcomes, moving: Plan | Whole) -> Outcomes:
    """The outcomes when these tags have moved as well."""
    tags, artifact_tags = as_if_moved(moving.tags), as_if_moved(moving.artifact_tags)
    return dataclasses.replace(outcomes, tags=tags, artifact_tags=artifact_tags)
