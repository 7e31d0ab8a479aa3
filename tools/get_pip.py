# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Stands in for the script with which ansible-test brings pip into a new virtual environment.

The pip that comes with Python will do: installing the version that ansible-test asks for would only take time.
"""

from __future__ import annotations

import ensurepip
import subprocess
import sys

if __name__ == "__main__":
    ensurepip.bootstrap(upgrade=True)
    packages = [argument for argument in sys.argv[1:] if not argument.startswith(("-", "pip=="))]
    if packages:
        subprocess.check_call([sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *packages])
