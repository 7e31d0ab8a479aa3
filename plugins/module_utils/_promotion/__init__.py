# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""Promotion: making a destination repository serve the same digest as a source repository under given tags.

Compares and plans; what a plan leads to is done by the layers below. Plans are plain values, in the shapes in which
they are handed from task to task.
"""
