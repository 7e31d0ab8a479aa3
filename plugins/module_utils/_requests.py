# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.

"""The one place where ``requests`` is imported: it may be missing where a module runs, and must not be asked for twice."""

from __future__ import annotations

import traceback

REQUESTS_IMPORT_ERROR = ""
try:
    import requests
    import requests.adapters
    import requests.utils
    import urllib3.exceptions
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()
else:
    # Users who set validate_certs to false have been told; a line per connection would say no more.
    requests.packages.urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

__all__ = ["REQUESTS_IMPORT_ERROR", "requests", "urllib3"]
