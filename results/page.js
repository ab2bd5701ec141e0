"use strict";
// Sorts the rows by a column: its better values first, then the other way round. Rows without a value stay below.
const table = document.querySelector("table");
const heads = [...table.tHead.rows[0].cells];

function compare(a, b) {
  const x = Number(a), y = Number(b);
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
}

function sort(index, direction) {
  const key = (body) => body.rows[0].cells[index].dataset.sort;
  const bodies = [...table.tBodies];
  const known = bodies.filter((body) => key(body) !== "");
  const unknown = bodies.filter((body) => key(body) === "");
  known.sort((a, b) => (direction === "ascending" ? 1 : -1) * compare(key(a), key(b)));
  table.append(...known, ...unknown);
  heads.forEach((head) => head.removeAttribute("aria-sort"));
  heads[index].setAttribute("aria-sort", direction);
}

heads.forEach((head, index) => {
  const button = head.querySelector("button");
  button.addEventListener("click", () => {
    const now = head.getAttribute("aria-sort");
    const other = now === "ascending" ? "descending" : "ascending";
    sort(index, now ? other : button.dataset.first);
  });
});
