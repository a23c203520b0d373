"""Controls: a picture that a model draws along, by a ControlNet or a T2I-Adapter."""
