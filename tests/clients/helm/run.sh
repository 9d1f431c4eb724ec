#!/bin/sh
# Takes a release through its life, against the lab or against the cluster that PERIPLUS_KUBECONFIG names.
#
# Needs helm 3 on the path, which is no dependency of the tests; so this is run by hand and not by `cargo test`.
# Without containers that really run (kwok): NO_CONTAINERS=1.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ "${1:-}" != inside ]; then
  root=$(cd "$here/../../.." && pwd)
  if [ -n "${PERIPLUS_KUBECONFIG:-}" ]; then
    KUBECONFIG=$PERIPLUS_KUBECONFIG exec "$here/run.sh" inside
  fi
  cargo build --quiet --manifest-path "$root/Cargo.toml"
  exec "$root/target/debug/periplus" lab -- "$here/run.sh" inside
fi

HELM_CACHE_HOME=$(mktemp -d)
export HELM_CACHE_HOME HELM_CONFIG_HOME="$HELM_CACHE_HOME" HELM_DATA_HOME="$HELM_CACHE_HOME"
trap 'rm -rf "$HELM_CACHE_HOME"' EXIT
space=clients-helm

# Says what is being done, and does it.
step() {
  echo "+ helm $*"
  helm "$@" -n $space
}

# What the cluster says must be this.
same() {
  [ "$1" = "$2" ] || { echo "expected $2, not $1" >&2; exit 1; }
}

step install one "$here/chart" --create-namespace --wait --timeout 60s
same "$(kubectl get deployment one-web -n $space -o jsonpath='{.status.readyReplicas}')" 1
same "$(kubectl get gizmo one -n $space -o jsonpath='{.spec.word}')" first
same "$(helm list -n $space -o json | grep -o '"status":"[a-z]*"')" '"status":"deployed"'
if step install one "$here/chart"; then exit 1; fi
step status one
step template one "$here/chart" --validate > /dev/null
step get manifest one > /dev/null
step upgrade one "$here/chart" --set word=second,replicas=2 --wait --timeout 60s
same "$(kubectl get deployment one-web -n $space -o jsonpath='{.status.readyReplicas}')" 2
same "$(kubectl get configmap one-words -n $space -o jsonpath='{.data.word} {.data.revision}')" "second 2"
step upgrade one "$here/chart" --set word=second,replicas=2 --dry-run=server > /dev/null
if [ -z "${NO_CONTAINERS:-}" ]; then
  if step upgrade one "$here/chart" --set word=third,broken=true --wait --timeout 60s; then exit 1; fi
  same "$(helm history one -n $space -o json | grep -o '"status":"[a-z]*"' | tail -n 1)" '"status":"failed"'
  if step upgrade one "$here/chart" --set word=fourth,broken=true --atomic --timeout 60s; then exit 1; fi
  same "$(kubectl get configmap one-words -n $space -o jsonpath='{.data.word}')" second
fi
step rollback one 1 --wait --timeout 60s
same "$(kubectl get deployment one-web -n $space -o jsonpath='{.status.readyReplicas} {.spec.template.metadata.annotations.word}')" "1 first"
step history one
[ -n "${NO_CONTAINERS:-}" ] || step test one --timeout 60s
step upgrade --install two "$here/chart" --skip-crds --no-hooks
step list
step uninstall one two --wait --timeout 60s
same "$(kubectl get deployments,configmaps,secrets -n $space -l app=one -o name)" ""
kubectl delete crd gizmos.clients.example.com
kubectl delete namespace $space
