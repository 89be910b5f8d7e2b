#!/bin/sh
# Builds the Collector of main.go from Debian's packages: build.sh WORK_FOLDER  ->  WORK_FOLDER/otelcol
# Installs nothing: the packages (330 MB) come from sid of the archive that this machine's own apt is set up with, and
# are unpacked below WORK_FOLDER. A binary that is there already is kept. Takes 5 to 10 minutes on one core.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
work=$(cd "$1" && pwd)
[ ! -x "$work/otelcol" ] || exit 0

# An apt of its own: its own sources, lists, status and archives, so that the system's stay as they are.
apt=$work/apt
mkdir -p "$apt/lists/partial" "$apt/archives/partial" "$apt/none"
: > "$apt/status"
archive=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | head -n 1)
[ -n "$archive" ] || { echo "build.sh: apt knows no archive: run apt-get update" >&2; exit 2; }
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $archive sid main" > "$apt/sources.list"
set -- -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts="$apt/none" \
	-o Dir::State::Lists="$apt/lists" -o Dir::State::status="$apt/status" -o Dir::Cache::archives="$apt/archives" \
	-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= -o Acquire::Languages=none -o APT::Sandbox::User=
apt-get "$@" -q update
apt-get "$@" -q -y --no-install-recommends --download-only install golang-opentelemetry-collector-dev golang-go

for package in "$apt"/archives/golang-*.deb; do
	dpkg -x "$package" "$work/root"
done
go=$(ls -d "$work"/root/usr/lib/go-1.*/bin/go | sort -V | tail -n 1)
mkdir -p "$work/gopath/src/mcpobs-otelcol"
cp "$here/main.go" "$work/gopath/src/mcpobs-otelcol/"
cd "$work/gopath/src/mcpobs-otelcol"
env GOPATH="$work/gopath:$work/root/usr/share/gocode" GOCACHE="$work/gocache" \
	GO111MODULE=off GOTOOLCHAIN=local GOFLAGS= CGO_ENABLED=0 \
	nice -n 10 "$go" build -p 1 -trimpath -ldflags '-s -w' -o "$work/otelcol.new" .
mv "$work/otelcol.new" "$work/otelcol"
rm -rf "$work/apt" "$work/root" "$work/gopath" "$work/gocache"
