"""What Tekton, Argo and the Prometheus operator say themselves: the Go program of admission/."""

import json
import os
import subprocess

GROUPS = {"tekton.dev", "argoproj.io", "monitoring.coreos.com"}


def is_ours(one):
    return one["apiVersion"].partition("/")[0] in GROUPS


def faults(objects):
    """For each of these objects, what is wrong with it."""
    done = subprocess.run(
        [os.environ["ADMISSION"]], input=json.dumps(objects), capture_output=True, text=True, check=True
    )
    return [said or [] for said in json.loads(done.stdout)]
