"""What GitOps would prune under a Job that runs is told to stay."""

import re

from ..pods import pods
from ..render import title
from .references import of_pod

# A generated name has a hash of what is in it: another content is another object, and the old one is pruned,
# though the next pod of a Job needs it.
HASHED = re.compile("-[bcdfghkmt2456789]{10}$")

STAYS = {
    "argocd.argoproj.io/sync-options": "Prune=false",
    # Without it an object that stays makes its Application OutOfSync.
    "argocd.argoproj.io/compare-options": "IgnoreExtraneous",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}


def faults(render):
    named = {
        pair for one in render.objects for pod in pods(one) for pair in of_pod(pod.spec)
    }
    for one in render.objects:
        name = one["metadata"].get("name", "")
        if (one["kind"], name) not in named or not HASHED.search(name):
            continue
        has = one["metadata"].get("annotations") or {}
        for key, value in STAYS.items():
            if has.get(key) != value:
                yield f"{title(one)}: pruned under a Job that runs, for it lacks {key}: {value}"
