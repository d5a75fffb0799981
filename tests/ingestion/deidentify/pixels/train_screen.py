"""Trains the screen's network and writes ``likely_text.onnx``. Needs jax, optax and onnx, which the product does not.

Run: python -m tests.ingestion.deidentify.pixels.train_screen VOLUMES likely_text.onnx FOLDER...
VOLUMES holds the volumes that ``train_backgrounds`` names; each FOLDER holds DICOM files of scanners.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import get_data_path
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter, zoom

from tests.ingestion.deidentify.pixels.train_backgrounds import half_of, made, scanner_images, slices

CHANNELS = (12, 24, 32, 32, 32)
LAYERS = ((5, 2, 1), (3, 2, 1), (3, 2, 1), (3, 1, 1), (3, 1, 2))
"""Side of the kernel, stride, dilation."""
AT_ONCE = 16
"""Numbers of 32 bits in the widest registers."""
BATCH, PATCH, CELL, STAMPS = 32, 128, 8, 6000
ROUNDS = ((7000, 4e-3), (12000, 2.5e-3))
"""Steps and the highest rate of each round; the second goes on from the first."""
WINDOWS = ((-160, 240), (-1350, 150), (-500, 1300), (-1024, 3071), (-60, 100))
"""CT: soft tissue, lung, bone, all, brain."""
HEIGHTS = (9, 10, 11, 12, 13, 14, 16, 18, 20, 24, 28, 32, 36, 40, 44)
LEAST_SEEN = 38 / 255
"""Mean difference that lettering makes where it is shown; fainter is neither learnt nor unlearnt."""
FONTS = tuple(
    path for path in sorted((Path(get_data_path()) / "fonts" / "ttf").glob("DejaVu*.ttf")) if "Display" not in path.name
)
"""Others are kept for measuring."""
WORDS = (
    "MUSTERMANN", "ERIKA", "ID", "4711-0815", "12.08.1964", "Klinikum Nord", "DOE^JOHN", "F 57Y", "ACC 20190619",
    "Universitätsklinikum", "Smith", "Patient:", "Name", "DOB", "MRN 00123456", "Dr. Weiß", "SE: 4", "IM 12/80",
    "HOSPITAL GENERAL", "García López", "1957-03-21", "W 400 C 40", "KV 120", "Jansen, P.", "Nowak", "Kowalska",
    "Rossi", "Dubois", "Hôpital", "Radiology", "CT-12", "M", "031Y", "A", "L", "R", "HFS", "MS 3", "Zürich", "Øst",
    "12:44:07", "Acq", "FOV 24.0 cm", "Σπύρος",
)  # fmt: skip
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.,-:/^ äöüéñ"
Sample = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]


def text(rng: np.random.Generator) -> str:
    """At least four letters."""
    if rng.random() < 0.5:
        line = " ".join(WORDS[rng.integers(len(WORDS))] for _ in range(rng.integers(1, 4)))
    else:
        line = "".join(LETTERS[rng.integers(len(LETTERS))] for _ in range(rng.integers(4, 22)))
    while len(line.replace(" ", "")) < 4:
        line += " " + WORDS[rng.integers(len(WORDS))]
    return line.upper() if rng.random() < 0.3 else line


def stamp(rng: np.random.Generator) -> NDArray[np.float32]:
    """Ink, 0 to 1, of one line."""
    height = int(rng.choice(HEIGHTS))
    font = ImageFont.truetype(str(FONTS[rng.integers(len(FONTS))]), height)
    line = text(rng)
    layer = Image.new("L", (int(font.getlength(line)) + 6, int(height * 1.4) + 4), 0)
    draw = ImageDraw.Draw(layer)
    draw.fontmode = "L" if rng.random() < 0.7 else "1"
    draw.text((3, 1), line, fill=255, font=font)
    ink = np.asarray(layer).astype(np.float32) / 255
    if rng.random() < 0.2:
        ink = gaussian_filter(ink, rng.uniform(0.3, 0.7))
        ink /= max(ink.max(), 1e-6)
    if rng.random() < 0.15:
        ink = zoom(ink, (rng.uniform(0.9, 1.2), rng.uniform(0.9, 1.2)), order=1)
    rows, columns = np.flatnonzero(ink.max(1) > 0.3), np.flatnonzero(ink.max(0) > 0.3)
    if not len(rows):
        return stamp(rng)
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


class Maker:
    """Makes patches: two looks, whether each cell has lettering, and which cells count."""

    def __init__(self, volumes: Path, folders: list[Path], rng: np.random.Generator) -> None:
        self.planes = list(slices(volumes, ("lung1", "brain1", "breast1", "mni")))
        self.of_volumes = len(self.planes)
        for _, series, _, plane, _, _ in scanner_images(folders, most=12, frames=12):
            if half_of(series) == 0 and min(plane.shape) >= 64:
                self.planes.append(("any", plane))
        self.stamps = [stamp(rng) for _ in range(STAMPS)]

    def batch(self, rng: np.random.Generator) -> Sample:
        found: list[Sample] = []
        while len(found) < BATCH:
            found += self._patches(rng)
        looks, lettered, counted = zip(*found[:BATCH], strict=True)
        return np.stack(looks), np.stack(lettered), np.stack(counted)

    def _patches(self, rng: np.random.Generator) -> Iterator[Sample]:
        if rng.random() < 0.18:
            kind, plane = "any", made(rng)
        else:
            most = self.of_volumes if rng.random() < 0.6 else len(self.planes)
            kind, plane = self.planes[rng.integers(most)]
        plane = _varied(plane, rng)
        low, high = _window(kind, plane, rng)
        view = _jittered(*(_window(kind, plane, rng) if rng.random() < 0.2 else (low, high)), rng)
        label = np.zeros(plane.shape, np.uint8)
        if rng.random() < 0.6:
            turned = rng.random() < 0.1
            for _ in range(rng.integers(1, 7)):
                ink = self.stamps[rng.integers(len(self.stamps))]
                self._plant(plane, label, np.rot90(ink) if turned else ink, (low, high), view, rng)
        yield from _cut(_looks(plane, view), label, rng)

    def _plant(
        self,
        plane: NDArray[np.float32],
        label: NDArray[np.uint8],
        ink: NDArray[np.float32],
        window: tuple[float, float],
        view: tuple[float, float],
        rng: np.random.Generator,
    ) -> None:
        if rng.random() < 0.25 and ink.shape[1] > 60:
            ink = ink[:, : int(rng.integers(40, ink.shape[1]))]
        ink = ink[: plane.shape[0], : plane.shape[1]]
        top = int(rng.integers(0, plane.shape[0] - ink.shape[0] + 1))
        left = int(rng.integers(0, plane.shape[1] - ink.shape[1] + 1))
        place = np.s_[top : top + ink.shape[0], left : left + ink.shape[1]]
        if label[place].any():
            return
        before, (low, high) = plane[place].copy(), window
        step = rng.uniform(45, 200) / 255 * (high - low) * (1 if rng.random() < 0.8 else -1)
        way = rng.integers(5)
        if way == 0:
            new = before * (1 - ink) + high * ink
        elif way == 1:
            new = before * (1 - ink) + float(plane.max()) * ink
        elif way == 2:
            new = before * (1 - ink) + (np.median(before[ink > 0.4]) + step) * ink
        elif way == 3:
            blended = ink * rng.uniform(0.45, 0.95)
            new = before * (1 - blended) + (high if step > 0 else low) * blended
        else:
            new = before + step * ink
        plane[place] = new
        changed = (np.abs(_shown(new, *view) - _shown(before, *view))[ink > 0.5]).mean()
        of_range = np.abs(new - before)[ink > 0.5].mean() / (plane.max() - plane.min() + 1e-6)
        label[place] = 1 if max(changed, of_range) >= LEAST_SEEN else 2


def _varied(plane: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float32]:
    plane = plane.astype(np.float32)
    if max(plane.shape) > 1200:
        top, left = (int(rng.integers(0, max(1, side - 700))) for side in plane.shape)
        plane = plane[top : top + 700, left : left + 700]
    smallest, largest = min(plane.shape), max(plane.shape)
    if smallest < PATCH or rng.random() < 0.35:
        least = (PATCH + 8) / smallest
        factor = max(rng.uniform(0.6, 1.8), least)
        factor = min(factor, 900 / largest) if smallest * 900 / largest >= PATCH + 8 else least
        plane = zoom(plane, factor, order=1 if rng.random() < 0.7 else 0)
    if rng.random() < 0.5:
        plane = plane[:, ::-1]
    if rng.random() < 0.3:
        plane = plane[::-1]
    if rng.random() < 0.3:
        plane = plane.T
    if rng.random() < 0.4:
        span = np.percentile(plane, 99) - np.percentile(plane, 1) + 1
        plane = plane + rng.normal(0, 1, plane.shape) * rng.uniform(0, 0.03) * span
    if rng.random() < 0.1:
        plane = plane.max() + plane.min() - plane
    return np.ascontiguousarray(plane, dtype=np.float32)


def _window(kind: str, plane: NDArray[np.float32], rng: np.random.Generator) -> tuple[float, float]:
    if kind == "ct" and rng.random() < 0.7:
        return WINDOWS[rng.integers(len(WINDOWS))]
    choice = rng.integers(4)
    if choice:
        low, high = np.percentile(plane, (1, (99.5, 98, 95)[choice - 1]))
        if high > low:
            return float(low), float(high)
    return float(plane.min()), float(plane.max())


def _jittered(low: float, high: float, rng: np.random.Generator) -> tuple[float, float]:
    width = high - low
    middle = (low + high) / 2 + width * rng.normal(0, 0.08)
    width *= np.exp(rng.normal(0, 0.15))
    return middle - width / 2, middle + width / 2


def _shown(values: NDArray[np.float32], low: float, high: float) -> NDArray[np.float32]:
    return np.clip((values - low) / max(high - low, 1e-6), 0, 1)


def _looks(plane: NDArray[np.float32], view: tuple[float, float]) -> NDArray[np.float32]:
    both = (_shown(plane, *view), _shown(plane, float(plane.min()), float(plane.max())))
    return np.stack(both, -1).astype(np.float32) * 2 - 1


def _cut(looks: NDArray[np.float32], label: NDArray[np.uint8], rng: np.random.Generator) -> Iterator[Sample]:
    if min(label.shape) < PATCH:
        return
    for _ in range(4):
        for _ in range(4):
            top, left = (int(rng.integers(0, side - PATCH + 1)) for side in label.shape)
            place = np.s_[top : top + PATCH, left : left + PATCH]
            if looks[place][..., 0].std() > 0.02 or label[place].any():
                break
        cells = label[place].reshape(PATCH // CELL, CELL, PATCH // CELL, CELL)
        lettered, unclear = (cells == 1).mean((1, 3)), (cells == 2).mean((1, 3))
        counted = ~(((lettered > 0) & (lettered < 0.4)) | (unclear > 0))
        yield looks[place], (lettered >= 0.4).astype(np.float32), counted.astype(np.float32)


def train(batches: Any) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Kernels (side, side, in, out) and biases, layer by layer."""
    import jax
    import jax.numpy as jnp
    import optax

    def network(layers: Any, x: Any) -> Any:
        for (kernel, bias), (side, stride, dilation) in zip(layers[:-1], LAYERS, strict=True):
            pad = dilation * (side // 2)
            x = jax.lax.conv_general_dilated(
                x, kernel, (stride, stride), ((pad, pad), (pad, pad)), rhs_dilation=(dilation, dilation),
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            ) + bias  # fmt: skip
            x = jax.nn.relu(x)
        kernel, bias = layers[-1]
        return jnp.einsum("nrci,io->nrco", x, kernel[0, 0])[..., 0] + bias

    def loss(layers: Any, x: Any, lettered: Any, counted: Any) -> Any:
        answers = network(layers, x)
        chance = jax.nn.sigmoid(answers)
        weight = 0.25 + jnp.where(lettered > 0, 1 - chance, chance)  # what is wrong counts more
        each = optax.sigmoid_binary_cross_entropy(answers, lettered)
        return jnp.sum(each * counted * weight) / jnp.sum(counted)

    key, inputs, layers = jax.random.PRNGKey(0), 2, []
    for outputs, (side, _, _) in zip(CHANNELS, LAYERS, strict=True):
        key, part = jax.random.split(key)
        kernel = jax.random.normal(part, (side, side, inputs, outputs)) * np.sqrt(2 / (side * side * inputs))
        layers.append((kernel, jnp.zeros(outputs)))
        inputs = outputs
    key, part = jax.random.split(key)
    layers.append((jax.random.normal(part, (1, 1, inputs, 1)) * 0.1, jnp.full(1, -2.0)))
    for steps, rate in ROUNDS:
        optimiser = optax.adamw(optax.cosine_onecycle_schedule(steps, rate), weight_decay=1e-4)
        state = optimiser.init(layers)

        @jax.jit
        def step(layers: Any, state: Any, x: Any, lettered: Any, counted: Any, optimiser: Any = optimiser) -> Any:
            value, slope = jax.value_and_grad(loss)(layers, x, lettered, counted)
            change, state = optimiser.update(slope, state, layers)
            return optax.apply_updates(layers, change), state, value

        for number in range(steps):
            layers, state, value = step(layers, state, *batches.get())
            if number % 200 == 199:
                print(number + 1, round(float(value), 4), flush=True)  # noqa: T201
    return [(np.asarray(kernel), np.asarray(bias)) for kernel, bias in layers]


def widened(layers: list[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> list[tuple[Any, Any]]:
    """The same network with channels of zeros after the first layer, as many as a processor takes at once: onnxruntime
    need not bring the largest of its layers into another order then, a twelfth of the whole."""
    (kernel, bias), (after, after_bias), *rest = layers
    more = -kernel.shape[3] % AT_ONCE
    return [
        (np.pad(kernel, ((0, 0), (0, 0), (0, 0), (0, more))), np.pad(bias, (0, more))),
        (np.pad(after, ((0, 0), (0, 0), (0, more), (0, 0))), after_bias),
        *rest,
    ]


def write_onnx(layers: list[tuple[NDArray[np.float32], NDArray[np.float32]]], file: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, values, x = [], [], "looks"
    shapes = (*LAYERS, (1, 1, 1))
    for number, ((kernel, bias), (side, stride, dilation)) in enumerate(zip(widened(layers), shapes, strict=True)):
        values += [
            numpy_helper.from_array(np.ascontiguousarray(kernel.transpose(3, 2, 0, 1), np.float32), f"w{number}"),
            numpy_helper.from_array(bias.astype(np.float32), f"b{number}"),
        ]
        nodes.append(
            helper.make_node(
                "Conv", [x, f"w{number}", f"b{number}"], [f"c{number}"], kernel_shape=[side, side],
                strides=[stride, stride], pads=[dilation * (side // 2)] * 4, dilations=[dilation, dilation],
            )
        )  # fmt: skip
        x = f"c{number}"
        if number < len(LAYERS):
            nodes.append(helper.make_node("Relu", [x], [f"r{number}"]))
            x = f"r{number}"
    given = helper.make_tensor_value_info("looks", TensorProto.FLOAT, ["n", 2, "rows", "columns"])
    answer = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", 1, "y", "x"])
    graph = helper.make_graph(nodes, "likely_text", [given], [answer], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))


def _feed(queue: Any, maker: Maker) -> None:
    rng = np.random.default_rng(99)
    while True:
        queue.put(maker.batch(rng))


def main() -> None:
    volumes, out, *folders = (Path(argument) for argument in sys.argv[1:])
    maker = Maker(volumes, folders, np.random.default_rng(5))
    context = multiprocessing.get_context("fork")
    queue = context.Queue(4)
    context.Process(target=_feed, args=(queue, maker), daemon=True).start()
    write_onnx(train(queue), out)


if __name__ == "__main__":
    main()
