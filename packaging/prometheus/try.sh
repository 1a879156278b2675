#!/usr/bin/env bash
# Tries the metrics, the alerts and the dashboard on a real Prometheus that scrapes the
# demo: every query of the dashboard has to be answered, with data.
#
#   packaging/prometheus/try.sh [PKGMETAD]      default: it is built
#
# Needs Debian's package prometheus, curl and jq; without them it does nothing, and says
# so. SECONDS_RUN says for how long Prometheus watches before it is asked, SHOT names a
# PNG to draw of the queries (with Chromium).
set -euo pipefail
cd "$(dirname "$0")/../.."

for tool in prometheus promtool curl jq; do
	if ! command -v "$tool" >/dev/null; then
		echo "skipped: there is no $tool (Debian's packages prometheus, curl, jq)"
		exit 0
	fi
done
folder=$(mktemp -d)
trap 'kill ${running:-} 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$folder"' EXIT
running=

program=${1:-}
if [ -z "$program" ]; then
	program=$folder/pkgmetad
	go build -o "$program" ./cmd/pkgmetad
fi

promtool check rules packaging/prometheus/rules.yaml
promtool check config packaging/prometheus/prometheus.yaml
promtool test rules packaging/prometheus/rules_test.yaml

# said PATTERN FILE: waits, at most 30 s, until the file has a line that matches, and
# prints what the pattern's group matched.
said() {
	for _ in $(seq 300); do
		local found
		found=$(sed -nE "s#.*$1.*#\\1#p" "$2" | head -n 1)
		if [ -n "$found" ]; then
			printf '%s\n' "$found"
			return
		fi
		sleep 0.1
	done
	printf 'nothing like %s in %s:\n' "$1" "$2" >&2
	cat "$2" >&2
	return 1
}

"$program" demo --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 >"$folder/stdout" 2>"$folder/log" &
running=$!
metrics=$(said 'metrics at http://([^/]+)/metrics' "$folder/log")
api=$(said 'serving (http://[^/]+)/' "$folder/log")
curl -sf "http://$metrics/metrics" | promtool check metrics
curl -sf "http://$metrics/debug/pprof/heap" >/dev/null

# Prometheus says which port it took only where it was told one.
port=$(shuf -i 20000-32000 -n 1)
mkdir "$folder/prometheus"
cp packaging/prometheus/rules.yaml "$folder/prometheus/"
sed -e "s/127.0.0.1:8081/$metrics/" -e 's/30s/1s/g' packaging/prometheus/prometheus.yaml >"$folder/prometheus/prometheus.yaml"
prometheus --config.file="$folder/prometheus/prometheus.yaml" --storage.tsdb.path="$folder/data" \
	--web.listen-address="127.0.0.1:$port" >"$folder/prometheus.log" 2>&1 &
running="$running $!"
said '(Server is ready)' "$folder/prometheus.log" >/dev/null

# Clients ask, now and then for what is not there.
end=$((SECONDS + ${SECONDS_RUN:-30}))
while [ "$SECONDS" -lt "$end" ]; do
	for path in packages/ packages/1609/ 'search/?q=forms' packages/nothing/; do
		curl -s -o /dev/null "$api/api/v4/$path"
	done
	sleep 0.2
done

# ask QUERY: the number of series that Prometheus answers with.
ask() {
	curl -s "http://127.0.0.1:$port/api/v1/query" --data-urlencode "query=$1" |
		jq -er 'if .status == "success" then .data.result | length else "\(.error)\n" | halt_error(1) end'
}
queries=0 failed=
while IFS= read -r query; do
	query=${query//\$job/pkgmetad}
	query=${query//\$instance/.*}
	query=${query//\$__rate_interval/25s}
	queries=$((queries + 1))
	if ! series=$(ask "$query"); then
		printf 'FAILED: %s\n' "$query"
		failed=yes
	elif [ "$series" = 0 ] && [[ ! $query =~ pkgmetad_(store_max_size_bytes|cluster_) ]]; then # the demo is one host, whose store has no limit
		printf 'NO DATA: %s\n' "$query"
		failed=yes
	fi
done < <(jq -r '.. | .expr? // empty' packaging/grafana/dashboard.json)

# The rules are evaluated, and the demo is well.
rules=$(curl -sf "http://127.0.0.1:$port/api/v1/rules")
jq -r '.data.groups[].rules[] | select(.health != "ok") | "NOT EVALUATED: \(.name): \(.lastError)"' <<<"$rules" | tee "$folder/unwell"
jq -r '.data.groups[].rules[] | select(.state == "firing") | "FIRES: \(.name)"' <<<"$rules" | tee -a "$folder/unwell"
[ ! -s "$folder/unwell" ] || failed=yes

if [ -n "${SHOT:-}" ]; then
	set -- 'sum by (state) (pkgmetad_packages{upstream="github"})' \
		'sum by (outcome) (pkgmetad_sources_total)' 'pkgmetad_budget_remaining_requests' \
		'sum by (route) (rate(pkgmetad_http_requests_total[25s]))'
	url="http://127.0.0.1:$port/graph?" n=0
	for query; do
		url+="g$n.expr=$(jq -rn --arg q "$query" '$q | @uri')&g$n.tab=0&g$n.stacked=0&g$n.range_input=2m&"
		n=$((n + 1))
	done
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --virtual-time-budget=15000 \
		--window-size=1400,3400 --screenshot="$SHOT" "$url" >/dev/null 2>&1
fi

[ -z "$failed" ] || exit 1
printf '%d queries of the dashboard and %d alerts, on %s\n' "$queries" "$(jq '[.data.groups[].rules[]] | length' <<<"$rules")" "$(prometheus --version 2>&1 | sed -n 's/^\(prometheus, version [^ ]*\).*/\1/p')"
