// Reads the marks of the picture that is in the page already; without scripts it stays as it is,
// with a title in every mark.
"use strict";
document.documentElement.classList.add("scripts");
const points = JSON.parse(document.getElementById("report").textContent).points;
const reader = document.createElement("div");
reader.id = "reader";
reader.hidden = true;
document.body.append(reader);
const reading = document.getElementById("reading");

const digits = (x) => (x === null ? "–" : x.toPrecision(4));

function lines(point) {
  const found = [
    `${point.name}, ${point.width === null ? "" : `width ${point.width}, `}side ${point.size} (d = ${point.d})`,
    `measured ${digits(point.mean)} [${digits(point.ci[0])}, ${digits(point.ci[1])}]`,
  ];
  if (point.predicted !== null) {
    found.push(`predicted ${digits(point.predicted)}, ratio ${digits(point.mean / point.predicted)}`);
  }
  return [...found, `${point.seeds} networks`];
}

function show(mark) {
  const text = lines(points[mark.dataset.point]);
  reader.textContent = text.join("\n");
  reading.textContent = text.join("; ");
  reader.hidden = false;
  const at = mark.querySelector(".mark").getBoundingClientRect();
  const { width, height } = reader.getBoundingClientRect();
  const left = Math.min(Math.max(8, at.left - width / 2), innerWidth - width - 8);
  reader.style.left = `${left}px`;
  reader.style.top = `${at.top > height + 12 ? at.top - height - 10 : at.bottom + 10}px`;
}

const hide = () => (reader.hidden = true);

for (const mark of document.querySelectorAll(".point")) {
  mark.querySelector("title").remove(); // shown by the reader instead
  mark.setAttribute("tabindex", "0");
  mark.setAttribute("aria-label", lines(points[mark.dataset.point]).join("; "));
  mark.addEventListener("pointerenter", () => show(mark));
  mark.addEventListener("focus", () => show(mark));
  mark.addEventListener("pointerleave", hide);
  mark.addEventListener("blur", hide);
}
addEventListener("scroll", hide, { passive: true });
addEventListener("keydown", (event) => event.key === "Escape" && hide());

for (const box of document.querySelectorAll(".widths input")) {
  box.addEventListener("change", () => {
    for (const group of document.querySelectorAll(`[data-width="${box.value}"]`)) {
      group.style.display = box.checked ? "" : "none";
    }
  });
}
