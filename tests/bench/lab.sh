#!/usr/bin/env bash
# Compares what one client gets from a served lab with what it gets from a cluster: latency of everyday requests.
#
#   tests/bench/lab.sh                     the lab alone
#   tests/bench/lab.sh KUBECONFIG          the lab and the cluster of that kubeconfig, and how many times faster the lab is
#   BIN=FILE LOAD=FILE tests/bench/lab.sh  with programs that are there already
#
# Then what a lab holds: 10,000 objects and 1,000 watches in one process. Nothing here fails for being slow.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/../.."

target() { cargo metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'; }
if [ -z "${BIN:-}" ] || [ -z "${LOAD:-}" ]; then
  cargo build --release --locked --quiet --bin periplus
  cargo build --release --locked --quiet -p periplus-lab --example load
  BIN=$(target)/release/periplus
  LOAD=$(target)/release/examples/load
fi
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

"$BIN" lab --kubeconfig "$WORK/kubeconfig" -- "$LOAD" requests "$WORK/kubeconfig" >"$WORK/lab"
echo "== one client, median and 99th percentile in microseconds ($(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg))"
if [ $# -gt 0 ]; then
  "$LOAD" requests "$1" >"$WORK/cluster"
  paste "$WORK/lab" "$WORK/cluster" | awk -F'\t' '{
    printf "%-12s lab %6d %6d   cluster %6d %6d   %5.1f times by the median   reach 10\n", $1, $3, $4, $8, $9, $8 / $3 }'
else
  awk -F'\t' '{ printf "%-12s lab %6d %6d   %6d a second\n", $1, $3, $4, $5 }' "$WORK/lab"
fi

# hold OBJECTS WATCHES SECONDS: the lab's memory while it holds so much, and after.
echo
echo "== what one process holds"
cat >"$WORK/hold" <<HOLD
#!/usr/bin/env bash
lab=\$PPID
rss() { awk '/VmRSS/ { printf "%.1f MB", \$2 / 1024 }' /proc/\$lab/status; }
echo "at the start                        \$(rss)"
"$LOAD" hold "$WORK/kubeconfig" 10000 1000 | while read -r stage; do
  printf '%-35s %s\n' "\$stage" "\$(rss)"
done
sleep 1
echo "in the end                          \$(rss)   reach 300 MB at the most"
HOLD
chmod +x "$WORK/hold"
"$BIN" lab --kubeconfig "$WORK/kubeconfig" -- "$WORK/hold"
