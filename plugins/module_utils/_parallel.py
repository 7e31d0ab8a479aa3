# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Many independent pieces of work in a bounded number of threads, each with its own outcome."""

from __future__ import annotations

import concurrent.futures
import typing as t

from ._errors import RegistryError

Item = t.TypeVar("Item")
Result = t.TypeVar("Result")


def run_all(work: t.Callable[[Item], Result], items: t.Sequence[Item], jobs: int) -> list[Result | RegistryError]:
    """Do ``work`` for all items, at most ``jobs`` at a time. Returns the results, or the errors, in the items' order.

    Only :class:`RegistryError` is an outcome; anything else is a defect and is raised as soon as what runs has ended.
    """

    def outcome(item: Item) -> Result | RegistryError:
        try:
            return work(item)
        except RegistryError as error:
            return error

    if len(items) <= 1 or jobs <= 1:
        return [outcome(item) for item in items]
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(jobs, len(items))) as pool:
        futures = [pool.submit(outcome, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            for future in futures:
                future.cancel()
            raise
