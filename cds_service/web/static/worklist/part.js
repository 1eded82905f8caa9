// What htmx does not do by itself where a part of a page is swapped: an answer without the part is shown whole, a service
// that cannot be reached is told by the browser, and the keyboard never falls off the page.
"use strict";

document.addEventListener("htmx:beforeSwap", (event) => {
  const swap = event.detail;
  const part = swap.requestConfig.elt.closest("[hx-select]").getAttribute("hx-select");
  const answer = new DOMParser().parseFromString(swap.serverResponse, "text/html");
  if (answer.querySelector(part) === null) {
    swap.target = document.getElementById("main");
    swap.selectOverride = "#main";
    swap.swapOverride = "outerHTML show:window:top";
  }
});

document.addEventListener("htmx:sendError", (event) => {
  window.location.assign(event.detail.pathInfo.finalRequestPath);
});

document.addEventListener("htmx:afterSettle", () => {
  if (document.activeElement === null || document.activeElement === document.body) {
    (document.getElementById("list-part") ?? document.getElementById("main")).focus({ preventScroll: true });
  }
});
