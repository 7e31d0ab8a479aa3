# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records of promotions, for tests of what writes, reads and follows them."""

from __future__ import annotations

import copy
import typing as t

from ansible_collections.imageops.registry.plugins.module_utils._promotion._gates import GateResult
from ansible_collections.imageops.registry.plugins.module_utils._promotion._record import (
    NotReverted,
    Record,
    RecordedBytes,
    RecordedImage,
    RecordedTag,
    statement_of,
)
from ansible_collections.imageops.registry.plugins.module_utils._promotion._signatures import Signature
from ansible_collections.imageops.registry.tests.unit.support.documents import DIGEST, OTHER_DIGEST

Plain = dict[str, t.Any]
Place = tuple[t.Union[str, int], ...]
"""Where in a statement something is: names of keys, and numbers in lists."""

APP = RecordedImage(
    reference="dev.example:5000/team/app:1.4.2",
    repository="prod/app",
    digest=DIGEST,
    source_digest=DIGEST,
    tags=(
        RecordedTag("1.4.2", "", DIGEST, "create"),
        RecordedTag("stable", OTHER_DIGEST, DIGEST, "replace"),
    ),
    action="promote",
    bytes=RecordedBytes(264216, 1024, 7),
    gates=(
        GateResult("team label", True, "error", True, "Images need the label team"),
        GateResult("small", False, "warning", {"total_size": 9}, "It is large"),
    ),
    signatures=(
        Signature("sigstore_bundle", OTHER_DIGEST, DIGEST, True, "key:Jq5g"),
        Signature("notation", OTHER_DIGEST, DIGEST, reason="it has expired"),
    ),
)
"""An image that is promoted, with two tags."""
EQUAL = RecordedImage(
    reference="dev.example:5000/team/web:2",
    repository="team/web",
    digest=OTHER_DIGEST,
    source_digest=OTHER_DIGEST,
    tags=(RecordedTag("2", OTHER_DIGEST, OTHER_DIGEST, "exists"),),
    action="unchanged",
)
"""An image that was there."""
DONE = Record(
    source="dev.example:5000",
    destination="prod.example",
    images=(APP, EQUAL),
    begun_at="2026-05-31T12:00:00Z",
    outcome="done",
    environment="production",
    actor="ci",
    job="https://ci.example/jobs/7",
    reason="CHG-1234",
    finished_at="2026-05-31T12:00:09Z",
    collection_version="0.9.0",
)
"""A promotion that ended well."""
BEGUN = DONE._replace(outcome="begun", finished_at="")
"""The same while its tags move."""
FAILED = DONE._replace(
    outcome="failed",
    images=(APP._replace(action="failed"), EQUAL),
    not_reverted=(NotReverted("prod/app", "1.4.2", DIGEST, "", "the registry cannot remove a tag alone"),),
)
"""A promotion with a tag that could not go back."""


def with_value(record: Record, place: Place, value: t.Any) -> Plain:
    """The statement of a record with something else in one place."""
    statement = copy.deepcopy(statement_of(record))
    found: t.Any = statement
    for name in place[:-1]:
        found = found[name]
    found[place[-1]] = value
    return statement


def without(record: Record, place: Place) -> Plain:
    """The statement of a record without one key."""
    statement = copy.deepcopy(statement_of(record))
    found: t.Any = statement
    for name in place[:-1]:
        found = found[name]
    del found[place[-1]]
    return statement


def keys_of(record: Record) -> list[Place]:
    """The places of all keys in a statement, but those in values of gates, which may be anything."""
    return [place for place in _keys_in(statement_of(record), ()) if "value" not in place[:-1]]


def _keys_in(value: t.Any, place: Place) -> t.Iterator[Place]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in entries:
        if isinstance(name, str):
            yield (*place, name)
        yield from _keys_in(inner, (*place, name))
