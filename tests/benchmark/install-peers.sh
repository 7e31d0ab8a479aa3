#!/bin/sh
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Build the tools that `make bench` compares besides skopeo, with Go: crane, regctl and oras.
# Usage: install-peers.sh [DIRECTORY]

set -eu

directory=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/imageops-peers}

command -v go >/dev/null || { echo "install-peers.sh: Go is needed to build the tools." >&2; exit 2; }

mkdir -p "$directory"
GOBIN=$(cd "$directory" && pwd)
export GOBIN
go install github.com/google/go-containerregistry/cmd/crane@v0.20.3
go install github.com/regclient/regclient/cmd/regctl@v0.11.5
go install oras.land/oras/cmd/oras@v1.3.0
echo "installed crane v0.20.3, regctl v0.11.5 and oras v1.3.0 in $directory"
