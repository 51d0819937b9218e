"""The other process of a rehearsal: runs a notebook's cells with what grading has, and with nothing else.

It reads a job from its standard input and writes a line of JSON for each thing that happens. The student's
files are hidden from it and safe from it; so are the network and other programs.
"""

from __future__ import annotations

import _thread
import builtins
import json
import os
import signal
import sys
import threading
import time
import types
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

from autograder.kit.provided import names_of, to_restore
from autograder.kit.statements import Statement, from_line, goes_on

KIT_MODULE = "homework_kit"
OPEN_KIT = f"__import__({KIT_MODULE!r});"  # as grading does: os.chdir in the first cell changes nothing
LAST_CELL = f"import {KIT_MODULE} as _kit\n_kit._opened().record_missing()"
PAGE_ONLY = ("ipympl", "ipywidgets")  # what lives in the page, whoever imports it
CELL_CODE = ("<module>", "<cell line: 1>", "async-def-wrapper")  # how IPython calls a cell's own code
STARTS = ("os.exec", "os.posix_spawn", "os.startfile", "os.system", "pty.spawn", "subprocess.Popen")
READS = ("open", "os.chdir", "os.listdir", "os.scandir")
WRITES = (
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
    "os.utime",
    "shutil.move",
    "shutil.rmtree",
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


def rehearse_here() -> None:
    """Runs the job on standard input and ends the process; ``rehearsal.py`` starts it so."""
    job = json.loads(sys.stdin.read())
    channel = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    sys.dont_write_bytecode = True
    del sys.modules[KIT_MODULE]  # the notebook imports it anew, into its own names
    try:
        _Stage(job, channel).run()
    finally:
        channel.flush()
        os._exit(0)  # whatever threads and exit handlers the notebook has left


class _Stage:
    """One process in which cells run.

    Args:
        job: ``cells`` (number and text), ``seconds`` for each, ``modules`` of grading, ``given``: statements
            of the homework's own cells, ``provided``: those that grading runs first, and ``theirs``: the
            folders whose files do not exist while grading.
        channel: where to tell what happens.
    """

    def __init__(self, job: dict[str, Any], channel: Any):
        self.job, self.channel, self.current = job, channel, 0
        self.lost: set[str] = set()  # names that statements which were passed over did not give
        self.until = 0.0  # when the present cell is stopped, on the monotonic clock
        self.shell = _make_shell()
        builtins.input = _refuse_input
        for name in ("google.colab", *PAGE_ONLY):
            sys.modules[name] = None  # type: ignore[assignment]  # as imports mark what is not there
        sys.meta_path.insert(0, _Lacking({*sys.stdlib_module_names, *job["modules"], KIT_MODULE}))
        sys.addaudithook(_Guard(job["theirs"]))
        self.posix = hasattr(signal, "setitimer")
        if self.posix:
            signal.signal(signal.SIGALRM, signal.default_int_handler)

    def run(self) -> None:
        """Runs all cells, then records what was not recorded, as the grader does."""
        self.in_time(OPEN_KIT, *self.job["provided"])
        for number, text in self.job["cells"]:
            self.current = number
            self.tell()
            (error,) = self.in_time(text)
            if error is not None:
                self.go_on(text, error)
            _without_mps()
        self.in_time(LAST_CELL)
        self.tell(done=True)

    def tell(self, **what: Any) -> None:
        """Writes a line of JSON for the process that waits."""
        self.channel.write(json.dumps({"cell": self.current, **what}) + "\n")

    def in_time(self, *texts: str) -> list[BaseException | None]:
        """Runs texts within the time of one cell; returns what each of them raised."""
        self.until = time.monotonic() + self.job["seconds"]
        return [self.limited(text) for text in texts]

    def limited(self, text: str) -> BaseException | None:
        """Runs a text for as long as its cell still may; returns what it raised."""
        seconds = max(self.until - time.monotonic(), 0.1)
        timer = threading.Timer(seconds, _thread.interrupt_main)
        if self.posix:
            signal.setitimer(signal.ITIMER_REAL, seconds)
        else:
            timer.start()
        try:
            result = self.shell.run_cell(text, store_history=False)
            return result.error_before_exec or result.error_in_exec
        except KeyboardInterrupt as error:
            return error
        finally:
            if self.posix:
                signal.setitimer(signal.ITIMER_REAL, 0)
            timer.cancel()

    def go_on(self, text: str, error: BaseException) -> None:
        """Does what the grader does after a cell raised, and tells what is lost by it.

        Where something is missing rather than right, the rest is run statement by statement; else what the
        homework's own cells give of the names that were lost is run.
        """
        left = from_line(text, _line(error))
        kind, message = type(error).__name__, str(error)
        if not left or not goes_on(kind, message, text, self.lost):
            lost = _names(left) or names_of(text).bound
            self.tell_error(error, lost)
            if not isinstance(error, KeyboardInterrupt):
                for given in to_restore(self.job["given"], lost):
                    self.limited(given)
            return
        if sum(one.line == left[0].line for one in left) == 1:  # else it is not known which of them raised
            self.pass_over(error, left[:1])
            left = left[1:]
        for one in left:
            failed = self.limited(one.placed)
            if failed is not None:
                self.pass_over(failed, [one])
            if isinstance(failed, KeyboardInterrupt):
                return

    def pass_over(self, error: BaseException, of: Sequence[Statement]) -> None:
        """Notes a statement that raised and after which the rest of the cell is run."""
        self.lost |= _names(of)
        self.tell_error(error, _names(of), apart=True)

    def tell_error(self, error: BaseException, lost: Collection[str], apart: bool = False) -> None:
        """Tells of an exception, and of the names that have no value because of it."""
        told = {"error": type(error).__name__, "message": str(error)[:300]}
        name = getattr(error, "name", None)
        self.tell(**told, name=name if isinstance(name, str) else "", lost=sorted(lost), apart=apart)


def _line(error: BaseException) -> int:
    """The line of the cell at which it raised; 0 if unknown."""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_globals.get("__name__") == "__main__" and frame.f_code.co_name in CELL_CODE:
            return trace.tb_lineno
        trace = trace.tb_next
    return 0


def _names(some: Sequence[Statement]) -> set[str]:
    """The names that statements give a value."""
    return {name for one in some for name in names_of(one.text).bound}


def _make_shell() -> Any:
    """IPython without a terminal, a history, programs and a page."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    def nothing(self: Any, *args: Any, **options: Any) -> None:
        pass

    quiet = ("enable_gui", "showtraceback", "system", "system_piped", "system_raw")
    shell_class: Any = type("Shell", (InteractiveShell,), dict.fromkeys(quiet, nothing))
    shell = shell_class.instance(config=Config({"HistoryManager": {"enabled": False}}))
    shell.getoutput = lambda *args, **options: []
    for name in ("pip", "conda", "mamba", "micromamba", "uv"):
        shell.register_magic_function(lambda line: None, "line", name)
    for name in ("bash", "sh", "script", "perl", "ruby", "cmd"):
        shell.register_magic_function(lambda line, cell="": None, "line_cell", name)
    return shell


def _refuse_input(prompt: object = "") -> str:
    from IPython.core.error import StdinNotImplementedError

    raise StdinNotImplementedError("nobody answers input() while grading")


def _without_mps() -> None:
    """Takes a Mac's GPU away once torch is there; grading has none."""
    mps = getattr(getattr(sys.modules.get("torch"), "backends", None), "mps", None)
    if mps is not None:
        mps.is_available = mps.is_built = lambda: False


def _callers() -> Iterator[types.FrameType]:
    frame: types.FrameType | None = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back


class _Lacking:
    """Refuses what cells, and files beside the kit, import and grading lacks.

    What packages import is their own affair.

    Args:
        allowed: the modules of grading, by the first part of their names.
    """

    def __init__(self, allowed: set[str]):
        self.allowed, self.work = allowed, _plain(os.getcwd())

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Raises for such a module; else leaves the search to others."""
        top = name.partition(".")[0]
        if top in self.allowed or any(os.path.exists(top + ending) for ending in (".py", "")):
            return
        for frame in _callers():
            if "importlib" not in frame.f_code.co_filename:
                name_there = frame.f_globals.get("__name__")
                beside = _below(_plain(frame.f_code.co_filename), self.work) and name_there != KIT_MODULE
                if name_there == "__main__" or beside:
                    raise ModuleNotFoundError(f"No module named {name!r}", name=name)
                return


class _Guard:
    """Makes the student's files vanish, and refuses writing elsewhere, the network and other programs.

    Args:
        theirs: the folders of the student's files.
    """

    def __init__(self, theirs: Sequence[str]):
        self.work = _plain(os.getcwd())
        self.home = _plain(str(Path.home()))
        self.theirs = [folder for folder in map(_plain, theirs) if len(Path(folder).parts) > 1]
        installed = [sys.prefix, sys.base_prefix, *(entry for entry in sys.path if entry)]
        kept = [os.path.join(self.home, name) for name in ("Library", "AppData")]
        # caches that the environment names, such as HF_HOME and TORCH_HOME
        named = [value for name, value in os.environ.items() if name.endswith(("_CACHE", "_HOME", "_DIR"))]
        open_to = [_plain(folder) for folder in (*installed, *kept, *named) if os.path.isabs(folder)]
        self.open_to = [
            os.path.dirname(self.work),
            *(one for one in open_to if not any(_below(x, one) for x in self.theirs)),
        ]
        self.writable = [
            os.path.dirname(self.work),
            _plain(os.devnull),
        ]  # the first holds temporary files too

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        """The audit hook."""
        if event in READS or event in WRITES:
            flags = args[2] if event == "open" and len(args) > 2 and isinstance(args[2], int) else 0
            writes = event in WRITES or bool(flags & WRITING)
            for place in args[: 2 if event in WRITES else 1]:
                if isinstance(place, (str, bytes, os.PathLike)):
                    self.look(_plain(os.fsdecode(place)), writes)
        elif event == "socket.getaddrinfo" or (event == "socket.connect" and "127.0.0.1" not in str(args[1])):
            raise OSError("there is no network while grading")
        elif event in STARTS and self.by_student():
            raise OSError("the rehearsal starts no other programs")

    def look(self, place: str, writes: bool) -> None:
        """Raises if a file or folder does not exist while grading, or would be changed."""
        hiding = [folder for folder in self.theirs if _below(place, folder)]
        # settings and caches, in the folders of the home whose names begin with a dot
        dotted = place.startswith(self.home + os.sep + ".") and set(hiding) <= {self.home}
        if hiding and not dotted and not any(_below(place, folder) for folder in self.open_to):
            raise FileNotFoundError(2, "not handed in, so it does not exist while grading", place)
        if writes and not dotted and not any(_below(place, folder) for folder in self.writable):
            raise PermissionError(13, "the rehearsal writes nothing here", place)

    def by_student(self) -> bool:
        """Whether a cell or a file beside the kit asks for a program, not a package for its own needs."""
        for frame in _callers():
            name, file = frame.f_globals.get("__name__", ""), frame.f_code.co_filename
            if str(name).partition(".")[0] not in ("subprocess", "os", "asyncio", "pty", __name__):
                return name == "__main__" or _below(_plain(file), self.work)
        return False


def _plain(place: str) -> str:
    """A path as the guard compares it."""
    return os.path.normcase(os.path.abspath(place))


def _below(place: str, folder: str) -> bool:
    return (place + os.sep).startswith(folder.rstrip(os.sep) + os.sep)
