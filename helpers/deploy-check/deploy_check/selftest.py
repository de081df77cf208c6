"""Shows that faults are found: each is put in, and must be told of."""

import copy

from . import check
from .copy import copied, edit
from .misspelt import misspellings
from .render import Render, kustomizations, kustomize, load, title
from .rules import files, runs
from .spoilt import SPOILT


def run(renders):
    """Prints what was tried; 1 if a fault was not found."""
    missed = [*misspelt(renders), *deadlines(), *spoilt(renders), *unused()]
    for one in missed:
        print(f"NOT FOUND: {one}")
    return 1 if missed else 0


def largest(renders):
    """Of every kind the object with the most in it."""
    found = {}
    for _, one in check.objects(renders):
        kind = one["apiVersion"], one["kind"]
        if kind not in found or len(repr(one)) > len(repr(found[kind])):
            found[kind] = one
    return list(found.values())


def misspelt(renders):
    """A field that there is not, in every place of an object of each kind."""
    tried = 0
    for one in largest(renders):
        places = list(misspellings(one))
        tried += len(places)
        caught = check.each_is_faulty([changed for _, changed in places])
        yield from (
            f"misspelt at {place} of {title(one)}"
            for (place, _), is_caught in zip(places, caught, strict=True)
            if not is_caught
        )
        print(f"a misspelt field in {one['kind']}: {sum(caught)} of {len(places)} places found")


def deadlines():
    """A second less than the attempts need is a fault in every overlay, and that second more is none."""
    with copied() as root:
        for folder in kustomizations(root):
            settings = folder / "settings.env"
            if not settings.exists() or "ACTIVE_DEADLINE_SECONDS" not in settings.read_text():
                continue
            least = least_deadline(root, folder)
            edit(settings, "ACTIVE_DEADLINE_SECONDS=17100", f"ACTIVE_DEADLINE_SECONDS={least}")
            if "less than" in times(root, folder):
                yield f"{folder.name}: {least} s are enough, and said to be too few"
            edit(settings, f"ACTIVE_DEADLINE_SECONDS={least}", f"ACTIVE_DEADLINE_SECONDS={least - 1}")
            if "less than" not in times(root, folder):
                yield f"{folder.name}: {least - 1} s"
            else:
                print(f"ACTIVE_DEADLINE_SECONDS={least - 1} in {folder.relative_to(root)}: found")


def least_deadline(root, folder):
    render = rendered(root, folder)
    return max(
        runs.attempts(one) * runs.seconds(variables["PROFILER_DEADLINE"]) + runs.SLACK
        for one in render.objects
        for _, variables in runs.collectors(one, render)
    )


def rendered(root, folder):
    return Render(str(folder.relative_to(root)), load(kustomize(folder)))


def times(root, folder):
    return "\n".join(runs.faults(rendered(root, folder)))


def spoilt(renders):
    """One change each, that must be told of in these words."""
    for name, (of, change, words) in SPOILT.items():
        changed = copy.deepcopy(renders)
        change(next(render.objects for render in changed if render.name == of))
        found = [fault for fault in check.all_faults(changed) if words in fault]
        if found:
            print(f"{name}: {found[0]}")
        else:
            yield name


def unused():
    """A file that nothing leads to."""
    with copied() as root:
        (root / "deploy/base/forgotten.yaml").write_text("kind: Forgotten\n")
        if not any("forgotten" in fault for fault in files.faults(root, kustomizations(root))):
            yield "a file that nothing leads to"
