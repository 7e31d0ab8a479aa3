# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The one place where ``requests`` is imported: it may be missing where a module runs, which ``_task`` reports."""

from __future__ import annotations

import traceback
import typing as t

requests: t.Any = None
urllib3: t.Any = None
REQUESTS_IMPORT_ERROR = ""

try:
    import requests as _requests
    import urllib3 as _urllib3
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()
else:
    requests, urllib3 = _requests, _urllib3
    # Users who set validate_certs to false have been told; a line per connection would say no more.
    _urllib3.disable_warnings(_urllib3.exceptions.InsecureRequestWarning)
