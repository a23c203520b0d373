"""optuna-dashboard on a study: live, on this computer only, read and never written."""

from archlab.report.dashboard.server import address, open_dashboard

__all__ = ["address", "open_dashboard"]
