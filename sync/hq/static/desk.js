// The desk by keyboard: j/k next/previous, Enter opens, x chooses, a/c/r/t press what is marked with that key, / searches,
// ? shows the keys. Everything is also there without this: it only presses what is on the page.
const rows = [...document.querySelectorAll("[data-row]")];
let at = -1;

function go(to) {
  if (!rows.length) return;
  rows[at]?.classList.remove("here");
  at = Math.max(0, Math.min(rows.length - 1, to));
  rows[at].classList.add("here");
  rows[at].querySelector("[data-open]").focus();
  rows[at].scrollIntoView({ block: "nearest" });
}

function choose(only) {
  const box = rows[at]?.querySelector("input[name=chosen]");
  if (!box) return false;
  if (only && document.querySelector("input[name=chosen]:checked")) return true; // some are chosen: they are meant
  box.checked = only || !box.checked;
  return true;
}

function press(key) {
  const target = document.querySelector(`[data-key="${key}"]`);
  if (!target) return false;
  if (target.closest("#many") && !choose(true) && !document.querySelector("input[name=chosen]:checked")) return false;
  if (target.matches("input")) {
    target.focus();
    target.select();
  } else target.click();
  return true;
}

function typing(place) {
  return place.matches?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  let done = true;
  if (event.key === "j") go(at + 1);
  else if (event.key === "k") go(at - 1);
  else if (event.key === "x") choose(false);
  else if (event.key === "?") {
    const keys = document.querySelector("[data-keys]");
    if (keys) keys.open = !keys.open;
  } else if ("acrt/".includes(event.key)) done = press(event.key);
  else done = false;
  if (done) event.preventDefault();
});

rows.forEach((row, place) =>
  row.addEventListener("focusin", () => {
    rows[at]?.classList.remove("here");
    at = place;
    row.classList.add("here");
  }),
);

// Enter in the field for a tag tags: it must not press the first button of its form.
document.querySelector("#bulk-tag")?.addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  event.preventDefault();
  document.querySelector('#many button[value="tag"]').click();
});

// What a text costs, counted by headquarters while it is written.
for (const text of document.querySelectorAll("[data-count]")) {
  const shown = text.form.querySelector("[data-cost]");
  let due = 0;
  text.addEventListener("input", () => {
    clearTimeout(due);
    due = setTimeout(async () => {
      const sent = new URLSearchParams({ csrf: text.form.elements.csrf.value, text: text.value });
      try {
        const answer = await fetch(text.dataset.count, { method: "POST", body: sent });
        if (answer.ok) shown.textContent = await answer.text();
      } catch {
        // headquarters does not answer just now: the look before sending counts again
      }
    }, 250);
  });
}
