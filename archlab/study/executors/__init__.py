"""Where trials are evaluated: in this process, in processes of their own, on a Ray cluster."""

from archlab.study.executors.executor import Evaluate, Executor, Listener
from archlab.study.executors.inline import Inline
from archlab.study.executors.processes import Processes

__all__ = ["Evaluate", "Executor", "Inline", "Listener", "Processes"]
