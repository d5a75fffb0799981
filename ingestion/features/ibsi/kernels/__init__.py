"""Loops over voxels, compiled by numba: single-threaded, sums in fixed order or of whole numbers."""
