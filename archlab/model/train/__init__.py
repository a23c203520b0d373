"""Train a model: a loop that is stopped and taken up at any step, and leaves a model's folder."""

from archlab.model.train.train import train_model
from archlab.model.train.watcher import TrainingWatcher

__all__ = ["TrainingWatcher", "train_model"]
