"""The pods that an object leads to, as far as the object says."""

from dataclasses import dataclass

import yaml

from .render import title

# Of containers that a controller adds; only what the object says about them is looked at.
ADDED = {"init", "wait", "prepare"}


@dataclass(frozen=True)
class Pod:
    """A pod, what it comes of, and the container that profiles, if one does."""

    name: str
    spec: dict
    metadata: dict
    by: dict

    def containers(self):
        return self.spec.get("initContainers", []) + self.spec.get("containers", [])

    def object(self):
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod", **self.metadata},
            "spec": self.spec,
        }


def pods(one):
    """All of them."""
    match one["kind"]:
        case "Pod":
            yield Pod(title(one), one["spec"], labelled(one["metadata"]), one)
        case "Job":
            yield of_template(one, one["spec"]["template"])
        case "CronJob":
            yield of_template(one, one["spec"]["jobTemplate"]["spec"]["template"])
        case "Task":
            yield Pod(title(one), of_task(one["spec"]), {}, one)
        case "Pipeline":
            for task in one["spec"]["tasks"] + one["spec"].get("finally", []):
                if "taskSpec" in task:
                    yield Pod(f"{title(one)}, {task['name']}", of_task(task["taskSpec"]), {}, one)
        case "WorkflowTemplate":
            for template in one["spec"]["templates"]:
                if "container" in template or "containerSet" in template:
                    spec = of_argo(one["spec"], template)
                    yield Pod(f"{title(one)}, {template['name']}", spec, {}, one)


def labelled(metadata):
    return {key: metadata[key] for key in ("labels", "annotations") if key in metadata}


def of_template(one, template):
    return Pod(title(one), template["spec"], labelled(template["metadata"]), one)


def of_task(spec):
    """Tekton's steps and sidecars are the pod's containers; it mounts each workspace in all of them, and
    puts one of its own before them, as its flag set-security-context has it."""
    names = [workspace["name"] for workspace in spec.get("workspaces", [])]
    mounts = [{"name": name, "mountPath": f"/workspace/{name}"} for name in names]
    return {
        "restartPolicy": "Never",
        "initContainers": [{"name": "prepare", "image": "entrypoint", "securityContext": TEKTONS}],
        "containers": [as_container(step, mounts) for step in spec["steps"] + spec.get("sidecars", [])],
        "volumes": spec.get("volumes", []) + [{"name": name, "emptyDir": {}} for name in names],
    }


TEKTONS = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def as_container(step, mounts):
    container = {key: value for key, value in step.items() if key not in ("computeResources", "script")}
    container["resources"] = step.get("computeResources", {})
    container["volumeMounts"] = step.get("volumeMounts", []) + mounts
    return container


def of_argo(workflow, template):
    """The container, or those of the set, and Argo's own two; then the patches."""
    if "container" in template:
        containers = [{"name": "main", **template["container"]}]
    else:
        containers = template["containerSet"]["containers"]
    claims = [claim["metadata"]["name"] for claim in workflow.get("volumeClaimTemplates", [])]
    mounted = {mount["name"] for one in containers for mount in one.get("volumeMounts", [])}
    spec = {
        "restartPolicy": "Never",
        "serviceAccountName": template.get("serviceAccountName", workflow.get("serviceAccountName")),
        "securityContext": template.get("securityContext", workflow.get("securityContext", {})),
        "initContainers": [{"name": "init", "image": "argoexec"}],
        "containers": [{"name": "wait", "image": "argoexec"}, *containers],
        "volumes": template.get("volumes", [])
        + [
            {"name": name, "persistentVolumeClaim": {"claimName": name}} for name in claims if name in mounted
        ],
    }
    for patch in (workflow.get("podSpecPatch"), template.get("podSpecPatch")):
        if patch:
            spec = merged(spec, yaml.safe_load(patch))
    return spec


# What tells the elements of a list apart, where Kubernetes merges lists.
KEYS = {
    "containers": "name",
    "initContainers": "name",
    "volumes": "name",
    "env": "name",
    "volumeMounts": "mountPath",
}


def merged(into, patch):
    """A strategic merge, as far as it is used here."""
    made = dict(into)
    for key, value in patch.items():
        there = made.get(key)
        if isinstance(value, dict) and isinstance(there, dict):
            made[key] = merged(there, value)
        elif isinstance(value, list) and isinstance(there, list) and key in KEYS:
            made[key] = merged_lists(there, value, KEYS[key])
        else:
            made[key] = value
    return made


def merged_lists(there, patch, by):
    patches = {element[by]: element for element in patch}
    made = [merged(element, patches.pop(element[by], {})) for element in there]
    return made + list(patches.values())
