# shellcheck shell=bash disable=SC2034,SC2154
# What the rig's commands share. Sourced, never run.
set -euo pipefail

here=$(realpath "$(dirname "${BASH_SOURCE[0]}")")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cluster-profiler-job/rig
versions=(v1.8.4 v1.7.0 v1.5.1)

say() { printf '%4s s  %s\n' "$SECONDS" "$*" >&2; }
die() { echo "$(basename "$0"): $*" >&2; exit 1; }

# source_of PROGRAM: the folder of its module and the package in it. A program is etcd,
# kube-apiserver, kubectl, controllers, or virt-api or crds with a KubeVirt version behind it.
source_of() {
  case $1 in
    etcd) echo etcd go.etcd.io/etcd/server/v3 ;;
    kube-apiserver | kubectl) echo apiserver "k8s.io/kubernetes/cmd/$1" ;;
    controllers) echo controllers . ;;
    virt-api-v*) echo "kubevirt/${1#virt-api-}" kubevirt.io/kubevirt/cmd/virt-api ;;
    crds-v*) echo "kubevirt/${1#crds-}" . ;;
    *) die "no such program: $1" ;;
  esac
}

# binary PROGRAM: where it is in the cache, by a hash of all that it is built from.
binary() {
  local folder package key
  read -r folder package <<< "$(source_of "$1")"
  [[ -f $here/$folder/go.mod ]] || die "$here/$folder has no go.mod: versions are ${versions[*]}"
  key=$(cd "$here/$folder" && { go version; cat -- *; } | sha256sum | cut -c1-16)
  echo "$cache/$key/$1"
}

# The rig's folder as its processes know it.
use_rig() {
  [[ -n ${1:-} ]] || die "no folder of a rig given"
  rig=$(realpath -m "$1")
}

# kubectl of the rig's own build, as admin.
kubectl() { "$rig/bin/kubectl" --kubeconfig="$rig/kubeconfig" --cache-dir="$rig/kubectl-cache" "$@"; }

# is_ours PID [NAME]: whether that process was started by this rig (as NAME). A pid file alone could
# name a process that came later, so each one carries its name in its environment.
is_ours() {
  local entry environment=() tries
  for tries in {1..5}; do
    { mapfile -t -d '' environment < "/proc/$1/environ"; } 2> /dev/null || return 1
    # In the midst of an exec there is nothing to read.
    ((${#environment[@]} == 0)) || break
    sleep 0.02
  done
  for entry in "${environment[@]}"; do
    # Unquoted, the asterisk stands for any name.
    [[ $entry != "RIG_PROCESS=$rig/"${2:-*} ]] || return 0
  done
  return 1
}

# pid_of NAME: its process id, if it runs.
pid_of() {
  local pid
  pid=$(cat "$rig/pids/$1" 2> /dev/null) && is_ours "$pid" "$1" && echo "$pid"
}

# start_process NAME: runs $rig/run/NAME in a session of its own, with nothing of the caller's: one
# that reads our output sees its end when we end.
start_process() {
  [[ -x $rig/run/$1 ]] || die "$1 is no process of this rig: $(ls -x "$rig/run")"
  ! pid_of "$1" > /dev/null || die "$1 runs already"
  rm -f "$rig/pids/$1"
  RIG_PROCESS=$rig/$1 setsid "$rig/run/$1" >> "$rig/logs/$1.log" 2>&1 < /dev/null &
  disown
  until [[ -s $rig/pids/$1 ]]; do sleep 0.02; done
}

# end_process NAME SIGNAL [SECONDS]: sends it and waits until the process is gone.
end_process() {
  local pid
  pid=$(pid_of "$1") || die "$1 does not run"
  kill "-$2" "$pid"
  gone "${3:-10}" "$pid" || die "$1 ($pid) is still there ${3:-10} s after SIG$2"
}

# gone SECONDS PID...: waits until no such process is left.
gone() {
  local until=$((SECONDS + $1)) pid
  shift
  for pid; do
    while [[ -e /proc/$pid ]]; do
      ((SECONDS < until)) || return 1
      sleep 0.05
    done
  done
}

# wait_for SECONDS NAME COMMAND...: until COMMAND succeeds; with NAME's log if it does not, or if the
# process ends.
wait_for() {
  local until=$((SECONDS + $1)) name=$2
  shift 2
  until "$@" > /dev/null 2>&1; do
    if ! pid_of "$name" > /dev/null || ((SECONDS >= until)); then
      tail -n 25 "$rig/logs/$name.log" >&2
      die "$name did not come up ($*); the end of its log is above"
    fi
    sleep 0.1
  done
}

# listens ADDRESS PORT
listens() { (: <> "/dev/tcp/$1/$2") 2> /dev/null; }

# wait_ready NAME: until the process answers.
wait_ready() {
  case $1 in
    etcd) wait_for 30 etcd listens "$address" 2379 ;;
    kube-apiserver) wait_for 90 kube-apiserver kubectl get --raw /readyz ;;
    virt-operator) ;;
    hco) wait_for 30 hco listens "$address" 9443 ;;
    front) wait_for 90 front listens "$address" 8443 ;;
    *) wait_for 90 "$1" listens "$(cat "$rig/pods/$1.ip")" 8443 ;;
  esac
}
