"""Runs: their times fit into each other, and their exit codes are the program's."""

import re

from ..pods import pods
from ..render import ROOT, title

SLACK = 15 * 60

# Retried: what passes, and what a run that is told to stop leaves. 0 is none, 1 is a subcommand's.
TRIED_AGAIN = {75, 143}
NO_FAILURE = {0, 1}

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def seconds(text):
    """Of 90s, 1h30m."""
    parts = re.findall(r"(\d+)([smhd])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration")
    return sum(int(number) * UNITS[unit] for number, unit in parts)


def environment(container, render):
    """What a container finds set: a ConfigMap's, and then its own."""
    maps = {one["metadata"]["name"]: one.get("data", {}) for one in render.of_kind("ConfigMap")}
    found = {}
    for source in container.get("envFrom", []):
        found |= maps.get(source.get("configMapRef", {}).get("name"), {})
    return found | {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}


def collectors(one, render):
    """Each pod that profiles, with that container and its environment."""
    for pod in pods(one):
        for container in pod.containers():
            if container.get("command", []) in ([], ["cluster-profiler-job"]) and one["kind"] != "Pod":
                variables = environment(container, render)
                if "PROFILER_RUN_ID" in variables:
                    yield pod, container, variables


def faults(render):
    for one in render.objects:
        for pod, container, variables in collectors(one, render):
            known_names = sorted(set(variables) - readme_variables())
            for name in known_names:
                if name.startswith("PROFILER_"):
                    yield f"{pod.name}: {name} is no variable of the README"
            if one["kind"] in ("Job", "CronJob", "WorkflowTemplate"):
                for fault in of_times(one, pod, variables):
                    yield f"{pod.name}: {fault}"
        for fault in of_exit_codes(one):
            yield f"{title(one)}: {fault}"


def readme():
    return (ROOT / "README.md").read_text()


def readme_variables():
    return set(re.findall(r"^\| `(PROFILER_[A-Z0-9_]+)` \|", readme(), re.M))


def readme_codes():
    return {int(code) for code in re.findall(r"^\| (\d+) \| ", readme(), re.M)}


def job_spec(one):
    return one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one["spec"]


def attempts(one):
    """How often a pod may run."""
    if one["kind"] == "WorkflowTemplate":
        limits = [
            int(template["retryStrategy"]["limit"])
            for template in one["spec"]["templates"]
            if "retryStrategy" in template
        ]
        return max(limits, default=0) + 1
    return job_spec(one)["backoffLimit"] + 1


def of_times(one, pod, variables):
    active = (one["spec"] if one["kind"] == "WorkflowTemplate" else job_spec(one))["activeDeadlineSeconds"]
    if not isinstance(active, int):
        yield f"activeDeadlineSeconds is no number: {active!r}"
        return
    if str(active) != variables.get("ACTIVE_DEADLINE_SECONDS"):
        yield f"activeDeadlineSeconds is {active}, the settings say {variables.get('ACTIVE_DEADLINE_SECONDS')}"
    if not variables.get("PROFILER_DEADLINE"):
        yield "no PROFILER_DEADLINE"
        return
    deadline = seconds(variables["PROFILER_DEADLINE"])
    least = attempts(one) * deadline + SLACK
    if active < least:
        yield (
            f"activeDeadlineSeconds is {active}, less than {attempts(one)} attempts of "
            f"{variables['PROFILER_DEADLINE']} and 15 minutes, {least}"
        )
    grace = seconds(variables.get("PROFILER_GRACE", "25s"))
    settle = seconds(variables.get("PROFILER_SETTLE", "5m"))
    window = seconds(variables.get("PROFILER_MAX_WINDOW") or f"{max(settle, 3600)}s")
    if deadline <= window + grace:
        yield f"PROFILER_DEADLINE has no room for a window of {window} s and a grace of {grace} s"
    if pod.spec.get("terminationGracePeriodSeconds", 30) <= grace:
        yield "terminationGracePeriodSeconds is not more than PROFILER_GRACE"


def of_exit_codes(one):
    """The Job gives up by the same table as the README's."""
    if one["kind"] not in ("Job", "CronJob"):
        return
    spec = job_spec(one)
    rules = spec["podFailurePolicy"]["rules"]
    containers = [container["name"] for container in spec["template"]["spec"]["containers"]]
    if spec["template"]["spec"]["restartPolicy"] != "Never":
        yield "restartPolicy is not Never: podFailurePolicy needs it"
    if rules[0].get("action") != "Ignore" or rules[0]["onPodConditions"][0]["type"] != "DisruptionTarget":
        yield "the first rule is not to ignore a disruption"
    codes = {rule["onExitCodes"]["containerName"]: rule["onExitCodes"] for rule in rules[1:]}
    if sorted(codes) != sorted(containers):
        yield f"podFailurePolicy is for {sorted(codes)}, the containers are {sorted(containers)}"
        return
    final = sorted(readme_codes() - TRIED_AGAIN - NO_FAILURE)
    ours = codes.get("collector") or codes["undo"]
    if (ours["operator"], ours["values"]) != ("In", final):
        yield f"the exit codes that end the Job are {ours['values']}, by the README {final}"
    if "workload" in containers:
        if spec["backoffLimit"] != 0:
            yield "a workload beside the run, and backoffLimit is not 0"
        if (codes["workload"]["operator"], codes["workload"]["values"]) != ("NotIn", [0]):
            yield "a workload that fails does not end the Job"
