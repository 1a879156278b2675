#!/usr/bin/env bash
# Builds the image from a release's archive and runs it: without root, on a root that is
# read-only, without a network. Needs root and podman; says so and ends well without.
#
#   packaging/test-container.sh ARCHIVE.tar.gz
set -euo pipefail
archive=$(realpath "$1")

skip() { echo "skipped: $*"; exit 0; }
[ "$(id -u)" = 0 ] || skip "the test of the container needs root"
command -v podman >/dev/null || skip "podman is missing (apt-get install podman)"
[ -f /etc/ssl/certs/ca-certificates.crt ] || skip "there are no roots of trust (apt-get install ca-certificates)"

work=$(mktemp -d)
name=pkgmetad-test-$$
storage=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
runtime=()
! command -v runc >/dev/null || runtime=(--runtime=runc) # it knows older control groups than crun
cleanup() {
	podman "${storage[@]}" rm --force --volumes "$name" >/dev/null 2>&1 || true
	podman "${storage[@]}" volume rm --force "$name" >/dev/null 2>&1 || true
	rm -rf "$work"
}
trap cleanup EXIT

# has PATTERN: what comes in has it. Unlike grep -q it reads to the end: who writes to a pipe
# that is closed fails, and with it the pipeline.
has() { grep "$@" >/dev/null; }

tar -x -C "$work" --strip-components=1 --file "$archive"
cd "$work"
podman "${storage[@]}" build --quiet --build-context roots=/etc/ssl/certs --tag "$name" --file container/Containerfile . >"$work/log" 2>&1 ||
	{ tail -5 "$work/log"; skip "podman builds nothing here"; }
run() { podman "${storage[@]}" "${runtime[@]}" run --ulimit="nofile=1024:1024" --ulimit="nproc=1024:1024" --read-only --network none --volume "$name:/var/lib/pkgmetad" --name "$name" "$@"; }
run --rm "$name" version >"$work/log" 2>&1 || { tail -5 "$work/log"; skip "podman runs nothing here"; }
cat "$work/log"

run --detach "$name" >/dev/null
inside() { nsenter --target "$(podman "${storage[@]}" inspect --format '{{.State.Pid}}' "$name")" --net "$@"; }
served() { inside curl -sf http://127.0.0.1:8080/api/v4/packages/1609/ | has '"slug":"djorm-ext-pgfulltext"'; }
for _ in $(seq 100); do
	if served; then break; fi
	sleep 0.2
done
served || { podman "${storage[@]}" logs "$name"; echo "the container does not serve the example catalogue"; exit 1; }
podman "${storage[@]}" exec "$name" /usr/bin/pkgmetad show --config /etc/pkgmetad/config.yaml wagtail >/dev/null
pid=$(podman "${storage[@]}" inspect --format '{{.State.Pid}}' "$name")
grep -q '^Uid:[[:space:]]*65532' "/proc/$pid/status" || { echo "the container runs as another user"; exit 1; }
podman "${storage[@]}" stop --time 30 "$name" >/dev/null
podman "${storage[@]}" logs "$name" 2>&1 | has 'pkgmetad stopped' || { echo "the container did not stop in order"; exit 1; }
echo "ok: the container serves the example catalogue, as user 65532 on a read-only root, and stops in order"
