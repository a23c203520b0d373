"""TFLite on this computer."""
