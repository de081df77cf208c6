"""Tekton cuts nothing off, and a Pipeline gives its Tasks what they ask for."""

import re
from functools import partial

from ..render import title
from .runs import seconds


def faults(renders):
    tasks = {one["metadata"]["name"]: one["spec"] for render in renders for one in render.of_kind("Task")}
    pipelines = {
        one["metadata"]["name"]: one["spec"] for render in renders for one in render.of_kind("Pipeline")
    }
    for render in renders:
        for one in render.of_kind("Pipeline"):
            for task in one["spec"]["tasks"]:
                for fault in of_call(task, tasks, partial(argument, {}, one["spec"])):
                    yield f"{render.name}: {title(one)}, {task['name']}: {fault}"
        for one in render.of_kind("TaskRun", "PipelineRun"):
            for fault in of_run(one, tasks, pipelines):
                yield f"{render.name}: {title(one)}: {fault}"


def of_call(task, tasks, handed):
    """A PipelineTask, or a TaskRun's spec, against its Task, with what the Pipeline hands on."""
    if "taskRef" not in task:
        return
    spec = tasks.get(task["taskRef"]["name"])
    if spec is None:
        yield f"there is no Task {task['taskRef']['name']}"
        return
    yield from of_arguments(task, spec)
    deadline = argument(task, spec, "deadline")
    variable = re.fullmatch(r"\$\(params\.(.+)\)", deadline or "")
    if variable:
        deadline = handed(variable[1])
    if deadline and seconds(task.get("timeout", "1h")) <= seconds(deadline):
        yield f"its timeout is not more than the deadline, {deadline}"


def of_arguments(call, spec):
    given = {param["name"] for param in call.get("params", [])}
    declared = {param["name"]: "default" in param for param in spec.get("params", [])}
    for name in given - set(declared):
        yield f"there is no param {name}"
    for name, has_default in declared.items():
        if not has_default and name not in given:
            yield f"the param {name} is not given"
    bound = {workspace["name"] for workspace in call.get("workspaces", [])}
    for workspace in spec.get("workspaces", []):
        if workspace["name"] not in bound and not workspace.get("optional"):
            yield f"the workspace {workspace['name']} is not bound"
    for name in bound - {workspace["name"] for workspace in spec.get("workspaces", [])}:
        yield f"there is no workspace {name}"


def argument(call, spec, name):
    values = [param["value"] for param in call.get("params", []) if param["name"] == name]
    defaults = [param.get("default") for param in spec.get("params", []) if param["name"] == name]
    return (values + defaults + [None])[0]


def of_run(one, tasks, pipelines):
    if one["kind"] == "TaskRun":
        yield from of_call(one["spec"], tasks, None)
        return
    pipeline = pipelines[one["spec"]["pipelineRef"]["name"]]
    yield from of_arguments(one["spec"], pipeline)
    for task in pipeline["tasks"]:
        yield from of_call(task, tasks, partial(argument, one["spec"], pipeline))
    timeouts = {name: seconds(text) for name, text in one["spec"]["timeouts"].items()}
    window = seconds(argument(one["spec"], pipeline, "max-window"))
    longest = max(seconds(task.get("timeout", "1h")) for task in pipeline["tasks"])
    if timeouts["pipeline"] < window + 30 * 60:
        yield "the pipeline's timeout is less than the window and half an hour"
    if timeouts["tasks"] < longest:
        yield "the tasks' timeout is less than that of one of them"
    if timeouts["pipeline"] < timeouts["tasks"] + timeouts["finally"]:
        yield "the tasks' and finally's timeouts do not fit in the pipeline's"
