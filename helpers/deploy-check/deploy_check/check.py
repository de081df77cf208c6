"""All checks of all renders."""

from . import admission, core, crds
from .pods import pods
from .render import title
from .rules import gitops, references, rights, runs, security, tekton


def all_faults(renders):
    """What is wrong, each fault with where."""
    return [
        *schema_faults(renders),
        *pod_faults(renders),
        *rule_faults(renders),
        *tekton.faults(renders),
    ]


def objects(renders):
    """Every object once, with the first place where it is rendered."""
    found = {}
    for render in renders:
        for one in render.objects:
            found.setdefault(repr(one), (render.name, one))
    return list(found.values())


def schema_faults(renders):
    found = objects(renders)
    for name, one in found:
        for fault in of_schema(one):
            yield f"{name}: {title(one)}: {fault}"
    ours = [(name, one) for name, one in found if admission.is_ours(one)]
    for (name, one), said in zip(ours, admission.faults([one for _, one in ours]), strict=True):
        for fault in said:
            yield f"{name}: {title(one)}: {fault}"


def of_schema(one, only=None):
    """By Kubernetes' schemas or a CustomResourceDefinition's, whichever has the kind."""
    said = core.faults(one, only)
    if said is None:
        said = crds.faults(one)
    return [f"no schema for {one['apiVersion']} {one['kind']}"] if said is None else said


def pod_faults(renders):
    """Pods that Tekton and Argo would make are held against Kubernetes' schemas, too."""
    for render in renders:
        may_have_fs_group = render.name.endswith("kubevirt-pvc")
        for one in render.objects:
            for pod in pods(one):
                made = core.faults(pod.object()) if admission.is_ours(one) else []
                for fault in [*made, *security.faults(pod, may_have_fs_group)]:
                    yield f"{render.name}: {pod.name}: {fault}"


def rule_faults(renders):
    before = applied_before(renders)
    for render in renders:
        for fault in [
            *rights.faults(render),
            *runs.faults(render),
            *gitops.faults(render),
            *references.faults(render, before.get(render.name, [])),
        ]:
            yield f"{render.name}: {fault}"


def applied_before(renders):
    """What must be there already, as deploy/README.md says: an overlay, or the rights, or the templates."""
    by_name = {render.name: render.objects for render in renders}
    rights_only = by_name["deploy/overlays/rights"]
    volume = by_name["deploy/overlays/openshift-pvc"]
    known = dict.fromkeys(by_name, rights_only)
    known |= {name: [] for name in by_name if name.startswith(("deploy/overlays/", "helpers/"))}
    known["helpers/deploy-check/combinations/renamed"] = rights_only
    return known | {"deploy/fetch": volume, "deploy/undo": volume}


def each_is_faulty(changed):
    """For each of these objects, whether any schema has something against it."""
    by_admission = [[] for _ in changed]
    if changed and admission.is_ours(changed[0]):
        by_admission = admission.faults(changed)
    return [
        bool(of_schema(one, core.VERSIONS[-1:]) or said or pods_are_faulty(one))
        for one, said in zip(changed, by_admission, strict=True)
    ]


def pods_are_faulty(one):
    return admission.is_ours(one) and any(core.faults(pod.object(), core.VERSIONS[-1:]) for pod in pods(one))
