# shellcheck shell=bash disable=SC2034,SC2154
# How each process of a rig is run: a script of its own in DIR/run, so that it can be started again.
# Sourced, never run.

# run_script NAME: the script is stdin. It notes its id and ends with exec, which keeps that.
run_script() {
  {
    printf '#!/usr/bin/env bash\nset -euo pipefail\ncd %q\n' "$rig"
    printf 'echo $$ > pids/.%s\nmv pids/.%s pids/%s\n' "$1" "$1" "$1"
    cat
  } > "$rig/run/$1"
  chmod +x "$rig/run/$1"
}

etcd_process() {
  run_script etcd << EOF
exec bin/etcd --name=rig --data-dir=etcd --unsafe-no-fsync --log-level=warn \\
  --listen-client-urls=http://$address:2379 --advertise-client-urls=http://$address:2379 \\
  --listen-peer-urls=http://$address:2380 --initial-advertise-peer-urls=http://$address:2380 \\
  --initial-cluster=rig=http://$address:2380
EOF
}

api_server_process() {
  run_script kube-apiserver << EOF
exec bin/kube-apiserver --etcd-servers=http://$address:2379 \\
  --bind-address=$address --advertise-address=$address --secure-port=6443 \\
  --endpoint-reconciler-type=none --service-cluster-ip-range=10.96.0.0/24 --allow-privileged \\
  --authorization-mode=RBAC --disable-admission-plugins=ServiceAccount \\
  --client-ca-file=certificates/ca.crt \\
  --tls-cert-file=certificates/server.crt --tls-private-key-file=certificates/server.key \\
  --service-account-issuer=https://kubernetes.default.svc \\
  --service-account-key-file=certificates/service-account.crt \\
  --service-account-signing-key-file=certificates/service-account.key \\
  --requestheader-client-ca-file=certificates/ca.crt \\
  --requestheader-allowed-names=front-proxy-client \\
  --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \\
  --requestheader-extra-headers-prefix=X-Remote-Extra- \\
  --proxy-client-cert-file=certificates/front-proxy.crt \\
  --proxy-client-key-file=certificates/front-proxy.key
EOF
}

controller_processes() {
  run_script virt-operator << EOF
exec bin/controllers virt-operator --kubeconfig=kubeconfig --namespace=$namespace --version=$version
EOF
  [[ -n $hco ]] || return 0
  run_script hco << EOF
exec bin/controllers hco --kubeconfig=kubeconfig --namespace=$namespace --address=$address:9443 \\
  --certificates=certificates
EOF
}

# virt_api_process NAME IP: in a mount namespace of its own, for two things that a pod has to itself:
# /profile-data, and the file that tells virt-api its namespace.
virt_api_process() {
  # A place to mount on: the only thing that a rig makes outside its folder.
  mkdir -p /profile-data
  run_script "$1" << EOF
[[ \${1:-} == inside ]] || exec unshare --mount "\$0" inside
mount -t tmpfs profile-data /profile-data
mount -t tmpfs run /run
account=/var/run/secrets/kubernetes.io/serviceaccount
mkdir -p "\$account"
echo $namespace > "\$account/namespace"
exec bin/virt-api --kubeconfig=kubeconfig --listen=$2 --port=8443 \\
  --tls-cert-file=certificates/server.crt --tls-key-file=certificates/server.key \\
  --handler-cert-file=certificates/server.crt --handler-key-file=certificates/server.key
EOF
}
