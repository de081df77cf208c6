"""Pod security: restricted, and OpenShift's restricted-v2, of every container; and who has a token."""

from ..pods import ADDED

OURS = "cluster-profiler-job"

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"

# What restricted allows and has a bound or is not ours to bound.
VOLUMES = {"emptyDir", "projected", "configMap", "secret", "persistentVolumeClaim"}


def faults(pod, may_have_fs_group):
    yield from of_pod(pod, may_have_fs_group)
    for container in pod.containers():
        for fault in of_container(pod, container):
            yield f"container {container['name']}: {fault}"
    yield from tokens(pod)


def is_ours(container):
    return container["image"].partition(":")[0].partition("@")[0].rpartition("/")[2] == OURS


def of_pod(pod, may_have_fs_group):
    context = pod.spec.get("securityContext", {})
    for key in ("runAsUser", "runAsGroup", "supplementalGroups"):
        if key in context:
            yield f"{key}: OpenShift refuses it"
    if "fsGroup" in context and not may_have_fs_group:
        yield "fsGroup: OpenShift refuses it"
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if pod.spec.get(key):
            yield f"{key}: restricted refuses it"
    for volume in pod.spec.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= VOLUMES:
            yield f"volume {volume['name']}: {kinds}"
        # A workspace's emptyDir is bounded by whoever binds it.
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"] and not is_workspace(pod, volume):
            yield f"volume {volume['name']}: no sizeLimit"
    if pod.by["kind"] in ("Pod", "Job", "CronJob", "WorkflowTemplate"):
        for key in ("automountServiceAccountToken", "enableServiceLinks"):
            if pod.spec.get(key) is not False:
                yield f"{key} is not false"


def is_workspace(pod, volume):
    return pod.by["kind"] in ("Task", "Pipeline") and volume["emptyDir"] == {}


def of_container(pod, container):
    context = pod.spec.get("securityContext", {}) | container.get("securityContext", {})
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation is not false"
    if context.get("capabilities", {}).get("drop") != ["ALL"] or context["capabilities"].get("add"):
        yield "capabilities are not dropped"
    if context.get("runAsNonRoot") is not True:
        yield "runAsNonRoot is not true"
    if context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "seccompProfile is not RuntimeDefault"
    if context.get("privileged") or "runAsUser" in context or "runAsGroup" in context:
        yield "privileged, runAsUser or runAsGroup"
    if is_ours(container) and context.get("readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem is not true"
    if container["name"] in ADDED:
        return
    for what in ("requests", "limits"):
        for resource in ("cpu", "memory"):
            if resource not in container.get("resources", {}).get(what, {}):
                yield f"no {what} of {resource}"


def tokens(pod):
    """Only our own containers have one, and Argo's."""
    volumes = {
        volume["name"]
        for volume in pod.spec.get("volumes", [])
        if any("serviceAccountToken" in source for source in volume.get("projected", {}).get("sources", []))
    }
    for container in pod.containers():
        mounts = container.get("volumeMounts", [])
        has = any(mount["name"] in volumes or mount["mountPath"].startswith(TOKEN) for mount in mounts)
        if has and not is_ours(container) and container["name"] != "wait":
            yield f"container {container['name']}: mounts a token"
        if is_ours(container) and profiles(container) and not has:
            yield f"container {container['name']}: no token"


def profiles(container):
    """Whether it speaks to the cluster: the run itself, or undo."""
    arguments = container.get("command", [OURS])[1:] + container.get("args", [])
    return not arguments or arguments == ["undo"]
