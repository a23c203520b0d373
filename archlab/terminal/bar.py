"""One bar for work that is done stage by stage, on a terminal alone."""

from collections.abc import Iterator
from contextlib import contextmanager

from archlab.progress import Progress
from archlab.terminal.stages import in_words


@contextmanager
def bar() -> Iterator[Progress]:
    """What is being done, with the share of it and the time left, on the standard error; gone when it is done."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=24), TaskProgressColumn(), TimeRemainingColumn())
    with Bars(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        task, current = bars.add_task("", total=1.0), ""

        def report(stage: str, share: float) -> None:
            nonlocal current
            if stage != current:
                current = stage
                bars.reset(task, description=escape(in_words(stage)), total=1.0)
            bars.update(task, completed=share)

        yield report
