"""A task's rows: from this disk or the hub, as they are or through the reader of their published form."""

from __future__ import annotations

from pathlib import Path

from data_prep.fetch import is_begun
from data_prep.files import read_jsonl
from prism.errors import BadInput
from prism.evaluate.hub import bring
from prism.evaluate.rows import TaskRows, read_rows
from prism.evaluate.rows.records import data_files, records
from prism.evaluate.ruler.make import needs_material
from prism.evaluate.ruler.make import read_rows as read_material_rows
from prism.evaluate.subject import Subject
from prism.evaluate.task import AnyTask, GenerateTask, HarnessTask, RulerTask, data_path


def read_task(task: AnyTask, subject: Subject) -> TaskRows:
    """The rows that the task asks; none of a task that makes its own or has the harness read them.

    Raises:
        BadInput: its data is missing, can't be brought, or isn't what the task says.
    """
    if isinstance(task, HarnessTask) or (isinstance(task, RulerTask) and not needs_material(task)):
        return TaskRows([])
    path = subject.data_of(task)
    if isinstance(task, GenerateTask) and (task.hub is not None or task.rows is not None):
        return _published(task, path, own=path == data_path(task.path, subject.data_directory))
    if not path.is_file():
        raise _missing(task, path)
    if isinstance(task, RulerTask):
        return TaskRows(read_material_rows(path))
    return TaskRows(list(read_jsonl(path))[: task.limit])


def may_be_missing(task: AnyTask) -> bool:
    """Whether the task's data is somebody else's to give: without it the other tasks go on."""
    return isinstance(task, HarnessTask) or (isinstance(task, GenerateTask) and task.hub is not None)


def _published(task: GenerateTask, path: Path, *, own: bool) -> TaskRows:
    """Args: own: the path is the task's, where only its files count; of another folder all do."""
    hub = task.hub if own else None
    patterns = hub.files if hub is not None else ()
    files = data_files(path, patterns)
    if hub is not None and (not files or is_begun(path)):
        bring(hub, path, task.name)
        files = data_files(path, patterns)
    if not files:
        raise _missing(task, path)
    if task.rows is not None:
        return read_rows(task.rows, records(files), task.limit)
    return TaskRows([row for _, row in records(files)][: task.limit])


def _missing(task: AnyTask, path: Path) -> BadInput:
    return BadInput(
        f"the data of task {task.name} is missing",
        place=str(path),
        remedy=f"set evaluate.data.{task.name} or the environment variable PRISM_DATA, or leave the task out",
    )
