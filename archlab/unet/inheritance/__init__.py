"""A changed architecture with the weights of a trained one; `inherit` is the way in."""
