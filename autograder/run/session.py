"""One submission's folder and kernels, as the run loop uses them; subclasses know where they really are."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from jupyter_client.manager import AsyncKernelManager

from autograder.run import container
from autograder.run.limits import Limits


class Kernels(Protocol):
    """Where kernels come from: plain processes, processes of another user, or a sandbox."""

    def session(self, limits: Limits) -> contextlib.AbstractContextManager[Session]:
        """One submission's folder and kernels; everything of it is gone afterwards."""
        ...


class Session:
    """One submission's folder, as the grader sees it, and a maker of managers that start kernels in it.

    Args:
        folder: the folder's path here.
        kernel_folder: the same folder's path for the kernel.
    """

    def __init__(self, folder: Path, kernel_folder: str):
        self.folder, self.kernel_folder = folder, kernel_folder
        self.cpu_seconds = 0.0
        self.imports: tuple[str, ...] = ()  # for warm kernels, which fork from a process that has them
        self.kills = container.memory_kills()
        self.packages: tuple[str, ...] = ()  # folders of further packages, as the kernel sees them

    def prepare(self, files: Mapping[str, bytes], compiled: Mapping[str, bytes]) -> None:
        """Empties the folder, while no kernel runs, and puts files there.

        Args:
            files: name → bytes.
            compiled: name → bytes of what belongs into ``__pycache__``.
        """
        for item in self.folder.iterdir():
            if item.is_dir() and not item.is_symlink():
                shutil.rmtree(item, ignore_errors=True)
            else:
                item.unlink()
        cache = self.folder / "__pycache__"
        cache.mkdir(mode=0o755)
        for folder, some in ((self.folder, files), (cache, compiled)):
            for name, data in some.items():
                path = folder / Path(name).name
                path.write_bytes(data)
                path.chmod(0o644)

    def manager(self) -> AsyncKernelManager:
        """A manager for one new kernel."""
        return AsyncKernelManager(kernel_name="python3")

    def ended(self) -> str:
        """Ends what is left of the last kernel and says which limit had ended it before, if one had."""
        before, self.kills = self.kills, container.memory_kills()
        return container.killed_words() if self.kills > before else ""
