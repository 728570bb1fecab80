// The report of the taste in use: a page of its own, written by the service, in a frame that runs no script.

import { address, ask } from "../base/api.js";
import { byId, h, icon } from "../base/dom.js";
import { on, state } from "../base/state.js";
import { go } from "./views.js";

const view = byId("report");
const said = h("p", { class: "working", role: "status" });
const place = h("div", { class: "report-box" });
let wanted = 0;
let shown = "";

export function startReport() {
  const back = h(
    "button",
    { type: "button", class: "button", onclick: () => go("tastes") },
    "Back to the tastes",
  );
  view.replaceChildren(h("div", { class: "view-top" }, h("h2", {}, "Report"), back), said, place);
  for (const name of ["view", "ready", "taste"]) on(name, () => state.view === "report" && show());
  for (const name of ["labelled", "elsewhere-shown", "tastes-changed"]) on(name, () => (shown = ""));
}

/** The report is written before the frame asks for it, so that what goes wrong is told here. */
async function show() {
  const { taste } = state;
  const theme = document.documentElement.dataset.theme ?? "system";
  const now = `${theme} ${taste}`;
  if (!taste || shown === now) return;
  const path = `/tastes/${encodeURIComponent(taste)}/report`;
  const params = { theme };
  const asked = (wanted += 1);
  place.replaceChildren();
  said.textContent = "Holding out each like, and drawing what comes of it. This takes a few seconds.";
  try {
    await ask(path, { params });
    if (asked !== wanted) return;
    said.textContent = "";
    const title = `The report of the taste ${taste}`;
    place.replaceChildren(h("iframe", { class: "report-frame", sandbox: "", title, src: address(path, params) }));
    shown = now;
  } catch (error) {
    if (asked === wanted) said.textContent = error.message;
  }
}

/** @returns {any} what opens the report */
export function reportButton() {
  return h(
    "button",
    { type: "button", class: "button small-button", id: "show-report", onclick: () => go("report") },
    icon("library"),
    "Show the report",
  );
}
