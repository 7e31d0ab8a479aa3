# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The faults by name, each a difference between registries or a way in which a network fails."""

from __future__ import annotations

from errors import HarnessError
from faults.absence import HeadAbsent, HeadRefused, NoRegistry, SignedForGet
from faults.answers import AbsentIsDenied, HtmlErrors, HtmlPages, NoDigestHeader, RepositoryMustExist
from faults.base import Fault
from faults.connections import (
    CutDownload,
    CutDownloadClean,
    CutUpload,
    LostAnswers,
    LostTagAnswer,
    Refused,
    ResetRequests,
    SilentClose,
    Stall,
)
from faults.contents import (
    ContentEncoding,
    EndlessBody,
    LargeManifest,
    NoRange,
    WrongBytes,
    WrongManifest,
    WrongRange,
    WrongSize,
)
from faults.media_types import ForeignReferrer, Notice, Policy, Throttled, TypeRefused, WrongType
from faults.moves import DeletePending, PortLost, RangePerChunk, RangeRefused, RelativeRealm, SessionStuck
from faults.network import Delay
from faults.referrer_answers import FailingReferrers, LateReferrers, MalformedReferrers
from faults.referrer_lists import (
    DeniedReferrers,
    EmptyReferrers,
    LostReferrers,
    MistypedReferrers,
    PromisedReferrers,
    RefusedList,
)
from faults.referrers import ReferrersAPI
from faults.sessions import BlobForgotten, SessionGone
from faults.statuses import ExpiredToken, Quota, RetryAfter, Status, StatusAlways, StatusEarly, TokenStatus
from faults.storage import DiskFull
from faults.tags import (
    DeletesOff,
    DeleteUntaggedOnly,
    EndlessPages,
    ImmutableTags,
    NullTags,
    OpaquePages,
    TagRefused,
    TagTaken,
)
from faults.uploads import BodyLimit, ChunkMaximum, ChunkMinimum, MountRefused, NoChunks, RangeStandsStill


def _by_name(*faults: type[Fault]) -> dict[str, type[Fault]]:
    return {fault.name: fault for fault in faults}


DIFFERENCES = _by_name(
    NoDigestHeader,
    AbsentIsDenied,
    HtmlErrors,
    HtmlPages,
    HeadAbsent,
    HeadRefused,
    SignedForGet,
    RepositoryMustExist,
    MountRefused,
    RangeStandsStill,
    ChunkMinimum,
    ChunkMaximum,
    NoChunks,
    BodyLimit,
    ImmutableTags,
    OpaquePages,
    EndlessPages,
    NullTags,
    DeletesOff,
    DeleteUntaggedOnly,
    DeletePending,
    ReferrersAPI,
    ForeignReferrer,
    WrongType,
    TypeRefused,
    Policy,
    Throttled,
    Notice,
    RangeRefused,
    RangePerChunk,
    SessionStuck,
    PortLost,
    RelativeRealm,
    EmptyReferrers,
    PromisedReferrers,
    LostReferrers,
    MistypedReferrers,
    DeniedReferrers,
    RefusedList,
    MalformedReferrers,
    FailingReferrers,
    LateReferrers,
)
"""Ways in which registries differ that work."""

FAILURES = _by_name(
    Delay,
    Refused,
    ResetRequests,
    LostAnswers,
    LostTagAnswer,
    TagRefused,
    TagTaken,
    SilentClose,
    Stall,
    CutDownload,
    CutDownloadClean,
    CutUpload,
    Status,
    StatusEarly,
    StatusAlways,
    RetryAfter,
    Quota,
    ExpiredToken,
    TokenStatus,
    SessionGone,
    BlobForgotten,
    DiskFull,
    NoRange,
    WrongRange,
    WrongBytes,
    WrongSize,
    WrongManifest,
    ContentEncoding,
    LargeManifest,
    EndlessBody,
    NoRegistry,
)
"""Ways in which networks and registries fail, or give wrong content."""

FAULTS = {**DIFFERENCES, **FAILURES}


def parse_faults(text: str) -> list[Fault]:
    """Read ``NAME[=ARGUMENT][+NAME...]``, in the order in which they see a request. Raises :class:`HarnessError`."""
    found = []
    for part in text.split("+") if text else []:
        name, equals, argument = part.partition("=")
        if name not in FAULTS:
            raise HarnessError(f"Unknown fault '{name}'; the command faults --list names them.")
        if bool(equals) != bool(argument) or (argument and not FAULTS[name].argument):
            raise HarnessError(f"The fault '{name}' takes {FAULTS[name].argument or 'no argument'}.")
        found.append(FAULTS[name](argument))
    return found


def describe_faults() -> str:
    """A line for each fault: what it does, and what may follow its name."""
    width = max(map(len, FAULTS))
    return "\n".join(
        f"{fault.name:{width}}  {fault.summary}" + (f"; ARGUMENT: {fault.argument}" if fault.argument else "")
        for fault in FAULTS.values()
    )
