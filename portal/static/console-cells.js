// Values of DuckDB's answers as people read them. Arrow hands dates and times over as milliseconds since 1970, and
// decimals as words of 32 bits; whole numbers of 64 bits are JavaScript's BigInt, which no digit gets lost of.
"use strict";
(() => {
  const DECIMAL = 7, DATE = 8, TIME = 9, TIMESTAMP = 10; // typeId of Apache Arrow's schema
  const PER_SECOND = [1n, 1_000n, 1_000_000n, 1_000_000_000n]; // by the unit of a time

  function decimal(words, scale) {
    const bits = BigInt(32 * words.length);
    let whole = words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n);
    if (whole >> (bits - 1n)) whole -= 1n << bits;
    const digits = String(whole < 0n ? -whole : whole).padStart(scale + 1, "0");
    const cut = digits.length - scale;
    return (whole < 0n ? "-" : "") + digits.slice(0, cut) + (scale ? `.${digits.slice(cut)}` : "");
  }

  function time(value, unit) {
    const all = BigInt(value), seconds = all / PER_SECOND[unit], rest = all % PER_SECOND[unit];
    const parts = [seconds / 3600n, (seconds / 60n) % 60n, seconds % 60n].map((one) => String(one).padStart(2, "0"));
    return parts.join(":") + (rest ? `.${String(rest).padStart(3 * unit, "0")}` : "");
  }

  // `value` of a column of `type`, as text; objects as JSON, with whole numbers in full
  window.cellText = (value, type) => {
    if (value === null || value === undefined) return "–";
    if (type.typeId === DECIMAL) return decimal(Array.from(value), type.scale);
    if (type.typeId === DATE) return new Date(Number(value)).toISOString().slice(0, 10);
    if (type.typeId === TIMESTAMP) return new Date(Number(value)).toISOString().replace("T", " ").replace(/(\.000)?Z$/, "");
    if (type.typeId === TIME) return time(value, type.unit);
    if (typeof value !== "object") return String(value);
    const json = JSON.stringify(value, (_, one) => typeof one === "bigint" ? `\0${one}\0` : one);
    return json.replace(/"\\u0000(-?\d+)\\u0000"/g, "$1");
  };
  window.isNumberCell = (value, type) =>
    type.typeId === DECIMAL || (typeof value === "bigint" && type.typeId !== TIME)
    || (typeof value === "number" && ![DATE, TIME, TIMESTAMP].includes(type.typeId));
})();
