# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules in place: where they run so, what they leave, how they end, and that nobody can tell it otherwise."""

from __future__ import annotations

from equal import ends_in_place, modules_are_equal, processes_are_equal
from runs import main
from secret import nothing_is_shown
from stopped import nothing_goes_on
from where import debugging_leads_to_a_payload, rules_hold, without_requests_there_is_a_payload

main(
    [
        rules_hold,
        debugging_leads_to_a_payload,
        without_requests_there_is_a_payload,
        modules_are_equal,
        processes_are_equal,
        ends_in_place,
        nothing_is_shown,
        nothing_goes_on,
    ]
)
