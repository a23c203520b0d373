"""torch's functions in terms of the operators of a graph.

Each is called as torch's own is, with a symbol among its arguments, and either records operators or calls other torch
functions. Registered by importing this package.
"""

from archlab.convert.graph.calls import arithmetic, movement

__all__ = ["arithmetic", "movement"]
