"use strict";
// Rows without a number stay at the end, whichever way a column is sorted.
function compare(a, b, falling) {
  const [x, y] = [a, b].map((cell) => ("value" in cell.dataset ? Number(cell.dataset.value) : null));
  if (x !== null && y !== null) return falling ? y - x : x - y;
  if (x !== null || y !== null) return x === null ? 1 : -1;
  const order = a.textContent.localeCompare(b.textContent, "en");
  return falling ? -order : order;
}

function sort(heading) {
  const table = heading.closest("table");
  const column = heading.cellIndex;
  const rows = [...table.tBodies[0].rows];
  const numeric = rows.some((row) => "value" in row.cells[column].dataset);
  const before = heading.getAttribute("aria-sort");
  // Numbers begin with the largest, text with A.
  const falling = before === "none" ? numeric : before === "ascending";
  for (const other of table.tHead.rows[0].cells) other.setAttribute("aria-sort", "none");
  heading.setAttribute("aria-sort", falling ? "descending" : "ascending");
  rows.sort((a, b) => compare(a.cells[column], b.cells[column], falling));
  table.tBodies[0].append(...rows);
}

for (const button of document.querySelectorAll("table.sortable th button")) {
  button.addEventListener("click", () => sort(button.parentElement));
}

async function copy(text) {
  // A file opened from disk has no clipboard in some browsers; selecting the text works in all.
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(text.textContent);
      return "copied";
    } catch {
      // The browser said no: fall through to selecting.
    }
  }
  getSelection().selectAllChildren(text);
  return "selected: press Ctrl+C to copy";
}

for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const status = document.getElementById("status");
    status.textContent = await copy(button.parentElement.querySelector("pre"));
    setTimeout(() => { status.textContent = ""; }, 2500);
  });
}

document.addEventListener("play", (event) => {
  for (const player of document.querySelectorAll("audio")) if (player !== event.target) player.pause();
}, true);
