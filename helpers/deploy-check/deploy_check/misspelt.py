"""Objects with one field too many."""

import copy

import yaml

FIELD = "misspelt"

# Whose keys are anybody's.
FREE = {"labels", "annotations", "matchLabels", "data", "requests", "limits"}


def misspellings(one):
    """Each place where a field can stand, with a copy of the object that has one there."""
    for path in places(one, ()):
        changed = copy.deepcopy(one)
        at(changed, path)[FIELD] = "x"
        yield ".".join(str(part) for part in path) or "the top", changed
    # Argo's patches of a pod are text.
    for path in patches(one, ()):
        inner = yaml.safe_load(at(one, path))
        for place in places(inner, ()):
            spoilt = copy.deepcopy(inner)
            at(spoilt, place)[FIELD] = "x"
            changed = copy.deepcopy(one)
            at(changed, path[:-1])[path[-1]] = yaml.safe_dump(spoilt)
            yield ".".join(str(part) for part in path + place), changed


def places(value, path):
    """Where there are fields: every mapping but those whose keys are free."""
    if isinstance(value, dict):
        if not path or path[-1] not in FREE:
            yield path
        for key, inner in value.items():
            yield from places(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from places(inner, (*path, index))


def patches(value, path):
    if path and path[-1] == "podSpecPatch":
        yield path
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from patches(inner, (*path, key))


def at(value, path):
    for part in path:
        value = value[part]
    return value
