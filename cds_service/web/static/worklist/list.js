// Keys of the list: j and k (or arrows) move, Enter opens, "/" goes to the search, "?" shows the keys. All of them act
// only while the focus is in the list (WCAG 2.1.4): what is said to a computer that takes dictation is letters, too.
// Without this script every one of them is a link, a field or a summary on the page.
"use strict";

function links() {
  return Array.from(document.querySelectorAll("#list tbody th a"));
}

function move(by) {
  const all = links();
  if (all.length === 0) {
    return;
  }
  const row = document.activeElement === null ? null : document.activeElement.closest("#list tbody tr");
  const now = row === null ? -1 : all.findIndex((link) => row.contains(link));
  const next = now === -1 ? (by > 0 ? 0 : all.length - 1) : Math.min(Math.max(now + by, 0), all.length - 1);
  all[next].focus();
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => document.getElementById("find-text")?.focus(),
  "?": () => {
    const keys = document.getElementById("keys");
    if (keys !== null) {
      keys.open = !keys.open;
      keys.querySelector("summary").focus();
    }
  },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || !(event.target instanceof Element)) {
    return;
  }
  if (event.key === "Escape" && event.target.closest("#find-text, #keys") !== null) {
    document.getElementById("list-part").focus({ preventScroll: true });
    return;
  }
  if (event.target.closest("#list-part") === null) {
    return;
  }
  // Arrows scroll the page unless one is at a patient already.
  const inRow = event.target.closest("#list tbody") !== null;
  const key = inRow && event.key === "ArrowDown" ? "j" : inRow && event.key === "ArrowUp" ? "k" : event.key;
  if (Object.hasOwn(KEYS, key)) {
    event.preventDefault();
    KEYS[key]();
  }
});
