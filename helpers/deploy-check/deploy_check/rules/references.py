"""What is named is there: of its own render, or of those that have to be applied before."""

from ..pods import pods
from ..render import title

# A user makes the first two, OpenShift or Kubernetes the others, the claim's controller the last two.
MADE_BY_OTHERS = {
    ("Secret", "cluster-profiler-push"),
    ("Secret", "cluster-profiler-s3"),
    ("ConfigMap", "kube-root-ca.crt"),
    ("ConfigMap", "openshift-service-ca.crt"),
}

# What a run can do without.
OPTIONAL = {"cluster-profiler-push"}


def faults(render, applied_before):
    there = {
        (one["kind"], one["metadata"].get("name")) for one in [*render.objects, *applied_before]
    } | MADE_BY_OTHERS
    for kind, name in list(there):
        if kind == "ObjectBucketClaim":
            there |= {("ConfigMap", name), ("Secret", name)}
    for one in render.objects:
        for kind, name in named(one):
            if (kind, name) not in there and "$(" not in name:
                yield f"{title(one)}: there is no {kind} {name}"
        for pod in pods(one):
            for name in waited_for(pod.spec):
                yield f"{pod.name}: it waits for the Secret {name}, which a run can do without"


def waited_for(spec):
    secrets = [volume["secret"] for volume in spec.get("volumes", []) if "secret" in volume]
    names = {one["secretName"] for one in secrets if not one.get("optional")}
    return sorted(names & OPTIONAL)


def named(one):
    if one["kind"] in ("RoleBinding", "ClusterRoleBinding"):
        yield one["roleRef"]["kind"], one["roleRef"]["name"]
        for subject in one["subjects"]:
            yield subject["kind"], subject["name"]
    if one["kind"] == "ValidatingAdmissionPolicyBinding":
        yield "ValidatingAdmissionPolicy", one["spec"]["policyName"]
    if one["kind"] in ("TaskRun", "PipelineRun"):
        runs = [one["spec"], *one["spec"].get("taskRunSpecs", [])]
        names = [run["serviceAccountName"] for run in runs if "serviceAccountName" in run]
        yield from (("ServiceAccount", name) for name in names)
    claims = {
        claim["metadata"]["name"]
        for claim in one.get("spec", {}).get("volumeClaimTemplates", [])
        if one["kind"] == "WorkflowTemplate"
    }
    for pod in pods(one):
        yield from (pair for pair in of_pod(pod.spec) if pair[1] not in claims)


def of_pod(spec):
    if spec.get("serviceAccountName"):
        yield "ServiceAccount", spec["serviceAccountName"]
    for container in spec["containers"]:
        for source in container.get("envFrom", []):
            if "configMapRef" in source:
                yield "ConfigMap", source["configMapRef"]["name"]
            if "secretRef" in source:
                yield "Secret", source["secretRef"]["name"]
    for volume in spec.get("volumes", []):
        for source in [volume, *volume.get("projected", {}).get("sources", [])]:
            if "configMap" in source:
                yield "ConfigMap", source["configMap"]["name"]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
