"""What is concluded from a finished table: the front, picks, prices of knobs, audits, comparisons. No torch."""
