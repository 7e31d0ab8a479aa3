# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.imageops.registry.plugins.module_utils._end._body import Body


def test_a_body_is_sent_in_pieces_that_a_slow_connection_takes_in_time() -> None:
    body = Body(iter([b"x" * 600 * 1024, b"y" * 10]), 600 * 1024 + 10)
    pieces = list(body)
    assert [len(piece) for piece in pieces] == [256 * 1024, 256 * 1024, 88 * 1024, 10]
    assert b"".join(pieces) == b"x" * 600 * 1024 + b"y" * 10
