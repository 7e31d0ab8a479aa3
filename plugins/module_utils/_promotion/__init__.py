# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Promotion: making a destination repository serve the same digest as a source repository under given tags.

Compares, plans, and carries out plans by the layers below. A plan is one value (``_plan``), made by one function
(``_make_plan``). What it is as plain data, and what plain data is a plan, one file says (``_plan_as_plain``).
"""
