#!/usr/bin/env bash
# Measures what users wait for: whole processes, built for release, on this machine.
#
#   tests/bench/measure.sh            build, measure, print a table
#   RUNS=50 tests/bench/measure.sh    more samples of each
#   BIN=FILE tests/bench/measure.sh   measure a binary that is there already
#
# Wall time is the median of RUNS samples, with the least beside it: on a busy machine the least is nearer the truth.
# `cargo bench` measures what happens inside a process. Nothing here fails for being slow.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/../.."

RUNS=${RUNS:-20}
BOOK=runbooks/external-https-proxy
if [ -z "${BIN:-}" ]; then
  cargo build --release --locked --quiet --bin periplus
  BIN=$(cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/release/periplus
fi
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
export XDG_STATE_HOME=$WORK/state NO_COLOR=1

now_us() { echo "${EPOCHREALTIME/./}"; }

# row NAME REACH MICROSECONDS...: the median and the least of the samples, in milliseconds.
row() {
  local name=$1 reach=$2
  shift 2
  printf '%s\n' "$@" | sort -n | awk -v name="$name" -v reach="$reach" '
    { samples[NR] = $1 / 1000 }
    END { printf "%-52s %8.1f ms median %8.1f ms least   reach %s\n", name, samples[int((NR + 1) / 2)], samples[1], reach }'
}

# sample WANTED-EXIT COMMAND...: wall time of RUNS calls in microseconds, a line each.
sample() {
  local wanted=$1 start code
  shift
  for _ in $(seq "$RUNS"); do
    start=$(now_us)
    code=0
    "$@" >"$WORK/out" 2>&1 || code=$?
    echo $(($(now_us) - start))
    if [ "$code" != "$wanted" ]; then
      echo "exit $code where $wanted was expected: $*" >&2
      tail -5 "$WORK/out" >&2
      exit 1
    fi
  done
}

# The check that never holds: 120 s of lab time in which a curl a second gives something else.
mkdir -p "$WORK/never"
cat >"$WORK/never/runbook.yaml" <<'BOOK'
apiVersion: periplus.dev/v1
kind: Runbook
metadata: {name: never, title: A check that never holds}
namespace: default
steps:
- id: never
  exec: {in: {workload: deploy/sleep, container: sleep}, command: [curl, -sS, "http://site.example/"]}
  expect-output: {contains: a word that is not there, within: 120s}
BOOK
{
  echo 'objects:'
  echo '- |'
  sed 's/^/  /' "$BOOK/manifests/sleep.yaml"
  echo 'hosts:'
  echo '- {name: site.example, address: 198.51.100.7, ports: {80: {http: {pages: {/: {title: A site, size: 2000}}}}}}'
} >"$WORK/never/world.yaml"

echo "== whole processes, $RUNS samples each ($(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg))"
row "a process that does nothing (--version)" "-" $(sample 0 "$BIN" --version)
row "lint of the tutorial" "10 ms" $(sample 0 "$BIN" lint "$BOOK")
row "rehearsal of the tutorial" "100 ms" $(sample 0 "$BIN" rehearse "$BOOK")
row "rehearsal of a check that never holds, 120 s" "300 ms" $(sample 1 "$BIN" rehearse "$WORK/never")
row "a lab on loopback with the tutorial's world" "-" $(sample 0 "$BIN" lab --world "$BOOK" -- true)

peak() { /usr/bin/time -f '%M' -o "$WORK/peak" "$@" >/dev/null 2>&1 && awk '{ printf "%.1f MB", $1 / 1024 }' "$WORK/peak"; }
if [ -x /usr/bin/time ]; then
  echo
  echo "== peak memory"
  printf '%-52s %s   reach 40 MB\n' "rehearsal of the tutorial" "$(peak "$BIN" rehearse "$BOOK")"
fi

if ! command -v kubectl >/dev/null; then
  echo "kubectl is not here, so the comparison with bash is left out" >&2
  exit 0
fi

# The comparison: the tutorial's steps against the same served lab, by the engine and by hand. What the runbook asks to be
# waited for is left out of both sides: the start of pods (they are there already, and are applied all the same), repetitions
# of a failing call, propagation in the mesh, and the logs, which are flushed once a second.
mkdir -p "$WORK/book"
cp -r "$BOOK/." "$WORK/book"
sed -i 's/, consecutive: 3//; s/within: 60s}/within: 60s, every: 10ms}/' "$WORK/book/runbook.yaml"
sed -i 's/propagation: .*/propagation: {min: 0ms, max: 0ms}/' "$WORK/book/world.yaml"
{
  for namespace in external default; do
    echo '  - |'
    [ "$namespace" = default ] || printf '    %s\n' 'apiVersion: v1' 'kind: Namespace' 'metadata:' '  name: external' '---'
    sed "s/^  name: sleep\$/&\n  namespace: $namespace/" "$BOOK/manifests/sleep.yaml" | sed "s/^/    /"
  done
} >"$WORK/more"
sed -i "/^hosts:/{
  e cat '$WORK/more'
}" "$WORK/book/world.yaml"
STEPS=external-namespace,sleep-outside,call-outside,sleep-in-mesh,source-pod,policy,registry-only,call-blocked,proxy-entry,call-in-mesh

cat >"$WORK/by-hand" <<'HAND'
#!/usr/bin/env bash
set -euo pipefail
cd "$1"
site=https://en.wikipedia.org/wiki/Main_Page
kubectl apply -f - <<EOF
apiVersion: v1
kind: Namespace
metadata:
  name: external
EOF
kubectl apply -n external -f manifests/sleep.yaml
kubectl rollout status -n external deploy/sleep
kubectl exec -n external deploy/sleep -c sleep -- env HTTPS_PROXY="$PROXY_IP:$PROXY_PORT" curl -sS -m 10 "$site" | grep -o '<title>.*</title>'
kubectl apply -f manifests/sleep.yaml
kubectl rollout status deploy/sleep
pod=$(kubectl get pod -l app=sleep -o jsonpath='{.items..metadata.name}')
kubectl get pod "$pod" -o jsonpath='{.status.podIP}'
kubectl get configmap istio -n istio-system -o jsonpath='{.data.mesh}' | grep -c outboundTrafficPolicy || true
kubectl get configmap istio -n istio-system -o yaml |
  sed 's/^\( *\)accessLogFile:.*/&\n\1outboundTrafficPolicy: {mode: REGISTRY_ONLY}/' | kubectl replace -f -
if kubectl exec "$pod" -c sleep -- env HTTPS_PROXY="$PROXY_IP:$PROXY_PORT" curl -sS -m 10 "$site"; then exit 1; fi
kubectl apply -f - <<EOF
apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata:
  name: proxy
spec:
  hosts: [my-company-proxy.com]
  addresses: [$PROXY_IP/32]
  ports: [{number: $PROXY_PORT, name: tcp, protocol: TCP}]
  location: MESH_EXTERNAL
  resolution: NONE
EOF
kubectl exec "$pod" -c sleep -- env HTTPS_PROXY="$PROXY_IP:$PROXY_PORT" curl -sS -m 10 "$site" | grep -o '<title>.*</title>'
HAND

# timed COMMAND...: runs it inside a fresh lab and tells its wall time in microseconds.
cat >"$WORK/timed" <<'TIMED'
#!/usr/bin/env bash
start=${EPOCHREALTIME/./}
"$@" >"$LOG" 2>&1 || { tail -5 "$LOG" >&2; exit 1; }
echo $((${EPOCHREALTIME/./} - start))
TIMED
chmod +x "$WORK/timed" "$WORK/by-hand"
export LOG=$WORK/log
in_lab() {
  for _ in $(seq $((RUNS / 2 + 1))); do
    "$BIN" lab --world "$WORK/book" -- "$WORK/timed" "$@"
  done
}

echo
echo "== the tutorial on a lab served on loopback, waits and logs left out of both sides"
by_engine() { in_lab "$BIN" run "$WORK/book" --context @current --yes --no-cleanup --only "$STEPS" "$@"; }
engine=$(by_engine)
hand=$(in_lab "$WORK/by-hand" "$WORK/book")
# faster MICROSECONDS...: how many times less than by hand.
at() { printf '%s\n' "${@:2}" | sort -n | awk -v place="$1" '{ all[NR] = $1 } END { print all[place == "least" ? 1 : int((NR + 1) / 2)] }'; }
faster() {
  local median least
  median=$(awk "BEGIN { print $(at median $hand) / $(at median "$@") }")
  least=$(awk "BEGIN { print $(at least $hand) / $(at least "$@") }")
  printf '%-52s %8.1f x  median %8.1f x  least   reach 20 x\n' "  so many times faster" "$median" "$least"
}
row "bash and kubectl" "-" $hand
row "periplus run" "-" $engine
faster $engine
# A journal in memory owes no flush to a disk: what is left is the engine.
if MEMORY=$(mktemp -d /dev/shm/periplus.XXXXXX 2>/dev/null); then
  trap 'rm -rf "$WORK" "$MEMORY"' EXIT
  in_memory=$(by_engine --state-dir "$MEMORY")
  row "periplus run, its journal in memory" "-" $in_memory
  faster $in_memory
fi
