"""How good a trained network is: its loss on images it has not seen, and what it draws beside what is real."""
