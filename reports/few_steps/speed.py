"""How fast models were trained and distilled, as CSV:  python speed.py MODEL …"""

import sys
from pathlib import Path

from archlab.evaluation.fact import read_fact
from archlab.model.facts import ModelFacts
from archlab.model.folder import FACTS_FILE


def main() -> None:
    """A line for each model."""
    print("model,method,steps,batch_size,seconds,images_per_second")
    for folder in sys.argv[1:]:
        facts = read_fact(ModelFacts, Path(folder) / FACTS_FILE)
        done = facts.distillation or facts.training
        batch = done.settings["batch_size"]
        method = facts.distillation.method if facts.distillation else "training"
        print(f"{facts.name},{method},{done.steps},{batch},{done.seconds:.1f},{done.steps * batch / done.seconds:.1f}")


if __name__ == "__main__":
    main()
