"""`python -m deploy_check [--self-test]`"""

import sys
from collections import Counter

from . import admission, check, core, crds, images, selftest
from .pods import pods
from .render import ROOT, kustomizations, render
from .rules import files


def main(arguments):
    if arguments not in ([], ["--self-test"]):
        print("usage: run [--self-test]", file=sys.stderr)
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


def report(renders):
    """What was looked at, and where another than a schema had to."""
    found = [one for _, one in check.objects(renders)]
    kinds = Counter(one["kind"] for one in found)
    print(f"{len(renders)} renders, {len(found)} different objects, no fault")
    print(f"  by Kubernetes' schemas of {core.VERSIONS[0]} to {core.VERSIONS[-1]}: {listed(kinds, False, found)}")
    print(f"  gate-guard's of {core.FIRST['ValidatingAdmissionPolicy']} to {core.VERSIONS[-1]}")
    print(f"  by CustomResourceDefinitions: {listed(kinds, True, found)}")
    print(f"  {sum(len(list(pods(one))) for one in found)} pods that they make, all restricted")
    for one in found:
        if admission.is_ours(one) and crds.opened(one):
            name = one["metadata"].get("name") or one["metadata"]["generateName"]
            print(f"  open in the schema of {one['kind']} {name}, decoded into the Go type: "
                  f"{', '.join(crds.opened(one))}")


def listed(kinds, custom, found):
    is_custom = {one["kind"]: (one["apiVersion"], one["kind"]) in crds.schemas() for one in found}
    return ", ".join(f"{kinds[kind]} {kind}" for kind in sorted(kinds) if is_custom[kind] == custom)


sys.exit(main(sys.argv[1:]))
