#!/usr/bin/env bash
# Installs the .deb as an operator does: in a fresh Debian with a booted systemd, in a
# namespace without a network. Installed, started, watched, killed, reloaded, activated
# by its socket, upgraded, removed and purged. Needs root, debootstrap and
# systemd-nspawn, and Debian's archive for the fresh system; says so and ends well
# where the machine has none of it.
#
#   packaging/test-deb.sh PACKAGE.deb
#
#   DEBIAN_ROOT    a folder with a Debian from an earlier run of debootstrap, which is
#                  copied; made anew where it is not set
set -euo pipefail
package=$(realpath "$1")
here=$(realpath "$(dirname "$0")")

skip() { echo "skipped: $*"; exit 0; }
[ "$(id -u)" = 0 ] || skip "installing the .deb needs root"
[ "$(dpkg --print-architecture 2>/dev/null)" = "$(dpkg-deb -f "$package" Architecture 2>/dev/null)" ] || skip "no Debian of the package's architecture"
for tool in debootstrap systemd-nspawn; do
	command -v "$tool" >/dev/null || skip "$tool is missing (apt-get install debootstrap systemd-container)"
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
if [ -n "${DEBIAN_ROOT:-}" ]; then
	cp -a "$DEBIAN_ROOT" "$root"
else
	. /etc/os-release
	mirror=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
		sed -nE 's/^deb (\[[^]]*\] )?(http[^ ]*\/debian)\/? .*/\2/p; s/^URIs: *(http[^ ]*\/debian)\/?$/\1/p' | head -1)
	if ! debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,curl,ca-certificates,procps \
		"$VERSION_CODENAME" "$root" ${mirror:+"$mirror"} >"$work/log" 2>&1; then
		tail -3 "$work/log"
		skip "debootstrap cannot make a Debian here"
	fi
fi
rm -f "$root"/etc/machine-id && touch "$root/etc/machine-id"

# The same package as a later version, to upgrade to.
dpkg-deb -R "$package" "$work/next"
sed -i 's/^Version: .*/Version: 999.0/' "$work/next/DEBIAN/control"
mkdir "$root/test"
dpkg-deb --root-owner-group -Zgzip -z1 -b "$work/next" "$root/test/next.deb" >/dev/null
cp "$package" "$root/test/pkgmetad.deb"
cp "$here/test-deb-inside.sh" "$root/test/inside.sh"

# Where systemd does not run, as in a container: installed, checked, purged, nothing left.
files() { (cd "$root" && find etc usr lib/systemd var/lib -path var/lib/dpkg -prune -o -path var/cache -prune -o -path var/lib/apt -prune -o -print | sort); }
files >"$work/before"
inside() { chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@"; }
inside apt-get install -y -qq /test/pkgmetad.deb >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
inside pkgmetad version
inside pkgmetad config check --config /etc/pkgmetad/config.yaml
inside dpkg --verify pkgmetad
[ "$(readlink "$root/etc/systemd/system/multi-user.target.wants/pkgmetad.service")" ] || { echo "it would not start with the machine"; exit 1; }
inside apt-get purge -y -qq pkgmetad >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
files >"$work/after"
diff "$work/before" "$work/after" || { echo "the purge leaves that"; exit 1; }
echo "installed and purged without systemd: nothing is left"

# With systemd as it boots. The test is a unit, and the machine stops when it ends.
cat >"$root/etc/systemd/system/test.service" <<'UNIT'
[Unit]
After=dbus.service systemd-logind.service systemd-user-sessions.service
SuccessAction=poweroff-force
FailureAction=poweroff-force
[Service]
Type=oneshot
ExecStart=/bin/bash /test/inside.sh
StandardOutput=file:/test/output
StandardError=inherit
TimeoutStartSec=5min
UNIT
ln -s ../test.service "$root/etc/systemd/system/multi-user.target.wants/test.service"
timeout --kill-after=10 360 systemd-nspawn --quiet --directory="$root" --boot --register=no --keep-unit --private-network \
	</dev/null >"$work/console" 2>&1 || true
if [ ! -e "$root/test/output" ]; then
	tail -5 "$work/console"
	skip "systemd does not boot in a namespace here"
fi
cat "$root/test/output"
[ -e "$root/test/passed" ] || exit 1
