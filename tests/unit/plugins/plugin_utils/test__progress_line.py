# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import typing as t

import pytest
from ansible_collections.imageops.registry.plugins.plugin_utils._progress_line import ProgressLines, size


def state(moved: int = 0, flying: int = 0, name: str = "a/b") -> str:
    entry = {"repository": name, "digest": "sha256:" + "1" * 64, "size": 20, "bytes": 5}
    return json.dumps(
        {
            "blobs": 3,
            "blobs_done": 1,
            "bytes": 3_000_000,
            "bytes_done": moved,
            "bytes_moved": moved,
            "in_flight": [entry] * flying,
        }
    )


def test_a_line_has_counts_rate_and_what_is_in_flight() -> None:
    lines = ProgressLines("web1: blob")
    assert lines.line(state(1_000_000), 10.0) == "web1: blob: 1 of 3 blobs, 1.0 MB of 3.0 MB"
    assert lines.line(state(2_000_000, flying=5), 12.0) == (
        "web1: blob: 1 of 3 blobs, 2.0 MB of 3.0 MB, 500 kB/s; sending "
        + "a/b@sha256:111111111111 5 B of 20 B, " * 3
        + "2 more"
    )


def test_nothing_new_is_no_line() -> None:
    lines = ProgressLines("blob")
    assert lines.line(state(1), 1.0)
    assert lines.line(state(1), 2.0) == ""


@pytest.mark.parametrize("text", ["", "{", "[]", "7", "{}", '{"blobs": {}}', state().replace("3000000", "NaN")])
def test_what_is_no_state_is_passed_over(text: str) -> None:
    assert ProgressLines("blob").line(text, 1.0) == ""


def test_control_characters_do_not_reach_the_screen() -> None:
    line = ProgressLines("blob").line(state(1, flying=1, name="a\x1b[2J\r\nb"), 1.0)
    assert "sending a[2Jb@sha256" in line and line.isprintable()


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "2 kB"), (264_216, "264 kB"), (1_073_741_824, "1.1 GB"), (10**18, "1000.0 PB")],
)
def test_sizes_are_easy_to_read(number: t.Any, text: str) -> None:
    assert size(number) == text
