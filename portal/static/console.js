// The SQL console: DuckDB in this browser, over the public tables. Nothing that is asked leaves the page.
"use strict";
(() => {
  const duckdb = window.module.exports;
  const box = document.getElementById("console");
  const words = box.dataset;
  const form = document.getElementById("sql-form");
  const asked = document.getElementById("sql");
  const run = document.getElementById("run");
  const status = document.getElementById("sql-status");
  const result = document.getElementById("sql-result");
  const SHOWN_ROWS = 500;
  let connection = null;

  function say(text, bad = false) {
    status.textContent = text;
    status.classList.toggle("bad", bad);
  }

  async function open() {
    const base = new URL("/console/files/", window.location.href).href;
    const worker = new Worker(`${base}duckdb-browser-eh.worker.js`);
    const db = new duckdb.AsyncDuckDB(new duckdb.VoidLogger(), worker);
    await db.instantiate(`${base}duckdb-eh.wasm`);
    await db.open({ query: { castBigIntToDouble: false, castDecimalToDouble: false } });
    const opened = await db.connect();
    // Extensions would be fetched from elsewhere, the one for Parquet too: another package reads the files.
    await opened.query("SET autoinstall_known_extensions = false");
    await opened.query("SET autoload_known_extensions = false");
    const parquet = await import(`${base}parquet_wasm.js`);
    await parquet.default({ module_or_path: `${base}parquet_wasm_bg.wasm` });
    for (const table of words.tables.split(" ")) {
      const answer = await fetch(`/public/${table}.parquet`);
      if (!answer.ok) throw new Error(`${table}: ${answer.status}`);
      const read = parquet.readParquet(new Uint8Array(await answer.arrayBuffer()));
      await opened.insertArrowFromIPCStream(read.intoIPCStream(), { name: table });
    }
    return opened;
  }

  function table(found) {
    const made = document.createElement("table");
    const head = made.createTHead().insertRow();
    for (const field of found.schema.fields) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = field.name;
      head.append(cell);
    }
    const body = made.createTBody();
    for (let at = 0; at < Math.min(found.numRows, SHOWN_ROWS); at += 1) {
      const row = body.insertRow();
      const values = found.get(at);
      for (const field of found.schema.fields) {
        const cell = row.insertCell();
        const value = values[field.name];
        cell.textContent = window.cellText(value, field.type);
        if (value !== null && window.isNumberCell(value, field.type)) cell.className = "n";
      }
    }
    return made;
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    run.disabled = true;
    try {
      if (connection === null) {
        say(words.opening);
        connection = await open();
      }
      say(words.asking);
      const found = await connection.query(asked.value);
      result.replaceChildren(table(found));
      say(words.rows.replace("{n}", String(found.numRows)));
    } catch (error) {
      result.replaceChildren();
      say(`${words.failed} ${error.message}`, true);
    } finally {
      run.disabled = false;
    }
  });
  asked.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });
  run.disabled = false;
})();
