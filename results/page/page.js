"use strict";
// What the page can do beyond being read: sort and filter the leaderboard, and choose the baseline of the gains.
const table = document.getElementById("board");
const heads = [...table.tHead.rows[0].cells];

// Sorting: a column's better values first, then the other way round. Rows without a value stay below.
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

// Filtering: rows whose name holds the text, and that are in the chosen comparison and have the chosen objective.
const form = document.getElementById("filter");
const text = document.getElementById("filter-text");
const selects = [...form.querySelectorAll("select")];

function filter() {
  const wanted = text.value.trim().toLowerCase();
  const bodies = [...table.tBodies];
  for (const body of bodies) {
    const named = body.rows[0].cells[0].dataset.sort.toLowerCase().includes(wanted);
    const chosen = selects.every((one) => !one.value || JSON.parse(body.dataset[one.dataset.filter]).includes(one.value));
    body.hidden = !(named && chosen);
  }
  const shown = bodies.filter((body) => !body.hidden).length;
  document.getElementById("filter-count").value = shown === bodies.length ? "" : `${shown} of ${bodies.length} arms`;
}

form.hidden = false;
for (const event of ["input", "change"]) form.addEventListener(event, filter);
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("reset", () => setTimeout(filter));
filter();

// The baseline of the gains: every table is there, one is shown.
const baseline = document.getElementById("baseline");
if (baseline) {
  const choose = () => {
    for (const one of document.querySelectorAll("[data-table]")) one.hidden = one.dataset.table !== baseline.value;
  };
  document.getElementById("choose").hidden = false;
  baseline.addEventListener("change", choose);
  choose();
}
