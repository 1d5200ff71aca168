// What a chart says at the place that is pointed at. Without this script the browser's own title shows the same.
"use strict";

let note = null;

function hide() {
  note?.remove();
  note = null;
}

function say(column) {
  const plot = column.closest(".plot");
  const lines = column.dataset.note.split("\n").map((line) => line.trim()).filter(Boolean);
  const colours = [...plot.querySelectorAll(".legend i")].map((sign) => sign.className);
  if (!note || note.parentElement !== plot) {
    hide();
    note = document.createElement("div");
    note.className = "plot-note";
    note.setAttribute("aria-hidden", "true");
    plot.append(note);
  }
  const time = document.createElement("strong");
  time.textContent = lines[0];
  const values = lines.slice(1).map((line, n) => {
    const row = document.createElement("span");
    if (colours[n]) {
      const sign = document.createElement("i");
      sign.className = colours[n];
      row.append(sign);
    }
    const value = line.match(/^(.*) (–|[\d.,]+ ?(?:%|ms|s)?)$/);
    row.append(value ? value[1] : line);
    if (value) {
      const figure = document.createElement("b");
      figure.textContent = value[2];
      row.append(figure);
    }
    return row;
  });
  note.replaceChildren(time, ...values);
  const frame = plot.getBoundingClientRect();
  const place = column.getBoundingClientRect();
  const middle = place.left + place.width / 2 - frame.left;
  const room = frame.width - note.offsetWidth;
  // Beside the place rather than over it, and never out of the card.
  const left = middle + 14 <= room ? middle + 14 : middle - 14 - note.offsetWidth;
  note.style.left = `${Math.max(0, Math.min(left, room))}px`;
}

function point(event) {
  const column = event.target.closest?.(".plot-column");
  if (!column) return hide();
  // Else the browser would say the same a second time.
  const title = column.querySelector("title");
  if (title) {
    column.dataset.note = title.textContent;
    title.remove();
  }
  say(column);
}

document.addEventListener("pointerover", point);
document.addEventListener("pointerdown", point);
document.addEventListener("wx:refreshed", hide);
document.documentElement.addEventListener("pointerleave", hide);
