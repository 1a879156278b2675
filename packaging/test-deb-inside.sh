#!/bin/bash
# The part of test-deb.sh that runs inside, under the systemd that it booted.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin SYSTEMD_PAGER=cat

api=http://127.0.0.1:8080
fail() {
	echo "FAILED: $*"
	systemctl status --no-pager --lines=30 pkgmetad.service pkgmetad.socket || true
	exit 1
}
trap 'fail "line $LINENO: $BASH_COMMAND"' ERR
step() { echo "ok: $*"; }
apt() { apt-get -y -qq "$@" >/test/log 2>&1 || { cat /test/log; fail "apt-get $*"; }; }
# has PATTERN: what comes in has it. Unlike grep -q it reads to the end: who writes to a pipe
# that is closed fails, and with it the pipeline.
has() { grep "$@" >/dev/null; }
property() { systemctl show --property="$1" --value pkgmetad.service; }
logged() { journalctl --unit=pkgmetad.service --output=cat --no-pager | has -F -- "$1"; }

# told TEXT: fails unless the log of the daemon has the text.
told() { logged "$1" || fail "the log does not tell: $1"; }

# eventually WHAT COMMAND...: the command succeeds within 30 s.
eventually() {
	local what=$1
	shift
	for _ in $(seq 150); do
		if "$@" >/dev/null 2>&1; then return; fi
		sleep 0.2
	done
	fail "$what: $*"
}
serves() { curl -sf "$api/api/v4/packages/1609/" | has '"slug":"djorm-ext-pgfulltext"'; }
is() { [ "$(property "$1")" = "$2" ]; }
pid_is_new() { local now; now=$(property MainPID); [ "$now" != 0 ] && [ "$now" != "$1" ]; }

ip link set lo up 2>/dev/null || true # curl's own address

apt install /test/pkgmetad.deb
[ "$(systemctl is-enabled pkgmetad.service)" = enabled ]
is ActiveState inactive
systemctl start pkgmetad
serves
step "apt install, systemctl start: it serves the example catalogue"
systemctl --no-pager status pkgmetad | sed -n 's/^ *Status: */    /p'
property StatusText | has 'catalogue of 6 packages'
curl -sf "$api/readyz" >/dev/null
curl -sf "$api/livez" >/dev/null
[ "$(stat -c %a /var/lib/private/pkgmetad)" = 700 ]
[ -f /var/lib/pkgmetad/pkgmetad.db ]
step "its state is in /var/lib/pkgmetad, and its status line tells what it does"

security=$(systemd-analyze security pkgmetad.service --threshold=11 --no-pager | tail -1)
step "confined: $security"

pkgmetad show --config /etc/pkgmetad/config.yaml wagtail | has wagtail
step "root asks the daemon through its socket"

pid=$(property MainPID)
kill -KILL "$pid"
eventually "it comes back after a kill" pid_is_new "$pid"
eventually "it serves after a kill" serves
is NRestarts 1
step "kill -9: restarted, and serves"

cat >>/etc/pkgmetad/catalogue.yaml <<'YAML'
  - slug: another
YAML
systemctl reload pkgmetad
eventually "what is new is served" curl -sf "$api/api/v4/packages/another/"
eventually "it is active again" is ActiveState active
eventually "the status line tells" bash -c "systemctl show --property=StatusText pkgmetad | grep -q '7 packages'"
pid=$(property MainPID)
sed -i 's/^  listen:/  lisen:/' /etc/pkgmetad/config.yaml
if systemctl reload pkgmetad 2>/dev/null; then fail "a mistake in the configuration does not fail a reload"; fi
is ActiveState active
is MainPID "$pid"
serves
sed -i 's/^  lisen:/  listen:/' /etc/pkgmetad/config.yaml
cp /etc/pkgmetad/catalogue.yaml /test/catalogue
for n in $(seq 20); do echo "  - slug: more-$n"; done >>/etc/pkgmetad/catalogue.yaml
systemctl reload pkgmetad
curl -sf "$api/api/v4/packages/more-20/" >/dev/null # it is in force when the reload has ended
echo 'packages: [{slug: another}]' >/etc/pkgmetad/catalogue.yaml
if systemctl reload pkgmetad 2>/dev/null; then fail "a catalogue that was cut short does not fail a reload"; fi
told 'lacks 26 of the 27 packages'
is ActiveState active
curl -sf "$api/api/v4/packages/more-20/" >/dev/null
cp /test/catalogue /etc/pkgmetad/catalogue.yaml
pkgmetad reload --config /etc/pkgmetad/config.yaml --allow-removals
sed -i 's/^  listen:/  lisen:/' /etc/pkgmetad/config.yaml
step "reload: the catalogue is read again; a mistake, or one cut short, fails the reload, and the daemon goes on"

systemctl restart pkgmetad 2>/dev/null || true
is Result exit-code
is ExecMainStatus 78
sleep 7 # RestartSec, and more
is MainPID 0
sed -i 's/^  lisen:/  listen:/' /etc/pkgmetad/config.yaml
systemctl reset-failed pkgmetad
systemctl start pkgmetad
step "a bad configuration is tried once"

mkdir -p /etc/systemd/system/pkgmetad.service.d
printf '[Service]\nWatchdogSec=3s\n' >/etc/systemd/system/pkgmetad.service.d/test.conf
systemctl daemon-reload
systemctl restart pkgmetad
pid=$(property MainPID)
sleep 7
is MainPID "$pid"
kill -STOP "$pid"
eventually "the watchdog restarts what stands still" pid_is_new "$pid"
eventually "it serves after that" serves
told "Watchdog timeout"
rm -r /etc/systemd/system/pkgmetad.service.d
systemctl daemon-reload
step "watchdog: pinged, and a daemon that stands still is restarted"

told "no GitHub token"
mkdir -p -m 700 /etc/credstore
(umask 077 && echo canary-token-5f1d >/etc/credstore/pkgmetad.github-token)
systemctl restart pkgmetad
told 'GitHub is asked with default ($CREDENTIALS_DIRECTORY/github-token)'
if logged canary-token; then fail "the log tells the token"; fi
if logged "can be read by everybody"; then fail "it warns of systemd's own credential"; fi
step "credential: with /etc/credstore/pkgmetad.github-token a token, without it none"

systemctl start pkgmetad-refresh.service 2>/dev/null || [ "$(systemctl show --property=ExecMainStatus --value pkgmetad-refresh.service)" = 1 ]
journalctl --unit=pkgmetad-refresh.service --output=cat --no-pager | has -i -e 'repositor' -e 'Nothing to do'
systemctl stop pkgmetad
is Result success
told "pkgmetad stopped"
systemctl start pkgmetad-refresh.service 2>/dev/null || [ "$(systemctl show --property=ExecMainStatus --value pkgmetad-refresh.service)" = 1 ]
systemctl start pkgmetad-refresh.timer
systemctl stop pkgmetad-refresh.timer
step "stopped in order; one-shot passes, through the daemon and without it"

systemctl start pkgmetad
systemctl stop pkgmetad
systemctl enable --now pkgmetad.socket 2>/dev/null
systemctl start pkgmetad
eventually "it serves on systemd's socket" serves
told "is systemd's"
systemctl stop pkgmetad 2>/dev/null
is ActiveState inactive
serves
is ActiveState active
systemctl restart pkgmetad &
for _ in $(seq 20); do serves; done # no connection is refused
wait
systemctl disable --now pkgmetad.socket 2>/dev/null
systemctl stop pkgmetad.service
step "socket: started by the first connection, none refused through a restart"

systemctl start pkgmetad
eventually "it serves" serves
pid=$(property MainPID)
cp /etc/pkgmetad/catalogue.yaml /test/catalogue
apt -o Dpkg::Options::=--force-confold install /test/next.deb
pid_is_new "$pid"
cmp /etc/pkgmetad/catalogue.yaml /test/catalogue
serves
curl -sf "$api/api/v4/packages/another/" >/dev/null
systemctl disable pkgmetad.service 2>/dev/null
apt install --reinstall /test/next.deb
[ "$(systemctl is-enabled pkgmetad.service)" = disabled ]
step "upgrade: restarted, configuration and data kept, and a disabled unit stays disabled"

apt remove pkgmetad
if curl -s "$api/livez" >/dev/null; then fail "it still serves"; fi
[ -f /var/lib/private/pkgmetad/pkgmetad.db ] && [ -f /etc/pkgmetad/config.yaml ]
apt install /test/next.deb
systemctl start pkgmetad
curl -sf "$api/api/v4/packages/another/" >/dev/null
step "removed: data and configuration stay, for who comes back"

apt purge pkgmetad
for left in /var/lib/pkgmetad /var/lib/private/pkgmetad /etc/pkgmetad /usr/bin/pkgmetad /etc/systemd/system/multi-user.target.wants/pkgmetad.service; do
	if [ -e "$left" ] || [ -L "$left" ]; then fail "the purge leaves $left"; fi
done
step "purged: nothing is left"

apt install /test/pkgmetad.deb
{ cat /etc/pkgmetad/catalogue.yaml; echo '  - slug: mine'; } >/test/mine.yaml
pkgmetad import --config /etc/pkgmetad/config.yaml /test/mine.yaml
systemctl start pkgmetad
curl -sf "$api/api/v4/packages/mine/" >/dev/null
systemctl stop pkgmetad
[ -L /var/lib/pkgmetad ]
mv /var/lib/pkgmetad/pkgmetad.db /test/backup.db
cp /test/backup.db /var/lib/pkgmetad/pkgmetad.db # as root, whose file it then is
chown --reference=/var/lib/pkgmetad/ /var/lib/pkgmetad/pkgmetad.db
systemctl start pkgmetad
curl -sf "$api/api/v4/packages/mine/" >/dev/null
pkgmetad show --config /etc/pkgmetad/config.yaml mine >/dev/null
step "imported by root before the first start; put back from a copy"
touch /test/passed
