# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Records attached to the images that a task promotes, by its option ``record``."""

from __future__ import annotations

import typing as t

from .._end._end import End
from .._model._actions import PROMOTE
from .._model._errors import InvalidInput, RegistryError
from .._model._shown import first_of
from .._model._times import format_time, utc_now
from .._promotion._outcomes import Outcomes
from .._promotion._plan import Place, Plan
from .._promotion._record import Record, RecordedImage
from .._promotion._record_referrers import Attached, Coming, attach_records, records_of_images
from .._promotion._recording import Recording, record_so_far
from .._promotion._signing import Signer, read_signer
from ._record_arguments import record_texts
from ._task import Task

Plain = dict[str, t.Any]

_SIGN_WITH, _PASSPHRASE = "record.sign_with", "record.sign_passphrase"
_MOST_NAMED = 20
"""Images that one warning names."""


class Attaching:
    """How the records of a task are attached, and what came of it. Made before anything is asked of a registry."""

    def __init__(self, task: Task) -> None:
        """Raises :class:`InvalidInput` and :class:`LocalFileError` where the options can't be used."""
        self._task = task
        options = task.params.get("record") or {}
        self._is_wanted: bool = options.get("attach") is True
        self._signer = _signer(options, self._is_wanted)
        self._texts = record_texts(task) if self._is_wanted else None
        self._begun_at = format_time(utc_now())
        self._images: tuple[RecordedImage, ...] = ()
        """Those of the plan, in its order, as their record has them."""
        self._records: dict[Place, Record] = {}
        self._outcomes: dict[Place, Attached | RegistryError] = {}

    def attach(
        self, source: End, destination: End, plan: Plan, outcomes: Outcomes, recording: Recording | None
    ) -> None:
        """Attach a record to each image that was promoted, if that is asked for. What is refused is a warning."""
        if self._texts is None:
            return
        if recording is None:
            record = record_so_far(plan, outcomes, self._begun_at, self._texts)
            record = record._replace(finished_at=format_time(utc_now()))
        elif recording.ended is not None:
            record = recording.ended
        else:
            return
        known = {image.place: plan.manifests_by_place.get(image.place) or image.present for image in plan.images}
        found = {place: manifest for place, manifest in known.items() if manifest is not None}
        self._images = record.images
        self._records = records_of_images(record)
        coming = _coming(source, plan) if self._task.check_mode else None
        self._outcomes = attach_records(destination, self._records, found, self._signer, coming)
        self._warn(destination.name)

    def told(self, plan: Plan) -> list[bool | None]:
        """For each image of a plan, whether a record is attached to it; None where none had to be."""
        if not self._images:
            return [None] * len(plan.images)
        # Of two images that are one digest, the other may be refused.
        return [
            isinstance(self._outcomes.get((image.repository, image.digest)), Attached)
            if image.action == PROMOTE
            else None
            for image in self._images
        ]

    @property
    def changed(self) -> bool:
        """Whether anything was attached, or would be."""
        return any(isinstance(one, Attached) and one.pushed for one in self._outcomes.values())

    def diff(self, destination: End) -> list[Plain]:
        """The rows of a diff for what was attached, or would be."""
        rows = []
        for (repository, digest), outcome in self._outcomes.items():
            if isinstance(outcome, Attached) and outcome.pushed:
                name = f"{destination.name}/{repository}@{digest}"
                environment = self._records[repository, digest].environment
                about = f" to {environment}" if environment else ""
                line = f"record of the promotion{about}: attached, {'signed' if self._signer else 'not signed'}\n"
                rows.append({"before_header": name, "after_header": name, "before": "", "after": line})
        return rows

    def _warn(self, destination: str) -> None:
        errors = {place: one for place, one in self._outcomes.items() if isinstance(one, RegistryError)}
        if errors:
            names = [f"{destination}/{repository}@{digest}" for repository, digest in errors]
            first = next(iter(errors.values()))
            self._task.module.warn(
                f"No record is attached to {first_of(names, _MOST_NAMED)}, which the promotion itself does not "
                f"need: {first}"
            )


def _coming(source: End, plan: Plan) -> dict[Place, Coming]:
    """What will be copied with the images of a plan."""
    return {
        image.place: Coming(source, image.item.repository, frozenset(one.digest for one in image.copied_artifacts))
        for image in plan.promoted
        if image.copied_artifacts
    }


def _signer(options: Plain, is_wanted: bool) -> Signer | None:
    """The key that signs; None where none is given."""
    key, passphrase = options.get("sign_with"), options.get("sign_passphrase")
    if key is None:
        if passphrase:
            raise InvalidInput(f"{_PASSPHRASE}: it belongs to a private key, and no {_SIGN_WITH} is given")
        return None
    if not key.strip():
        raise InvalidInput(
            f"{_SIGN_WITH}: it is empty", hint="Give the key, or leave it out to attach unsigned records"
        )
    if not is_wanted:
        raise InvalidInput(
            f"{_SIGN_WITH}: only attached records are signed, and attach is not set", hint="Give record.attach: true"
        )
    return read_signer(key, passphrase, _SIGN_WITH, _PASSPHRASE)
