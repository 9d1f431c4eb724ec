#!/bin/sh
# Installs what the tests need beyond Rust: a C compiler (ring is built with it), and bash and kubectl, which run the
# commands of the pages. Says nothing when nothing is missing; may be called again and again.
set -eu

# `kubectl wait` takes a path without a value since this version: 1.31.
oldest_kubectl=31

# Ends with what is missing, each with a remedy, and a last word.
by_hand() {
  {
    echo "The tests need what is not here:"
    case " $missing " in *" cc "*) echo "  cc       a C compiler, such as gcc or clang" ;; esac
    case " $missing " in *" bash "*) echo "  bash     version 4 or later" ;; esac
    case " $missing " in *" kubectl "*) echo "  kubectl  1.$oldest_kubectl or later: https://kubernetes.io/docs/tasks/tools/" ;; esac
    echo "$1"
  } >&2
  exit 1
}

missing=""
for program in cc bash kubectl; do
  command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
done

if [ -n "$missing" ]; then
  packages=""
  for program in $missing; do
    case "$program" in
      cc) packages="$packages gcc libc6-dev" ;;
      bash) packages="$packages bash" ;;
      kubectl) packages="$packages kubernetes-client" ;;
    esac
  done
  command -v apt-get >/dev/null 2>&1 || by_hand "Install it with the package manager of this system."
  as_root=""
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null 2>&1 || by_hand "As root: apt-get install$packages"
    as_root=sudo
  fi
  # Both are lists of words.
  $as_root env DEBIAN_FRONTEND=noninteractive sh -c \
    "apt-get -qq update && apt-get -qq install -y --no-install-recommends $packages" >/dev/null ||
    by_hand "apt-get could not install$packages."
fi

minor=$(kubectl version --client -o yaml 2>/dev/null | sed -n 's/^ *minor: "\{0,1\}\([0-9]*\).*/\1/p')
if [ "${minor:-0}" -lt "$oldest_kubectl" ]; then
  missing=kubectl
  by_hand "The kubectl on this machine, $(command -v kubectl), is 1.${minor:-?}."
fi
