"""What a terminal shows: listings as tables, JSON or CSV, and a running study."""
