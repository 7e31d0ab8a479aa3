# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""An OCI image layout, in a directory or a tar archive, as an end of a promotion.

It answers like a registry (``_layout._layout.Layout``), so that what compares, copies and tags between registries works
on it as it does on them.
"""
