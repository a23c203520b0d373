"""Studies: the ask → evaluate → tell loop, pruning, resume; and a study's table, its front and its picks."""

from archlab.study.definition import StudyDefinition, load_definition
from archlab.study.run import run_study
from archlab.study.study import Study, load_study
from archlab.study.watcher import Watcher

__all__ = ["Study", "StudyDefinition", "Watcher", "load_definition", "load_study", "run_study"]
