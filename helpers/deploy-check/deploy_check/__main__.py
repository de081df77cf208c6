"""`python -m deploy_check [--self-test | --cluster]`"""

import sys
from collections import Counter

from . import admission, check, cluster, core, crds, images, selftest
from .pods import pods
from .render import ROOT, kustomizations, render
from .rules import files


def main(arguments):
    if arguments == ["--cluster"]:
        return on_cluster()
    if arguments not in ([], ["--self-test"]):
        print("usage: run [--self-test | --cluster]", file=sys.stderr)
        return 2
    renders = render()
    faults = [
        *check.all_faults(renders),
        *images.faults(),
        *files.faults(ROOT, kustomizations(ROOT)),
    ]
    for fault in faults:
        print(fault)
    if faults:
        return 1
    report(renders)
    return selftest.run(renders) if arguments else 0


def on_cluster():
    try:
        cluster.run()
    except cluster.Refused as refused:
        print(refused, file=sys.stderr)
        return 1
    return 0


def report(renders):
    """What was looked at, and where another than a schema had to."""
    found = [one for _, one in check.objects(renders)]
    kinds = Counter(one["kind"] for one in found)
    print(f"{len(renders)} renders, {len(found)} different objects, no fault")
    oldest, newest = core.VERSIONS[0], core.VERSIONS[-1]
    print(f"  by Kubernetes' schemas of {oldest} to {newest}: {listed(kinds, False, found)}")
    print(f"  gate-guard's of {core.FIRST['ValidatingAdmissionPolicy']} to {newest}")
    print(f"  by CustomResourceDefinitions: {listed(kinds, True, found)}")
    print(f"  {sum(len(list(pods(one))) for one in found)} pods that they make, all restricted")
    for kind, paths in opened(found):
        print(f"  open in {kind}'s schema, decoded into the Go type instead: {', '.join(sorted(paths))}")


def opened(found):
    """By kind, where something stands that its CustomResourceDefinition says nothing of."""
    for kind in sorted({one["kind"] for one in found if admission.is_ours(one)}):
        paths = {path for one in found if one["kind"] == kind for path in crds.opened(one)}
        if paths:
            yield kind, paths


def listed(kinds, custom, found):
    is_custom = {one["kind"]: (one["apiVersion"], one["kind"]) in crds.schemas() for one in found}
    return ", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds) if is_custom[kind] == custom)


sys.exit(main(sys.argv[1:]))
