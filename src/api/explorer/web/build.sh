#!/usr/bin/env bash
# Rebuilds ../assets from this folder and its lock file; with --check only says whether they are fresh.
set -euo pipefail
cd "$(dirname "$0")"
npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
node build.mjs "$@"
