"""What a real kube-apiserver says of everything: applied, strictly, and each pod in a namespace that is
`restricted`."""

import json
import os
import re
import subprocess
import time

import yaml

from . import crds
from .copy import copied, edit
from .pods import pods
from .render import ROOT, kustomizations, kustomize, samples

RESTRICTED = "deploy-check-restricted"
LEVELS = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
SERVER_SIDE = ["--server-side", "--force-conflicts", "--validate=strict"]


class Refused(Exception):
    """The API server refused something, or warned of it."""


def kubectl(*arguments, stdin=None):
    """Its output; a warning is a fault."""
    command = [os.environ["KUBECTL"], *arguments]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    # What was applied by the client before is taken over, and that is warned of.
    said = [line for line in done.stderr.splitlines() if "failed to migrate" not in line]
    if done.returncode or any("Warning:" in line for line in said):
        raise Refused(f"{' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def apply(text, *more):
    return kubectl("apply", *SERVER_SIDE, *more, "--filename=-", stdin=text)


def run():
    """Everything, on the cluster of KUBECONFIG."""
    prepare()
    folders, files = kustomizations(ROOT), samples(ROOT)
    for folder in folders:
        text = kustomize(folder)
        # A Job cannot be changed, nor a Pod.
        kubectl("delete", "job,pod", "--all", "--namespace=cluster-profiler")
        apply(text, "--dry-run=server")
        apply(text)
    for text in (path.read_text() for path in files):
        if "generateName:" in text:
            kubectl("create", "--validate=strict", "--filename=-", stdin=text)
        else:
            apply(text)
    count = sum(restricted(text) for text in [*map(kustomize, folders), *(path.read_text() for path in files)])
    again()
    print(f"applied: {len(folders)} folders and {len(files)} samples; {count} pods, all restricted")


def prepare():
    """The kinds, and what a controller manager would have made."""
    for text in crds.texts():
        apply(text)
    established()
    for name in ("kubevirt", "openshift-cnv", "cluster-profiler", RESTRICTED):
        labels = LEVELS if name == RESTRICTED else {}
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
        apply(json.dumps(namespace))
        account(name, "default")


def established():
    """Waits for the kinds; `kubectl wait` fails on one that has no status yet."""
    for attempt in range(60):
        try:
            kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
            return
        except Refused:
            if attempt == 59:
                raise
            time.sleep(0.5)


def account(namespace, name):
    metadata = {"name": name, "namespace": namespace}
    apply(json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata}))


def restricted(text):
    """Makes each pod in a restricted namespace, and shows that it would be refused with more rights."""
    found = [pod for one in yaml.load_all(text, Loader=yaml.CSafeLoader) if one for pod in pods(one)]
    for pod in found:
        account(RESTRICTED, pod.spec.get("serviceAccountName") or "default")
        # What Tekton puts in, it puts in before.
        made = json.loads(re.sub(r"\$\((params|workspaces)[^)]*\)", "value", json.dumps(pod.object())))
        made["metadata"] |= {"namespace": RESTRICTED}
        made["spec"].setdefault("serviceAccountName", "default")
        create(made)
        spec = made["spec"]
        spec["containers"][-1].setdefault("securityContext", {})["privileged"] = True
        try:
            create(made)
        except Refused:
            continue
        raise Refused(f"{pod.name}: it would be taken with privileges, too")
    return len(found)


def create(pod):
    kubectl("create", "--dry-run=server", "--validate=strict", "--filename=-", stdin=json.dumps(pod))


def again():
    """Apply, run, edit the settings, apply, run: each run has the settings of its time."""
    with copied() as root:
        overlay = root / "deploy/overlays/kubevirt-s3"
        ran = []
        for name in ("first", "second"):
            apply(kustomize(overlay))
            kubectl("create", "job", name, "--from=cronjob/cluster-profiler", "--namespace=cluster-profiler")
            job = kubectl("get", "job", name, "--namespace=cluster-profiler", "--output=json")
            ran.append(settings_of(json.loads(job)))
            edit(overlay / "settings.env", "PROFILER_SETTLE=15m", f"PROFILER_LABELS=after={name}\nPROFILER_SETTLE=15m")
    if ran[0] == ran[1] or "PROFILER_LABELS" not in ran[1]:
        raise Refused("a run after an edit of the settings does not have them")


def settings_of(job):
    """The data of the ConfigMap of a Job's first container."""
    container = job["spec"]["template"]["spec"]["containers"][0]
    name = container["envFrom"][0]["configMapRef"]["name"]
    there = kubectl("get", "configmap", name, "--namespace=cluster-profiler", "--output=json")
    return json.loads(there)["data"]
