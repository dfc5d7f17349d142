"""Tasks from a folder of YAML files whose functions stand in a module beside them."""

import importlib.util
import json
from pathlib import Path

import yaml


class TaskManager:
    def __init__(self, include_path=None, **_):
        self.tasks, self.groups = {}, []
        for file in sorted(Path(include_path).glob("*.yaml")) if include_path else []:
            found = _read(file)
            if "group" in found:
                self.groups.append(found["group"])
            else:
                self.tasks[found["task"]] = found

    @property
    def all_tasks(self):
        return sorted([*self.tasks, *self.groups])

    @property
    def all_subtasks(self):
        return sorted(self.tasks)


def _read(file):
    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!function", lambda _, node: _function(file.parent, node.value))
    task = yaml.load(file.read_text(), Loader)
    if "group" in task:
        return task
    split = task["test_split"]
    lines = (file.parent / task["dataset_kwargs"]["data_files"][split]).read_text().splitlines()
    return {**task, "docs": {split: [json.loads(line) for line in lines]}}


def _function(folder, name):
    module_name, _, function = name.rpartition(".")
    spec = importlib.util.spec_from_file_location(module_name, folder / f"{module_name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, function)
