# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A credential helper that keeps what it has in a file, HELPER_FILE: {SERVER: [USER, SECRET]}, or [] to fail."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

if sys.argv[1:] != ["get"]:
    sys.exit("only get is known")
server = sys.stdin.read()
kept = json.loads(Path(os.environ["HELPER_FILE"]).read_text(encoding="utf-8"))
if server not in kept:
    print("credentials not found in native keychain")
    sys.exit(1)
if not kept[server]:
    print("the keychain is locked")
    sys.exit(1)
username, secret = kept[server]
print(json.dumps({"ServerURL": server, "Username": username, "Secret": secret}))
