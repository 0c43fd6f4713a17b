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
from prism.evaluate.task import AnyTask, BitsTask, ChoiceTask, GenerateTask, HarnessTask, RulerTask, data_path


def read_task(task: AnyTask, subject: Subject) -> TaskRows:
    """The rows that the task asks; none of a task that makes its own or has the harness read them.

    Raises:
        BadInput: its data is missing, empty, can't be brought, or isn't what the task says.
    """
    if isinstance(task, HarnessTask) or (isinstance(task, RulerTask) and not needs_material(task)):
        return TaskRows([])
    path = subject.data_of(task)
    found = _read(task, path, own=path == data_path(task.path, subject.data_directory))
    if not found.rows:
        raise BadInput(
            f"task {task.name} has no rows", place=str(path), remedy=f"bring data, or set evaluate.data.{task.name}"
        )
    for number, row in enumerate(found.rows):
        for column in _columns_of(task):
            if column not in row:
                raise BadInput(
                    f"no column {column} (here: {', '.join(row)})",
                    place=f"{path}, row {row.get('id', number)}",
                    remedy=f"correct the columns of task {task.name}, or name the published form of its data as `rows`",
                )
    return found


def _columns_of(task: AnyTask) -> tuple[str, ...]:
    """What every row needs."""
    if isinstance(task, BitsTask):
        return (task.text,) if task.question is None else (task.question, task.answer)
    if isinstance(task, ChoiceTask):
        return (task.context, task.choices, task.answer)
    if isinstance(task, GenerateTask) and task.rows is None:
        return tuple(filter(None, (task.prompt, task.answer, task.choices)))
    return ()


def _read(task: AnyTask, path: Path, *, own: bool) -> TaskRows:
    """Args: own: see `_published`."""
    if isinstance(task, GenerateTask) and (task.hub is not None or task.rows is not None):
        return _published(task, path, own=own)
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
