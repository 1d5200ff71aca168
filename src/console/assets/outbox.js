// The outbox: choosing several replies, and keeping the choice when the list is drawn anew.
"use strict";

const outbox = document.getElementById("outbox");
const boxes = () => [...outbox.querySelectorAll("input[name=id]")];
const chosen = new Set();

function show() {
  const all = boxes();
  const count = all.filter((box) => box.checked).length;
  const head = outbox.querySelector("[data-all]");
  if (head) {
    head.checked = count > 0 && count === all.length;
    head.indeterminate = count > 0 && count < all.length;
  }
  const told = outbox.querySelector("[data-count]");
  if (told) told.textContent = count > 0 ? told.dataset.count.replace("{}", count) : "";
  for (const button of outbox.querySelectorAll("[data-needs-choice]")) button.disabled = count === 0;
}

outbox.addEventListener("change", (event) => {
  if (event.target.matches("[data-all]")) {
    for (const box of boxes()) box.checked = event.target.checked;
  }
  chosen.clear();
  for (const box of boxes()) if (box.checked) chosen.add(box.value);
  show();
});

outbox.addEventListener("wx:refreshed", () => {
  for (const box of boxes()) box.checked = chosen.has(box.value);
  show();
});

// A browser that comes back may have kept the boxes as they were.
addEventListener("pageshow", show);
show();
