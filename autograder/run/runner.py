"""One run of a notebook's cells: nbconvert's executor with a watchdog for each cell and a cap on its outputs.

It overrides private methods of nbclient; ``tests/test_dependencies.py`` looks whether they still exist.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import time
from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionComplete, DeadKernelError
from nbclient.util import ensure_async
from nbconvert.preprocessors import ExecutePreprocessor
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from autograder.kit.provided import names_of, to_restore
from autograder.kit.statements import Statement, from_line
from autograder.names import KIT_FILE, SKIPPED
from autograder.run.environment import kernel_environment
from autograder.run.limits import Limits
from autograder.run.raised import CellError, frames, goes_on, read_error
from autograder.submissions.cells import is_kit

# Before the first cell: wherever a notebook goes with os.chdir, the kit has found its folder by then.
# quit() would end the kernel under the cells below it
OPEN_KIT = f"get_ipython().ask_exit = lambda: None; __import__({KIT_FILE.removesuffix('.py')!r});"
RUNAWAY = 50  # times output_bytes: of one cell, then it is stopped; of all cells, then no more is kept


class OutOfTimeError(Exception):
    """The submission's time is used up; the cells from here on were not run."""


class Runner(ExecutePreprocessor):
    """ExecutePreprocessor with a watchdog for every cell and a cap on outputs.

    Args:
        limits: what a cell may use.
        deadline: of the whole submission, on the monotonic clock.
        skipped: indices of cells that are not run.
        events: gets a sentence for everything that went wrong.
        given: statements to run before the first cell.
        spare: statements that give names again which a cell lost when it raised.
    """

    def __init__(
        self,
        limits: Limits,
        deadline: float,
        skipped: Container[int],
        events: list[str],
        given: Sequence[str] = (),
        spare: Sequence[str] = (),
    ):
        super().__init__(timeout=None, allow_errors=True, kernel_name="python3", record_timing=False)
        self.limits, self.deadline, self.skipped, self.events = limits, deadline, skipped, events
        self.current: int | None = None
        self.output_size = self.all_output = 0
        self.runaway = asyncio.Event()
        self.seconds: dict[int, float] = {}
        self.given: list[str] | None = [OPEN_KIT, *given]
        self.spare = spare
        self.raised: dict[str, Any] | None = None  # the error message of the cell that runs
        self.errors: list[CellError] = []
        self.lost: frozenset[str] = frozenset()  # names that statements which were passed over did not give
        self.counts: dict[int, int] = {}  # execution count → index of the cell
        self.stopped = ""  # the limit that has stopped the present cell, in words
        self.cell_end = 0.0
        self.stops: dict[int, str] = {}  # index → the limit that has stopped the cell

    def preprocess_cell(self, cell: NotebookNode, resources: Any, index: int) -> tuple[NotebookNode, Any]:
        """Runs one cell within its limits, or leaves it out and says so.

        Where a cell raised for what is missing here, the rest of it is run statement by statement.
        """
        if self.given is not None:
            given, self.given = self.given, None
            self.cell_end = time.monotonic() + self.limits.cell_seconds
            for text in given:
                self._run_part(text, index, store_history=False)
        if cell.cell_type != "code" or not cell.source.strip() or index in self.skipped or skip_reason(cell):
            return cell, resources
        if time.monotonic() >= self.deadline:
            raise OutOfTimeError
        self.current, self.output_size = index, 0
        self.raised, self.stopped = None, ""
        started = time.monotonic()
        self.cell_end = started + self.limits.cell_seconds
        try:
            cell, resources = super().preprocess_cell(cell, resources, index)
            self._note_error(cell, index)
            return cell, resources
        finally:
            self.seconds[index] = time.monotonic() - started
            if self.stopped:
                self.stops[index] = self.stopped
            allowed = self.limits.output_bytes
            if self.output_size > allowed:
                name = cell_name(cell, index)
                self.events.append(f"{name} printed more than {allowed:,} bytes; the rest was dropped.")
            elif self.all_output > RUNAWAY * allowed:
                self.events.append(
                    f"The cells up to {index + 1} printed more than {RUNAWAY * allowed:,} bytes in all;"
                    " the rest was dropped."
                )

    def _note_error(self, cell: NotebookNode, index: int) -> None:
        """Keeps what a cell raised, and runs the rest of it where that is fair."""
        self._count(cell, index)
        if self.raised is None:
            return
        rest = from_line(cell.source, self._line(index))
        error = self._read_error(index, rest or [Statement(cell.source, 1, 1)])
        if not rest or not goes_on(error, cell.source, self.lost):
            self.errors.append(error)
            self._restore(error, index)
            return
        if sum(one.line == rest[0].line for one in rest) == 1:  # else it is not known which of them raised
            self._pass_over(replace(error, names=names_of(rest[0].text).bound))
            rest = rest[1:]
        for statement in rest:
            if time.monotonic() >= min(self.cell_end, self.deadline) or self.stopped:
                break
            part = self._run_part(statement.placed, index)
            cell.outputs += part.outputs
            if self.raised is not None:
                self._pass_over(self._read_error(index, [statement]))

    def _restore(self, error: CellError, index: int) -> None:
        """Gives the names that a cell lost when it raised, and that the homework's own cells give."""
        for text in to_restore(self.spare, error.names) if not self.stopped else ():
            self._run_part(text, index, store_history=False)

    def _pass_over(self, error: CellError) -> None:
        self.errors.append(replace(error, apart=True))
        self.lost |= error.names

    def _run_part(self, text: str, index: int, store_history: bool = True) -> NotebookNode:
        """Runs a text that is no cell of the notebook, in the place of one."""
        cell, self.raised = self.nb.cells[index], None
        part = new_code_cell(text, id="autograder-part")
        try:
            self.execute_cell(part, index, store_history=store_history)
            if store_history:
                self._count(part, index)
        finally:
            self.nb.cells[index] = cell
        return part

    def _count(self, cell: NotebookNode, index: int) -> None:
        if isinstance(cell.execution_count, int):
            self.counts[cell.execution_count] = index

    def _line(self, index: int) -> int:
        """The line at which the cell raised that has just run; 0 if unknown."""
        found = frames(self.raised or {})
        return found[0][1] if found and self.counts.get(found[0][0]) == index else 0

    def _read_error(self, index: int, lost: Sequence[Statement]) -> CellError:
        error = read_error(self.raised or {}, index, self.nb.cells, self.counts, lost)
        return replace(error, limit=self.stopped)

    async def async_start_new_kernel(self, **options: Any) -> None:
        """Starts a kernel that keeps its messages to itself and sees little of the grader's environment."""
        assert self.km is not None
        folder = self.resources["metadata"]["path"]
        silent = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = kernel_environment(folder)
        await ensure_async(self.km.start_kernel(cwd=folder, env=environment, **silent, **options))

    start_new_kernel = run_sync(async_start_new_kernel)

    async def async_execute_cell(
        self, cell: NotebookNode, cell_index: int, *args: Any, **options: Any
    ) -> NotebookNode:
        """Runs one cell with a watchdog beside it."""
        watchdog = asyncio.ensure_future(self._watch(cell, cell_index))
        try:
            return await super().async_execute_cell(cell, cell_index, *args, **options)
        finally:
            watchdog.cancel()

    execute_cell = run_sync(async_execute_cell)

    async def _watch(self, cell: NotebookNode, index: int) -> None:
        allowed = max(min(self.cell_end, self.deadline) - time.monotonic(), 0.1)
        self.runaway = asyncio.Event()
        try:
            await asyncio.wait_for(self.runaway.wait(), allowed)
            self.stopped = "printed without end"
        except TimeoutError:
            least = min(self.limits.cell_seconds, self.deadline - self.cell_end + self.limits.cell_seconds)
            self.stopped = f"ran longer than {max(least, 0.1):.3g} s"
        self.events.append(f"{cell_name(cell, index)} {self.stopped} and was stopped.")
        assert self.km is not None
        with contextlib.suppress(Exception):  # a dead kernel cannot be interrupted; the kill below settles it
            await ensure_async(self.km.interrupt_kernel())
        await asyncio.sleep(self.limits.grace_seconds)
        self.events.append(f"{cell_name(cell, index)} did not stop when interrupted; its kernel was killed.")
        if self.km.provisioner is not None:
            await self.km.provisioner.kill()

    async def _async_poll_kernel_alive(self) -> None:
        while True:
            await asyncio.sleep(0.1)
            try:
                await self._async_check_alive()
            except DeadKernelError:
                if self.task_poll_for_reply is not None:
                    self.task_poll_for_reply.cancel()
                return

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: NotebookNode, cell_index: int) -> None:
        """Gives the watchdog a turn between messages: a kernel that never stops printing leaves no pause."""
        assert self.kc is not None
        while True:
            message = await ensure_async(self.kc.iopub_channel.get_msg(timeout=None))
            await asyncio.sleep(0)
            if message["parent_header"].get("msg_id") == parent_msg_id:
                try:
                    self.process_message(message, cell, cell_index)
                except CellExecutionComplete:
                    return

    async def _check_raise_for_error(
        self, cell: NotebookNode, cell_index: int, exec_reply: dict[str, Any] | None
    ) -> None:
        """Takes from the kernel's reply what no other message says.

        That is the cell's number, and the error where IPython only printed it, as a group of exceptions.
        """
        content = (exec_reply or {}).get("content", {})
        if isinstance(number := content.get("execution_count"), int):
            cell.execution_count = number
        if self.raised is None and content.get("status") == "error":
            self.raised = content
        await super()._check_raise_for_error(cell, cell_index, exec_reply)

    def process_message(
        self, msg: dict[str, Any], cell: NotebookNode, cell_index: int
    ) -> NotebookNode | None:
        """Keeps what a message says while all messages of the cell, and of the notebook, are within limits.

        Comms are dropped: nothing here answers them, and nbclient would keep their state.
        """
        kind = msg["msg_type"]
        if kind == "error":
            self.raised = msg["content"]
        if kind not in ("status", "execute_input"):
            size = len(json.dumps(msg["content"], default=str)) + sum(map(len, msg.get("buffers") or ()))
            self.output_size += size
            self.all_output += size
            if self.output_size > RUNAWAY * self.limits.output_bytes:
                self.runaway.set()
            if (
                self.output_size > self.limits.output_bytes
                or self.all_output > RUNAWAY * self.limits.output_bytes
            ):
                return None
            if kind.startswith("comm"):
                return None
        kept: NotebookNode | None = super().process_message(msg, cell, cell_index)
        return kept

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Keeps an output; nbclient would look through the whole schema also for what is plainly right."""
        made = None if display_id or self.clear_before_next_output else plain_output(msg)
        if made is None or self.output_hook_stack[msg["parent_header"].get("msg_id")]:
            kept: NotebookNode | None = super().output(outs, msg, display_id, cell_index)
            return kept
        outs.append(made)
        return made

    def end_kernel(self) -> None:
        """Ends the kernel for good; nbclient leaves a manager alone that it did not make."""
        manager = self.km
        if manager is None:
            return
        if self.kc is not None:
            self.kc.stop_channels()
        with contextlib.suppress(Exception):
            # its own run_sync form is typed as if it did not wait
            run_sync(manager._async_shutdown_kernel)(now=True)
        manager.context.destroy(linger=0)


def plain_output(message: dict[str, Any]) -> NotebookNode | None:
    """The output that a message carries if it is printed text, or data all of which are texts; else None."""
    kind, content = message["header"]["msg_type"], message["content"]
    if kind == "stream":
        name, text = content.get("name"), content.get("text")
        if isinstance(name, str) and isinstance(text, str):
            return NotebookNode(output_type=kind, name=name, text=text)
    if kind in ("display_data", "execute_result") and content.get("metadata") == {}:
        data, number = content.get("data"), content.get("execution_count")
        if isinstance(data, dict) and all(isinstance(value, str) for value in data.values()):
            made = NotebookNode(output_type=kind, metadata=NotebookNode(), data=NotebookNode(data))
            if kind == "display_data":
                return made
            if type(number) is int and number >= 0:
                return NotebookNode(made, execution_count=number)
    return None


def skip_reason(cell: NotebookNode) -> str | None:
    """Why a grading run leaves this cell out: it writes the kit, or only trains or draws; None if it runs."""
    if is_kit(cell.source):
        return "the grader's own kit is used"
    if SKIPPED.match(cell.source) or "skip-execution" in cell.metadata.get("tags", []):
        return "skipped while grading"
    return None


def cell_name(cell: NotebookNode, index: int) -> str:
    """How messages name a cell: its number among all cells and its first line of code."""
    first = next((line.strip() for line in cell.source.split("\n") if line.strip()), "")
    return f"cell {index + 1} ({first[:50]!r})"
