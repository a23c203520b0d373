"""The winner as one folder: architecture, trained proxy, converted target, card."""

from archlab.export.folder import Winner, export_architecture

__all__ = ["Winner", "export_architecture"]
