"""A number for each part of the code that decides a cached result, in the hashes under which results are cached.

Raise it when the same input gives another result; editing a comment is no reason. Tests compare a small result of each
part with one that was recorded, and fail when it changed (`tests/test_versions.py`, `tests/convert`).

They stand here, not in the packages they are of, because importing those takes seconds.
"""

UNET = 1  # archlab.unet: what a spec's modules compute, initial and inherited weights
CONVERT = 4  # archlab.convert: the graph and file that a module becomes
PIECES = 2  # archlab.latency: the networks that are measured beside UNets: a table's pieces, text encoders, decoders
MEASURING = 2  # archlab.latency: which runs are timed on this computer, and which of them count
ENCODERS = 1  # archlab.encoders: what images and captions are encoded as
DIFFUSION = 1  # archlab.diffusion: noise, objectives, samplers
TRAINING = 1  # archlab.training: batches, loss, optimiser, averaged weights
SCORES = 1  # archlab.scores: every score of the same images or network
