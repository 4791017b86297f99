"""Models: what there is, bringing it here, and the engines that run it."""
