"""A page that stands for itself: verdicts, charts and maps of all runs in one HTML file.

No script and no request: it opens from a disk, from a CI artifact and from a ticket. Showing, as
the tab does: it is handed what was judged, and imports no rules.
"""

from tensorboard_gradhealth.report.page import page
from tensorboard_gradhealth.report.subject import Story, Subject

__all__ = ["Story", "Subject", "page"]
