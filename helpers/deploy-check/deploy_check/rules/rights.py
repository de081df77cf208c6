"""Every Role is in the namespace that it is meant for."""

from ..render import title

ACCOUNT = "cluster-profiler"

# Where each is meant to be: in KubeVirt's namespace, or in our own.
INSTALL = {"cluster-profiler", "cluster-profiler-gate"}
OWN = {"cluster-profiler-events", "cluster-profiler-workflow"}


def faults(render):
    install = install_namespace(render)
    for one in render.of_kind("Role", "RoleBinding"):
        name, namespace = one["metadata"]["name"], one["metadata"].get("namespace")
        if name not in INSTALL | OWN:
            yield f"{title(one)}: nobody says where it belongs"
            continue
        meant = install if name in INSTALL else ACCOUNT
        if namespace != meant:
            yield f"{title(one)} is in {namespace}, and is meant for {meant}"
    for one in render.objects:
        if "Role" not in one["kind"] and one["metadata"].get("namespace") not in (None, ACCOUNT):
            yield f"{title(one)} is in {one['metadata']['namespace']}"


def install_namespace(render):
    """By the overlay's name, and else by its settings, which must agree."""
    by_settings = {
        one["data"]["PROFILER_NAMESPACE"]
        for one in render.of_kind("ConfigMap")
        if "PROFILER_NAMESPACE" in one.get("data", {})
    }
    name = render.name.rpartition("/")[2]
    if name.startswith("kubevirt-") or name == "rights":
        return "kubevirt"
    if name.startswith("openshift-") or name in ("job", "nightly"):
        return "openshift-cnv"
    return by_settings.pop() if len(by_settings) == 1 else None
