"""Another driver: opens a store, asks for a trial, holds it, and says so; lives until it is killed."""

import sys
import time
from pathlib import Path

from archlab.study.definition import load_definition
from archlab.study.folder import StudyFolder
from archlab.study.store import open_store


def main(definition: str, folder: str, url: str) -> None:
    with open_store(load_definition(definition), StudyFolder(Path(folder)), url or None) as store:
        with store.asking():
            number = store.optuna.ask().number
            print("holds" if store.lease(number) else "lacks", number, flush=True)
            if sys.argv[4:] == ["asking"]:
                time.sleep(600)
        time.sleep(600)


if __name__ == "__main__":
    main(*sys.argv[1:4])
