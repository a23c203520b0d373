"""``archlab`` and ``python -m archlab``: what takes time is imported where Ctrl-C is heard already."""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # until there is more to say, Ctrl-C ends Python without a traceback

import sys  # noqa: E402  # Ctrl-C comes first

from archlab.cli.interrupt import supervised  # noqa: E402  # likewise


def main() -> None:
    """Run the command line in a process of its own."""
    sys.exit(supervised(_run))


def _run() -> int:
    from archlab.cli.main import run

    return run()


if __name__ == "__main__":
    main()
