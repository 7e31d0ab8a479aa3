# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The port: what a source or destination is. All that compares, copies and tags works on it, and knows nothing else.

``_end`` has what a side promises (:class:`.End`), ``_deleting`` what one promises besides that deletes.
``_remembering`` keeps the answers of one while a task compares and judges. The other files are the values that go in
and out: ``_purpose`` (why somebody looks), ``_referrers``, ``_upload_session``, ``_upload_form`` and ``_body``. There
are two sides so far: ``_registry``, over HTTP, and ``_layout``, in files.

To add another one, such as a store of objects:

1. A package beside ``_layout``, above ``_end`` and below ``_blobs``, in ``ROOMS`` of ``tools/rules.py``. Its class has
   the methods and attributes of :class:`.End`. It doesn't inherit from it: mypy compares the two wherever one is
   handed in, and docstrings say only what is particular.
2. What it can't do has an answer in the port. Without uploads in chunks: ``UploadForm()``, and :class:`.Unsupported`
   from ``patch_upload`` and ``get_upload``. Without mounts: ``mount_blob`` starts an upload. Without partial reads:
   ``get_blob`` begins at 0. With nothing to wait for: ``retries`` is 0, and ``back_off`` does nothing.
3. What the callers rely on: digests and sizes are those of the exact bytes; what ``put_upload`` and ``put_manifest``
   have taken is found by the next ``head_``; a manifest that is refused because of what it refers to is refused with
   :class:`.ReferencesMissing`; ``list_referrers`` says ``proven=False`` rather than guess.
4. ``_module`` opens it from the options of a module; nothing between needs to change. ``test__layout`` shows how a side
   is tested, by the functions that use it.
"""
