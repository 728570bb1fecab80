// Which view the middle shows, and the address that names it: #view=teach, or #view=library&song=ID.

import { byId, debounce } from "../base/dom.js";
import { emit, on, state } from "../base/state.js";

/** @type {Record<import("../base/state.js").View, string>} */
const NAMES = {
  discover: "Discover",
  teach: "Teach",
  map: "Map",
  library: "Library",
  tastes: "Tastes",
  report: "Report",
};
const ADDRESS_MS = 300; // browsers refuse more than some 100 changes in 30 s
const main = byId("main");
const links = /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("a[data-view]"));
const WITH_LIST = new Set(["discover", "library"]);

/** @param {(id: string) => void} openById called for a song that the address names */
export function startViews(openById) {
  for (const link of links) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      go(/** @type {any} */ (link.dataset.view));
    });
  }
  const write = debounce(writeAddress, ADDRESS_MS);
  on("select", write);
  on("view", write);
  addEventListener("hashchange", () => {
    const { view, song } = addressed();
    if (view) go(view);
    if (song) openById(song);
  });
  state.view = addressed().view ?? "discover";
  show();
}

/** What the address asks for. @returns {{view: any, song: string | null}} */
export function addressed() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const view = wanted.get("view") ?? "";
  const song = wanted.get("song") ?? "";
  return { view: view in NAMES ? view : null, song: /^[0-9a-f]{32}$/.test(song) ? song : null };
}

/** Show a view. @param {import("../base/state.js").View} view */
export function go(view) {
  if (view === state.view) return;
  state.view = view;
  show();
  emit("view", view);
}

/** Whether the middle has the list; while somebody takes the first steps it has not. */
export function showsList() {
  return WITH_LIST.has(state.view) && !main.classList.contains("beginning");
}

/** Show or end the first steps in the place of the finds. @param {boolean} now */
export function setBeginning(now) {
  if (main.classList.contains("beginning") === now) return;
  main.classList.toggle("beginning", now);
  show();
}

function show() {
  const { view } = state;
  const first = main.classList.contains("beginning") && view === "discover";
  main.dataset.view = first ? "welcome" : view;
  document.documentElement.dataset.view = main.dataset.view;
  byId("view-name").textContent = NAMES[view];
  byId("welcome").hidden = !first;
  byId("hero").hidden = view !== "discover" || first;
  byId("shelf").hidden = view !== "library";
  for (const name of ["teach", "map", "tastes", "report"]) byId(name).hidden = view !== name;
  const list = WITH_LIST.has(view) && !first;
  byId("search-box").hidden = !list;
  for (const id of ["list-top", "grid", "list-state", "unfold"]) byId(id).classList.toggle("away", !list);
  for (const link of links) {
    if (link.dataset.view === (view === "report" ? "tastes" : view)) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function writeAddress() {
  const parts = [`view=${state.view}`];
  if (state.selected && !state.selected.url) parts.push(`song=${state.selected.id}`);
  history.replaceState(null, "", `#${parts.join("&")}`);
}
