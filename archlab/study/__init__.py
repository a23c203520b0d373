"""Studies: the ask → evaluate → tell loop, records, resume, the front and its picks."""

from archlab.study.run import run_study
from archlab.study.study import Study, load_study
from archlab.study.watcher import Watcher

__all__ = ["Study", "Watcher", "load_study", "run_study"]
