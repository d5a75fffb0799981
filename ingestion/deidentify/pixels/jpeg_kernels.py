"""Huffman decoding and encoding of JPEG's quantised coefficients (ISO/IEC 10918-1 annex F): loops for numba.

Blocks stay in the order of the scan, coefficients in zigzag order: nothing needs them otherwise.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

DONE, BAD_CODE, BAD_RESTART, OVERRUN, NO_SYMBOL = 0, 1, 2, 3, 4
"""Answers of the loops: all else than 0 refuses the frame."""


def decode(
    data: NDArray[np.uint8],
    luts: NDArray[np.int32],
    block_tables: NDArray[np.int64],
    interval: int,
    out: NDArray[np.int16],
) -> int:
    """Coefficients of a scan into ``out`` (MCUs, blocks, 64), DC absolute.

    ``luts``: (tables, 65536), the next 16 bits give length << 8 | symbol, 0 for no code. ``block_tables``: for each
    block of an MCU the component, its DC and its AC table.
    """
    position, size = 0, data.size
    bits, held, padding = 0, 0, 0
    before = np.zeros(4, np.int64)
    mcus, blocks = out.shape[0], out.shape[1]
    for mcu in range(mcus):
        if interval > 0 and mcu > 0 and mcu % interval == 0:
            bits, held, padding = 0, 0, 0
            while position + 1 < size and data[position] == 255 and data[position + 1] == 255:
                position += 1
            marker = 208 + (mcu // interval - 1) % 8
            if position + 1 >= size or data[position] != 255 or data[position + 1] != marker:
                return BAD_RESTART
            position += 2
            before[:] = 0
        for block in range(blocks):
            component = block_tables[block, 0]
            index = 0
            while index < 64:
                while held < 32:
                    value = 0
                    if position < size:
                        value = int(data[position])
                        if value != 255:
                            position += 1
                        elif position + 1 < size and data[position + 1] == 0:
                            position += 2
                        else:
                            value = 255  # a marker: padded with ones from here
                            padding += 8
                    else:
                        value = 255
                        padding += 8
                    bits = ((bits << 8) | value) & 0xFFFFFFFFFF
                    held += 8
                entry = luts[block_tables[block, 1 if index == 0 else 2], (bits >> (held - 16)) & 0xFFFF]
                length, symbol = entry >> 8, entry & 255
                if length == 0:
                    return BAD_CODE
                held -= length
                extra = symbol if index == 0 else symbol & 15
                if extra > 15:
                    return BAD_CODE
                value = 0
                if extra > 0:
                    value = (bits >> (held - extra)) & ((1 << extra) - 1)
                    held -= extra
                    if value < 1 << (extra - 1):
                        value -= (1 << extra) - 1
                if held < padding:
                    return OVERRUN
                if index == 0:
                    before[component] += value
                    if before[component] < -32768 or before[component] > 32767:
                        return BAD_CODE
                    out[mcu, block, 0] = before[component]
                    index = 1
                elif extra == 0:
                    if symbol == 240:
                        index += 16
                    elif symbol == 0:
                        break
                    else:
                        return BAD_CODE
                else:
                    index += symbol >> 4
                    if index > 63:
                        return BAD_CODE
                    out[mcu, block, index] = value
                    index += 1
    return DONE


def encode(
    coefficients: NDArray[np.int16],
    codes: NDArray[np.int64],
    lengths: NDArray[np.int64],
    block_tables: NDArray[np.int64],
    interval: int,
    counts: NDArray[np.int64],
    out: NDArray[np.uint8],
) -> int:
    """Bytes written to ``out``; or with an empty ``out`` only the symbols of each table counted into ``counts``.

    ``codes`` and ``lengths``: (tables, 256). Negative: ``-NO_SYMBOL``, a symbol without a code.
    """
    position, held = 0, 0
    bits = np.uint64(0)
    before = np.zeros(4, np.int64)
    only_count = out.size == 0
    for mcu in range(coefficients.shape[0]):
        if interval > 0 and mcu > 0 and mcu % interval == 0:
            before[:] = 0
            if not only_count:
                if held > 0:
                    bits = (bits << np.uint64(8 - held)) | np.uint64((1 << (8 - held)) - 1)
                    out[position] = np.uint8(bits & np.uint64(255))
                    position += 1
                    if out[position - 1] == 255:
                        out[position] = 0
                        position += 1
                bits, held = np.uint64(0), 0
                out[position] = 255
                out[position + 1] = 208 + (mcu // interval - 1) % 8
                position += 2
        for block in range(coefficients.shape[1]):
            component = block_tables[block, 0]
            run, index = 0, 0
            while index < 64:
                table = block_tables[block, 1 if index == 0 else 2]
                value = np.int64(coefficients[mcu, block, index])
                if index == 0:
                    value, before[component] = value - before[component], value
                elif value == 0:
                    run += 1
                    index += 1
                    if index < 64:
                        continue
                extra, size = 0, abs(value)
                while size > 0:
                    extra += 1
                    size >>= 1
                symbol = extra
                if index > 0:
                    if value == 0:
                        symbol = 0  # the end of the block
                    elif run > 15:
                        symbol, extra = 240, 0  # sixteen zeros; the coefficient itself comes again
                    else:
                        symbol = run << 4 | extra
                counts[table, symbol] += 1
                if not only_count:
                    length = lengths[table, symbol]
                    if length == 0:
                        return -NO_SYMBOL
                    word, total = codes[table, symbol], length
                    if extra > 0:
                        low = value if value > 0 else value + (1 << extra) - 1
                        word, total = word << extra | low, length + extra
                    bits = (bits << np.uint64(total)) | np.uint64(word)
                    held += total
                    while held >= 8:
                        held -= 8
                        out[position] = np.uint8((bits >> np.uint64(held)) & np.uint64(255))
                        position += 1
                        if out[position - 1] == 255:
                            out[position] = 0
                            position += 1
                    bits &= np.uint64((1 << held) - 1)
                if symbol == 240 and index > 0:
                    run -= 16
                    continue
                run = 0
                index += 1
    if not only_count and held > 0:
        bits = (bits << np.uint64(8 - held)) | np.uint64((1 << (8 - held)) - 1)
        out[position] = np.uint8(bits & np.uint64(255))
        position += 1
        if out[position - 1] == 255:
            out[position] = 0
            position += 1
    return position


@functools.cache
def compiled(loop: Callable[..., int]) -> Callable[..., Any]:
    """``loop`` as machine code, made at its first use and kept on disk for the next process where that is allowed."""
    import numba  # half a second: only where a JPEG frame is blanked

    try:
        machine: Callable[..., Any] = numba.njit(cache=True)(loop)
    except RuntimeError:  # no folder may be written: compiled anew in each process
        machine = numba.njit(loop)
    return machine
