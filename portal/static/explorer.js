// Makes the explorer handier where scripts run: sliders beside the numbers, and a filter while typing.
"use strict";
(() => {
  for (const pair of document.querySelectorAll("[data-slider]")) {
    // not the hidden ones, which keep the ends of other fields
    const low = pair.querySelector("input[type=number][name$='.from']");
    const high = pair.querySelector("input[type=number][name$='.to']");
    const [first, last] = pair.dataset.slider.split(" ").map(Number);
    for (const [input, otherwise] of [[low, first], [high, last]]) {
      const slider = document.createElement("input");
      slider.type = "range";
      slider.min = String(first);
      slider.max = String(last);
      slider.step = "any";
      slider.value = input.value === "" ? String(otherwise) : input.value;
      // seen: which end it moves; heard: the field, the end and the value with its unit
      const label = document.createElement("label");
      label.className = "slider";
      const end = input.closest("label").textContent.trim();
      label.append(`${end} (${pair.dataset.word})`, slider);
      slider.setAttribute("aria-label", `${input.getAttribute("aria-label")} (${pair.dataset.word})`);
      const say = () => {
        const said = input.value === "" ? pair.dataset.open : `${input.value} ${pair.dataset.unit}`.trim();
        slider.setAttribute("aria-valuetext", said);
      };
      say();
      slider.addEventListener("input", () => {
        const number = Math.round(Number(slider.value) * 10) / 10;
        input.value = number === otherwise ? "" : String(number);
        say();
      });
      // a keyboard moves by steps that a person means
      slider.addEventListener("keydown", (event) => {
        const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
        if (step === undefined) return;
        event.preventDefault();
        slider.value = String(Number(slider.value) + step * (last - first) / 40);
        slider.dispatchEvent(new Event("input"));
      });
      slider.addEventListener("change", () => pair.closest("form").requestSubmit());
      input.addEventListener("change", () => {
        slider.value = input.value === "" ? String(otherwise) : input.value;
        say();
      });
      input.closest("label").after(label);
    }
  }
  for (const find of document.querySelectorAll("input[name^='find.']")) {
    find.addEventListener("input", () => {
      const sought = find.value.trim().toLocaleLowerCase();
      const box = find.closest(".box");
      const more = box.querySelector("details.more");
      if (more && sought) more.open = true;
      for (const line of box.querySelectorAll("tbody tr")) {
        line.hidden = sought !== "" && !line.textContent.toLocaleLowerCase().includes(sought);
      }
    });
  }
})();
