"""Progress on standard error: bars on a terminal, silence elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console
    from rich.progress import Progress, TaskID

__all__ = ["Bar", "DownloadBar"]


class Bar:
    """A bar that counts items; appears with its first item, and only on a terminal."""

    def __init__(self, console: Console, label: str) -> None:
        self._console = console
        self._label = label
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def update(self, done: int, total: int, label: str | None = None) -> None:
        """Show ``done`` of ``total``."""
        if not self._console.is_terminal:
            return
        if self._progress is None:
            self._progress = self._new_progress()
            self._task = self._progress.add_task(self._label, total=total)
            self._progress.start()
        if self._task is not None:
            description = label or self._label
            self._progress.update(self._task, completed=done, total=total, description=description)

    def print(self, line: str) -> None:
        """Print a line above the bar."""
        console = self._progress.console if self._progress else self._console
        console.print(line, soft_wrap=True)

    def _new_progress(self) -> Progress:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        return Progress(
            "{task.description}",
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )


class DownloadBar(Bar):
    """A bar that counts bytes; away from a terminal it says a line for each model instead."""

    def __init__(self, console: Console) -> None:
        super().__init__(console, "")
        self._announced: set[str] = set()

    def update(self, name: str, done: int, total: int) -> None:  # type: ignore[override]
        """Show that ``done`` of ``total`` bytes of model ``name`` are here."""
        if not self._console.is_terminal:
            if name not in self._announced:
                self._announced.add(name)
                self._console.print(f"↓ {name} ({total / 1e6:.0f} MB)")
            return
        super().update(done, total, name)

    def _new_progress(self) -> Progress:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        return Progress(
            "{task.description}",
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
            console=self._console,
        )
