# shellcheck shell=bash disable=SC2034,SC2154
# The Kubernetes objects of a rig. Sourced, never run.

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# component_of POD: virt-api of virt-api-7d8f9c6b5-abcde.
component_of() { grep -oE '^virt-(api|controller|handler|operator)' <<< "$1"; }

# pod_object NAME LABEL CONTAINER IMAGE NODE
pod_object() {
  cat << EOF
---
apiVersion: v1
kind: Pod
metadata: {name: $1, namespace: $namespace, labels: {$2}}
spec:
  nodeName: $5
  containers: [{name: $3, image: "$4"}]
EOF
}

# pod_status NAME LABEL CONTAINER IMAGE IP: its object once more, with the status of one that runs.
# The labels are repeated because a status that is replaced takes them along.
pod_status() {
  cat << EOF
---
apiVersion: v1
kind: Pod
metadata: {name: $1, namespace: $namespace, labels: {$2}}
status:
  phase: Running
  podIP: $5
  podIPs: [{ip: $5}]
  startTime: $(now)
  conditions:
  - {type: Initialized, status: "True", lastTransitionTime: $(now)}
  - {type: Ready, status: "True", lastTransitionTime: $(now)}
  - {type: ContainersReady, status: "True", lastTransitionTime: $(now)}
  - {type: PodScheduled, status: "True", lastTransitionTime: $(now)}
  containerStatuses:
  - name: $3
    image: "$4"
    imageID: "$4"
    ready: true
    started: true
    restartCount: 0
    state: {running: {startedAt: $(now)}}
EOF
}

# component_pod NAME IP NODE: leaves it as files, for pod_objects and for a later replacement.
component_pod() {
  local component labels image
  component=$(component_of "$1")
  labels="kubevirt.io: $component, app.kubernetes.io/component: kubevirt"
  image=quay.io/kubevirt/$component:$version
  echo "$2" > "$rig/pods/$1.ip"
  pod_object "$1" "$labels" "$component" "$image" "$3" > "$rig/pods/$1.yaml"
  pod_status "$1" "$labels" "$component" "$image" "$2" > "$rig/pods/$1.status"
}

# unrelated_pods N: Ready pods of other operators. Their names sort before virt-.
unrelated_pods() {
  local names=(bridge-marker cdi-apiserver cdi-deployment hostpath-provisioner kube-cni-linux-bridge-plugin
    hco-operator kubemacpool-cert-manager ssp-operator) i name label image=registry.invalid/unrelated:1
  : > "$rig/unrelated.yaml"
  : > "$rig/unrelated.status"
  for ((i = 0; i < $1; i++)); do
    name=${names[i % ${#names[@]}]}-$(printf 'x%04d' "$i")
    label="app: ${name%-*}"
    pod_object "$name" "$label" main "$image" node01 >> "$rig/unrelated.yaml"
    pod_status "$name" "$label" main "$image" "${address%.*}.$((100 + i % 150))" >> "$rig/unrelated.status"
  done
}

kubevirt_object() {
  cat << EOF
apiVersion: kubevirt.io/v1
kind: KubeVirt
metadata: {name: kubevirt, namespace: $namespace}
spec:
  imagePullPolicy: IfNotPresent
  workloadUpdateStrategy: {}
  customizeComponents: {}
  certificateRotateStrategy: {}
  configuration: {}
EOF
}

# The aggregated API. ExternalName takes the rig's own address: the API server dials it as it is.
aggregation() {
  cat << EOF
apiVersion: v1
kind: Service
metadata: {name: virt-api, namespace: $namespace, labels: {kubevirt.io: virt-api}}
spec: {type: ExternalName, externalName: $address}
EOF
  local api
  for api in v1 v1alpha3; do
    cat << EOF
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: {name: $api.subresources.kubevirt.io, labels: {kubevirt.io: virt-api-aggregator}}
spec:
  group: subresources.kubevirt.io
  version: $api
  service: {name: virt-api, namespace: $namespace, port: 8443}
  insecureSkipTLSVerify: true
  groupPriorityMinimum: 1000
  versionPriority: 15
EOF
  done
}

hyperconverged_crd() {
  cat << EOF
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: hyperconvergeds.hco.kubevirt.io}
spec:
  group: hco.kubevirt.io
  scope: Namespaced
  names:
    kind: HyperConverged
    listKind: HyperConvergedList
    plural: hyperconvergeds
    singular: hyperconverged
    shortNames: [hco, hcos]
    categories: [all]
  versions:
  - name: v1beta1
    served: true
    storage: true
    subresources: {status: {}}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec: {type: object, x-kubernetes-preserve-unknown-fields: true}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
EOF
}

hyperconverged_object() {
  cat << EOF
apiVersion: hco.kubevirt.io/v1beta1
kind: HyperConverged
metadata:
  name: kubevirt-hyperconverged
  namespace: $namespace
  labels: {app: kubevirt-hyperconverged}
spec: {}
EOF
}

hyperconverged_webhook() {
  cat << EOF
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: validate-hco.kubevirt.io}
webhooks:
- name: validate-hco.kubevirt.io
  admissionReviewVersions: [v1beta1, v1]
  clientConfig:
    url: https://$address:9443/validate-hco-kubevirt-io-v1beta1-hyperconverged
    caBundle: $(base64 -w0 "$rig/certificates/ca.crt")
  failurePolicy: Fail
  sideEffects: NoneOnDryRun
  timeoutSeconds: 10
  rules:
  - apiGroups: [hco.kubevirt.io]
    apiVersions: [v1alpha1, v1beta1]
    operations: [CREATE, DELETE, UPDATE]
    resources: [hyperconvergeds]
    scope: "*"
EOF
}
