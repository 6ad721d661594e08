#!/bin/sh
# The first stage of an image: build.sh edge|bridge FOLDER, with pnpm on the path, at the repository's root.
set -eu
case "$1" in
  edge) package=edge ;;
  bridge) package=trainer-bridge ;;
  *) echo "PACKAGE: expected edge or bridge, received '$1'" >&2; exit 2 ;;
esac
pnpm install --frozen-lockfile --reporter=append-only --filter attune --filter "@attune/$package..."
pnpm --filter "@attune/$package..." --if-present run build:kernels
pnpm exec tsc -b "packages/$package"
node deploy/images/build.ts "$1" --out "$2"
