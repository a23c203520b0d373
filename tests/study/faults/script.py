"""A driver with two worker processes."""

import sys
from collections.abc import Sequence

from archlab.study import run_study
from archlab.study.definition import load_definition
from archlab.study.executors import Processes
from tests.study.faults.training import train


def main(definition: str, root: str, url: Sequence[str]) -> None:
    preloaded = ["torch", "archlab.study.executors.worker", "tests.study.faults.training"]
    executor = Processes(2, evaluate=train, preloaded=preloaded)
    run_study(load_definition(definition), root=root, executor=executor, storage=url[0] if url else None)
    executor.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
