# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""A registry: one method for each endpoint of the distribution specification.

``_registry`` has the endpoints; it asks by ``_asking`` and ``_paths``. What answers mean is in ``_locations`` (where to
go on, and from which byte), ``_pages`` (lists), ``_blob_reads`` (ranges that aren't given), ``_refusals`` (errors),
``_denials`` and ``_absence`` (whether it is true that something isn't there), and ``_referrers_lookup`` (which list of
referrers to believe).
"""
