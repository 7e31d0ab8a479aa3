# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The version of the collection. Where modules run, there is no ``galaxy.yml``; ``make lint`` compares the two."""

from __future__ import annotations

VERSION = "0.9.0"
