"""A scorer of de-identification against an answer key, in the manner of the MIDI-B challenge (Medical Image
De-Identification Benchmark, The Cancer Imaging Archive, 2024): one check per row, two numbers, never one.

It reads with pydicom and imports nothing of this project, so that any tool's results can be scored with any key:

    python -m tests.scoring KEY ORIGINAL RESULT [--mapping MAPPING] [--json]

The key is JSON (a list of objects) or CSV with the fields that ``key.Check`` describes.
"""
