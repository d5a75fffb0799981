"""Convolutional filters of IBSI-2 (reference manual arXiv:2006.05470), applied before features are computed."""
