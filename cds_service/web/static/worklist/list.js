// Keys of the list: j and k (or arrows) move, Enter opens, "/" goes to the search, "?" shows the keys.
// Without this script every one of them is a link, a field or a summary on the page.
"use strict";

function links() {
  return Array.from(document.querySelectorAll("#list tbody th a"));
}

function typing(target) {
  return target instanceof Element && target.closest("input, select, textarea, [contenteditable]") !== null;
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
  if (event.ctrlKey || event.altKey || event.metaKey) {
    return;
  }
  if (typing(event.target)) {
    if (event.key === "Escape") {
      event.target.blur();
    }
    return;
  }
  // Arrows scroll the page unless one is in the list already.
  const inList = document.activeElement !== null && document.activeElement.closest("#list tbody") !== null;
  const key = inList && event.key === "ArrowDown" ? "j" : inList && event.key === "ArrowUp" ? "k" : event.key;
  if (Object.hasOwn(KEYS, key)) {
    event.preventDefault();
    KEYS[key]();
  }
});
