#!/usr/bin/env bash
# Installs the .rpm into a folder of its own, without its dependencies and scripts: its
# files are whole, the program runs, and a removal leaves nothing but a changed
# configuration. Needs rpm; says so and ends well without.
#
#   packaging/test-rpm.sh PACKAGE.rpm
set -euo pipefail
package=$(realpath "$1")
command -v rpm >/dev/null || { echo "skipped: rpm is missing (apt-get install rpm)"; exit 0; }
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
rpm() { command rpm --root "$root" "$@" 2> >(grep -v 'rpm should not be used directly\|use Alien\|However assuming\|^$' >&2); }

# has PATTERN: what comes in has it. Unlike grep -q it reads to the end: who writes to a pipe
# that is closed fails, and with it the pipeline.
has() { grep "$@" >/dev/null; }

rpm --initdb
rpm --install --nodeps --noscripts "$package"
"$root/usr/bin/pkgmetad" version
for file in usr/lib/systemd/system/pkgmetad.service usr/share/man/man1/pkgmetad-serve.1.gz usr/share/bash-completion/completions/pkgmetad; do
	[ -f "$root/$file" ] || { echo "the .rpm lacks /$file"; exit 1; }
done
rpm --verify --nodeps --noscripts pkgmetad
[ "$(rpm --query --configfiles pkgmetad | sort | tr '\n' ' ')" = "/etc/pkgmetad/catalogue.yaml /etc/pkgmetad/config.yaml " ]
rpm --query --requires pkgmetad | has ca-certificates
for script in postinstall preremove postremove; do sh -n "$(dirname "$0")/scripts/$script"; done
echo '# mine' >>"$root/etc/pkgmetad/config.yaml"
rpm --upgrade --force --nodeps --noscripts "$package"
grep -q '# mine' "$root/etc/pkgmetad/config.yaml" || { echo "an upgrade takes the configuration away"; exit 1; }
rpm --erase --nodeps --noscripts pkgmetad
left=$(cd "$root" && find etc usr -type f)
[ "$left" = etc/pkgmetad/config.yaml.rpmsave ] || { echo "the removal leaves $left"; exit 1; }
echo "ok: the .rpm installs, verifies, upgrades and goes"
