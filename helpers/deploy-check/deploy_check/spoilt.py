"""Changes that break a rule: of which render, what is changed, and what must be said."""

OPENSHIFT = "deploy/overlays/openshift-s3"
WORKLOAD = "helpers/deploy-check/combinations/workload"
PIPELINE = "deploy/tekton"
ALERTS = "docs/alerts/cluster-profiler.yaml"


def find(objects, kind, name="cluster-profiler"):
    return next(one for one in objects if (one["kind"], one["metadata"].get("name")) == (kind, name))


def job(objects):
    return find(objects, "CronJob")["spec"]["jobTemplate"]["spec"]


def pod(objects):
    return job(objects)["template"]["spec"]


def collector(objects):
    return next(one for one in pod(objects)["containers"] if one["name"] == "collector")


def workload(objects):
    return next(one for one in pod(objects)["containers"] if one["name"] == "workload")


def push_secret(objects):
    return next(one for one in pod(objects)["volumes"] if one["name"] == "push")["secret"]


def settings(objects):
    return next(one for one in objects if one["kind"] == "ConfigMap")["data"]


def rule(objects):
    return find(objects, "PrometheusRule")["spec"]["groups"][0]["rules"][0]


def task(objects, name):
    return next(one for one in find(objects, "Pipeline")["spec"]["tasks"] if one["name"] == name)


def template(objects, name):
    templates = find(objects, "WorkflowTemplate")["spec"]["templates"]
    return next(one for one in templates if one["name"] == name)


SPOILT = {
    "a kind without a schema": (
        OPENSHIFT,
        lambda o: o.append({"apiVersion": "nobody.knows/v1", "kind": "Thing", "metadata": {"name": "x"}}),
        "no schema for nobody.knows/v1 Thing",
    ),
    "a Role that is moved": (
        OPENSHIFT,
        lambda o: find(o, "Role")["metadata"].update(namespace="cluster-profiler"),
        "Role cluster-profiler is in cluster-profiler, and is meant for openshift-cnv",
    ),
    "an exit code that no rule has": (
        OPENSHIFT,
        lambda o: job(o)["podFailurePolicy"]["rules"][1]["onExitCodes"]["values"].remove(5),
        "the exit codes that end the Job",
    ),
    "a setting that is misspelt": (
        OPENSHIFT,
        lambda o: settings(o).update(PROFILER_SETTEL="5m"),
        "PROFILER_SETTEL is no variable",
    ),
    "a window that does not fit": (
        OPENSHIFT,
        lambda o: settings(o).update(PROFILER_SETTLE="2h"),
        "PROFILER_DEADLINE has no room",
    ),
    "a grace that is too long": (
        OPENSHIFT,
        lambda o: pod(o).update(terminationGracePeriodSeconds=290),
        "not more than PROFILER_GRACE",
    ),
    "a deadline that is text": (
        OPENSHIFT,
        lambda o: job(o).update(activeDeadlineSeconds="17100"),
        "activeDeadlineSeconds is no number",
    ),
    "a container that may become root": (
        OPENSHIFT,
        lambda o: collector(o)["securityContext"].pop("allowPrivilegeEscalation"),
        "allowPrivilegeEscalation is not false",
    ),
    "a root filesystem that can be written": (
        OPENSHIFT,
        lambda o: collector(o)["securityContext"].pop("readOnlyRootFilesystem"),
        "readOnlyRootFilesystem is not true",
    ),
    "a fixed group on OpenShift": (
        OPENSHIFT,
        lambda o: pod(o)["securityContext"].update(fsGroup=65532),
        "fsGroup: OpenShift refuses it",
    ),
    "a token for everybody in the pod": (
        OPENSHIFT,
        lambda o: pod(o).pop("automountServiceAccountToken"),
        "automountServiceAccountToken is not false",
    ),
    "a workload with a token": (
        WORKLOAD,
        lambda o: workload(o)["volumeMounts"].append({"name": "token", "mountPath": "/elsewhere"}),
        "container workload: mounts a token",
    ),
    "a workload that runs twice": (
        WORKLOAD,
        lambda o: job(o).update(backoffLimit=2),
        "backoffLimit is not 0",
    ),
    "a workload whose failure is not seen": (
        WORKLOAD,
        lambda o: job(o)["podFailurePolicy"]["rules"].pop(),
        "podFailurePolicy is for ['collector']",
    ),
    "settings that GitOps prunes": (
        OPENSHIFT,
        lambda o: next(one for one in o if one["kind"] == "ConfigMap")["metadata"].pop("annotations"),
        "pruned under a Job that runs, for it lacks argocd.argoproj.io/sync-options: Prune=false",
    ),
    "settings that stay and are told as a difference": (
        "deploy/argo",
        lambda o: next(one for one in o if one["kind"] == "ConfigMap")["metadata"]["annotations"].pop(
            "argocd.argoproj.io/compare-options"
        ),
        "for it lacks argocd.argoproj.io/compare-options",
    ),
    "a name that is not there": (
        OPENSHIFT,
        lambda o: collector(o)["envFrom"][0]["configMapRef"].update(name="cluster-profiler-settings"),
        "there is no ConfigMap cluster-profiler-settings",
    ),
    "a Tekton task that is cut off": (
        PIPELINE,
        lambda o: task(o, "profile").update(timeout="1h"),
        "its timeout is not more than the deadline",
    ),
    "a Tekton task without its workspace": (
        PIPELINE,
        lambda o: task(o, "profile").update(workspaces=[]),
        "the workspace signal is not bound",
    ),
    "a Tekton param that is not declared": (
        PIPELINE,
        lambda o: task(o, "profile")["params"].append({"name": "settel", "value": "5m"}),
        "there is no param settel",
    ),
    "a Tekton variable that is not there": (
        PIPELINE,
        lambda o: find(o, "Task")["spec"]["steps"][0]["env"][0].update(value="$(params.nobody)"),
        "non-existent variable",
    ),
    "an Argo variable that is not there": (
        "deploy/argo",
        lambda o: template(o, "stop")["container"]["command"].append("{{inputs.parameters.nobody}}"),
        "failed to resolve",
    ),
    "an Argo container that its patch lets become root": (
        "deploy/argo",
        lambda o: find(o, "WorkflowTemplate")["spec"].update(podSpecPatch="enableServiceLinks: false"),
        "container wait: allowPrivilegeEscalation is not false",
    ),
    "a Secret that is waited for in vain": (
        "helpers/deploy-check/combinations/push",
        lambda o: push_secret(o).update(optional=False),
        "it waits for the Secret cluster-profiler-push",
    ),
    "an expression that is none": (
        ALERTS,
        lambda o: rule(o).update(expr="max by (namespace ("),
        "could not parse expression",
    ),
}
