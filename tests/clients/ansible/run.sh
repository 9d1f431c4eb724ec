#!/bin/sh
# Runs the playbook beside it against the lab, or against the cluster that PERIPLUS_KUBECONFIG names.
#
# Ansible and its kubernetes.core collection come from PyPI into a virtual environment, which takes minutes and half a
# gigabyte; so this is run by hand and not by `cargo test`. VENV names an environment that has them already.
# Without containers that really run (kwok): NO_CONTAINERS=1.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../.." && pwd)
venv=${VENV:-$root/target/clients/ansible}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if [ ! -x "$venv/bin/ansible-playbook" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet ansible==12.3.0 kubernetes==37.0.2 jsonpatch==1.33
fi

containers=true
[ -z "${NO_CONTAINERS:-}" ] || containers=false
set -- "$venv/bin/ansible-playbook" "$here/playbook.yaml" -i localhost, \
  -e "ansible_python_interpreter=$venv/bin/python" -e "{\"containers\": $containers, \"work\": \"$work\"}"
export ANSIBLE_HOME="$work/ansible" ANSIBLE_NOCOWS=1
if [ -n "${PERIPLUS_KUBECONFIG:-}" ]; then
  KUBECONFIG=$PERIPLUS_KUBECONFIG "$@"
else
  cargo build --quiet --manifest-path "$root/Cargo.toml"
  "$root/target/debug/periplus" lab -- "$@"
fi
